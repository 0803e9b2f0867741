"""Learn a camera's normal from footage and see what stays quiet and what does not.

    python tests/benchmarks/normality_vtest.py [--ped2 FOLDER]

Learns from the first 40 s of vtest.avi (fetched on first use), then watches the rest: as it is, changed in ways that
must not matter, and faster. With ``--ped2`` (a folder with the UCSD Ped2 clips as train/*.mp4) it also learns from one
half of the normal clips and watches the other half. One thread, the embedded preset. Nothing here was tuned on labels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit
from streamproc.normality.glimpse import Detector
from streamproc.normality.kinds import KINDS
from streamproc.normality.observer import EmbeddedObserver
from streamproc.site import load_preset
from streamproc.testing_footage import Pixels, read_pictures, windows_of
from streamproc.types import Window

PIPELINE = load_preset("embedded")
SETTINGS, SAMPLING = PIPELINE.normality, PIPELINE.sampling
Runs = Sequence[Sequence[Pixels]]


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--ped2", type=Path, help="folder with train/*.mp4")
    arguments = options.parse_args()
    cv2.setNumThreads(1)
    store = ModelStore()
    detector = NanoDet(store.ensure("nanodet"))
    vtest(read_pictures(store.ensure("vtest")), detector)
    if arguments.ped2:
        ped2(arguments.ped2, detector)


def vtest(pictures: list[Pixels], detector: Detector) -> None:
    """One camera, learned from its first 40 s."""
    normal, rest = pictures[:400], pictures[400:]
    calibration = learned("vtest, first 40 s", [normal], detector)
    faster = rest[::3]
    dark = changed(rest, lambda p: p * 0.7)
    noise = np.random.default_rng(1)
    print(f"{'case':34} {'median':>7} {'p95':>6} {'max':>6} {'alarm':>8} {'share':>6} {'judged':>7}")
    row("the rest as it is", calibration, detector, [rest])
    row("darker, x0.7", calibration, detector, [dark])
    row("brighter, x1.3", calibration, detector, [changed(rest, lambda p: p * 1.3)])
    row("camera noise, sigma 6", calibration, detector, [changed(rest, lambda p: p + noise.normal(0, 6, p.shape))])
    row("reversed", calibration, detector, [rest[::-1]])
    row("looped three times (seams)", calibration, detector, [rest, rest, rest])
    row(
        "cut inside a run, five times",
        calibration,
        detector,
        [[p for i in range(5) for p in rest[i * 61 : i * 61 + 60]]],
    )
    row("three times the speed", calibration, detector, [faster])
    row("twice the speed", calibration, detector, [rest[::2]])
    row("as it is 39 s, x3 13 s, as it is", calibration, detector, [[*rest, *faster, *rest]], event=(39.5, 52.7))
    row("as it is, 5 frames/s", calibration, detector, [rest[::2]], fps=5.0)
    row("x3, 5 frames/s", calibration, detector, [rest[::6]], fps=5.0)
    row("as it is, 1 frame/s", calibration, detector, [rest[::10]], fps=1.0)
    row("x3, 1 frame/s", calibration, detector, [rest[::30]], fps=1.0)
    row("dark, x0.05", calibration, detector, [changed(rest, lambda p: p * 0.05)])
    print()
    cost(calibration, [rest], None, "flow, background, speed")
    cost(calibration, [rest], detector, "with NanoDet and tracks, 2 looks/s")
    print()


def ped2(folder: Path, detector: Detector) -> None:
    """Another camera: one half of its normal clips, then the other."""
    clips = [read_pictures(path) for path in sorted((folder / "train").glob("*.mp4"))]
    for name, half, other in (("odd", clips[0::2], clips[1::2]), ("even", clips[1::2], clips[0::2])):
        calibration = learned(f"Ped2, {name} train clips", half, detector)
        print(f"{'case':34} {'median':>7} {'p95':>6} {'max':>6} {'alarm':>8} {'share':>6} {'judged':>7}")
        row("the other train clips", calibration, detector, other)
        row("the same at three times the speed", calibration, detector, [clip[::3] for clip in other])
        print()
    calibration = learned("Ped2, two train clips", clips[:2], detector)
    row("the other 14 train clips", calibration, detector, clips[2:])


def learned(name: str, runs: Runs, detector: Detector) -> Calibration:
    """What ``fit`` makes of ``runs``, printed."""
    began = time.process_time()
    calibration = fit(all_windows(runs), SETTINGS, learned_at=datetime.now(UTC), detector=detector)
    speed = calibration.observed_s / (time.process_time() - began)
    novelty = calibration.novelty
    print(
        f"{name}: {calibration.observed_s:.0f} s, {calibration.busy_s:.0f} s busy, learned {speed:.1f} x real time; "
        f"threshold {novelty.threshold:.2f} (one-hour level {novelty.one_hour_level:.2f}, held-out max "
        f"{novelty.held_out_max:.2f})"
    )
    for kind, scale in calibration.kinds.items():
        print(
            f"  {kind}: median {scale.median:.2f}, 99th percentile {scale.p99:.2f}, by itself "
            f"{scale.one_hour_level:.2f} once an hour, weight {scale.weight:.2f}"
        )
    print(f"  {calibration.false_alarms}")
    return calibration


def row(
    name: str,
    calibration: Calibration,
    detector: Detector,
    runs: Runs,
    *,
    fps: float = 10.0,
    event: tuple[float, float] | None = None,
) -> None:
    """One case: the scores of what moves in its windows, and when the first measurement reached its threshold."""
    observer = EmbeddedObserver(SETTINGS, calibration, detector)
    scores: list[float] = []
    alarms: list[float] = []
    windows, before_s = 0, 0.0
    for run, pictures in enumerate(runs):
        for window in windows_of(pictures, fps=fps, run=run, settings=SAMPLING):
            windows += 1
            measured = observer.observe(window).measurements
            scores += [one.score for one in measured if one.name in KINDS]
            if any(one.score >= one.threshold for one in measured):
                alarms.append(before_s + window.end_s)
        before_s += len(pictures) / fps
    if not scores:
        print(f"{name:34} {'-':>7} {'-':>6} {'-':>6} {'-':>8} {'-':>6} {0:>4}/{windows}")
        return
    first = f"{alarms[0]:.1f} s" if alarms else "quiet"
    middle, high, top = np.percentile(scores, [50, 95, 100])
    share = len(alarms) / len(scores)
    print(f"{name:34} {middle:7.2f} {high:6.2f} {top:6.2f} {first:>8} {share:6.0%} {len(scores):>4}/{windows}")
    if event:
        inside = [at for at in alarms if event[0] <= at <= event[1]]
        delay = f"{inside[0] - event[0]:.1f} s after its start" if inside else "missed"
        early = sum(at < event[0] for at in alarms)
        print(f"  event: alarm {delay}, last {alarms[-1] - event[1]:+.1f} s from its end, {early} windows before it")


def cost(calibration: Calibration, runs: Runs, detector: Detector | None, name: str) -> None:
    """Processor time a frame."""
    observer = EmbeddedObserver(SETTINGS, calibration, detector)
    windows = list(all_windows(runs))
    began = time.process_time()
    for window in windows:
        observer.observe(window)
    frames = sum(len(pictures) for pictures in runs)
    print(f"{name}: {(time.process_time() - began) / frames * 1e3:.1f} ms of processor time a frame")


def all_windows(runs: Runs) -> Iterable[Window]:
    """Windows of one clip after the other, each a run."""
    return (window for run, pictures in enumerate(runs) for window in windows_of(pictures, run=run, settings=SAMPLING))


def changed(pictures: Sequence[Pixels], change: Callable[[Pixels], object]) -> list[Pixels]:
    """Each picture changed, within 0..255."""
    return [np.clip(np.asarray(change(picture)), 0, 255).astype(np.uint8) for picture in pictures]


if __name__ == "__main__":
    main()
