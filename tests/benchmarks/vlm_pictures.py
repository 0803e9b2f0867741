"""What a vision-language model is shown: evenly spread frames beside event-driven ones, marks and close-ups.

    python tests/benchmarks/vlm_pictures.py [--ped2 FOLDER]

No model is asked. Drawn footage first: something is there for a moment of a still scene, and it is counted how many of
four pictures show it. With ``--ped2`` (UCSD Ped2 as train/*.mp4, test/*.mp4, masks/NN/FFF.png) the eyes learn from the
normal clips, and of the test clips' windows that hold something anomalous it is measured how much of it the pictures
show. The masks only measure: nothing is chosen by them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.config import NormalitySettings, SamplingSettings, VlmPerception
from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.normality.fit import fit
from streamproc.normality.observer import EmbeddedObserver
from streamproc.perception.pictures import close_up, widened
from streamproc.perception.vlm import Shown, _seen, show
from streamproc.testing_footage import read_pictures, windows_of
from streamproc.types import Frame, ObservedWindow, Window

Mask = npt.NDArray[np.bool_]
WAYS: dict[str, dict[str, object]] = {
    "uniform": {"selection": "uniform", "marks": 0, "close_ups": 0},
    "event": {"selection": "event", "marks": 0, "close_ups": 0},
    "event, marks": {"selection": "event", "marks": 3, "close_ups": 0},
    "event, marks, close-up": {},
}
NORMALITY = NormalitySettings(detections_per_s=5)


def settings(way: str) -> VlmPerception:
    """The preset's, but for what is compared."""
    at = {"kind": "vlm", "base_url": "http://127.0.0.1:1/v1", "model": "none"}
    return VlmPerception.model_validate(at | WAYS[way])


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--ped2", type=Path, help="folder with train/*.mp4, test/*.mp4, masks/")
    arguments = options.parse_args()
    cv2.setNumThreads(1)
    brief()
    if arguments.ped2:
        ped2(arguments.ped2)


def brief() -> None:
    """A drawn event, shorter than the window."""
    print("\nA person-sized thing appears and is gone again; four pictures of a window; at 100 random moments")
    print(f"{'window':>8} {'event':>8}   {'never shown':>22}   {'pictures that show it':>24}")
    draw = np.random.default_rng(0)
    ground = draw.integers(90, 110, (240, 360, 3)).astype(np.int16)
    looks = draw.integers(0, 80, (40, 20, 3)).astype(np.uint8)
    for window_s, event_s in ((1.0, 0.2), (2.0, 0.4), (4.0, 0.4), (8.0, 0.8)):
        missed, shown = dict.fromkeys(("uniform", "event"), 0), dict.fromkeys(("uniform", "event"), 0.0)
        for _ in range(100):
            starts_s, frames, there = draw.uniform(0.0, window_s - event_s), [], []
            for i in range(round(10 * window_s)):
                picture = np.clip(ground + draw.normal(0, 2, ground.shape), 0, 255).astype(np.uint8)
                there.append(starts_s <= i / 10 < starts_s + event_s)
                if there[-1]:
                    picture[100:140, 100:120] = looks
                frames.append(Frame("drawn", 1, i / 10, datetime(2026, 1, 1, tzinfo=UTC), picture))
            observed = ObservedWindow(Window("drawn", 1, 0, (tuple(frames),)), (), (), 1.0)
            for way in shown:
                count = sum(there[i] for i in show(observed, settings(way)).chosen)
                shown[way] += count / 100
                missed[way] += not count
        told = f"{missed['uniform']:3d} % -> {missed['event']:3d} %", f"{shown['uniform']:.1f} -> {shown['event']:.1f}"
        print(f"{window_s:6.0f} s {event_s:6.1f} s   {told[0]:>22}   {told[1]:>24}")


def ped2(root: Path) -> None:
    """Windows of the test clips in which something is anomalous."""
    detector = NanoDet(ModelStore().ensure("nanodet"))
    normal = sorted((root / "train").glob("*.mp4"))
    windows = (window for run, clip in enumerate(normal) for window in windows_of(read_pictures(clip), run=run + 1))
    calibration = fit(windows, NORMALITY, learned_at=datetime(2026, 1, 1, tzinfo=UTC))
    for window_s in (1.0, 4.0):
        rows: dict[str, list[tuple[float, ...]]] = {way: [] for way in WAYS}
        took_s: dict[str, float] = dict.fromkeys(WAYS, 0.0)
        for clip in sorted((root / "test").glob("*.mp4")):
            eyes = EmbeddedObserver(NORMALITY, calibration, detector)
            sampling = SamplingSettings(window_s=window_s)
            for window in windows_of(read_pictures(clip), settings=sampling):
                observed = eyes.observe(window)
                masks = [_mask(root, clip.stem, round(f.pts_s * 10), f) for burst in window.bursts for f in burst]
                if not any(mask.any() for mask in masks):
                    continue
                for way in WAYS:
                    began_s = time.thread_time()
                    shown = show(observed, settings(way))
                    took_s[way] += time.thread_time() - began_s
                    rows[way].append(_measured(shown, window, masks))
        print(f"\nUCSD Ped2, test clips, {len(rows['uniform'])} windows of {window_s:g} s with something anomalous")
        print(
            f"{'':24} {'shown':>7} {'moved':>8} {'largest':>9} {'of pixels':>10} {'in marks':>9} {'marks':>7} {'ms':>5}"
        )
        for way, several in rows.items():
            shown_, moved, largest, share, inside, area = np.mean(several, axis=0)
            cells = f"{shown_:7.0%} {moved:5.0f} px {largest:6.0f} px {share:10.2%}"
            marks = f"{inside:9.0%} {area:7.1%}" if area else f"{'':9} {'':7}"
            print(f"{way:24} {cells} {marks} {1e3 * took_s[way] / len(several):5.0f}")


def _measured(shown: Shown, window: Window, masks: Sequence[Mask]) -> tuple[float, ...]:
    """How many pictures show it; how far it moves between them; the largest it is shown, in pixels sent; its share of
    all pixels sent; how much of it is inside outlines; the outlines' share of the picture."""
    sent = [masks[i] for i in shown.chosen]
    if shown.close_ups:
        frames = [frame for burst in window.bursts for frame in burst]
        for i in _seen(shown.regions[0], len(shown.close_ups)):
            as_frame = Frame("", 1, 0.0, frames[i].received_at, np.dstack([masks[i].astype(np.uint8) * 255] * 3))
            sent.append(close_up(as_frame, shown.regions[0].tube, settings("event").image_width_px)[..., 0] > 127)
    places = [np.argwhere(masks[i]).mean(0) for i in shown.chosen if masks[i].any()]
    moved = max((float(np.hypot(*(one - other))) for one in places for other in places), default=0.0)
    inside = total = 0
    area = 0.0
    for i in shown.chosen:
        outlined = np.zeros_like(masks[i])
        for region in shown.regions:
            if (box := region.boxes[i]) is not None:
                rows, columns = outlined.shape
                x0, y0, x1, y1 = widened(box)
                outlined[round(y0 * rows) : round(y1 * rows), round(x0 * columns) : round(x1 * columns)] = True
        inside, total = inside + int((masks[i] & outlined).sum()), total + int(masks[i].sum())
        area += float(outlined.mean()) / len(shown.chosen)
    return (
        float(np.mean([mask.any() for mask in sent])),
        moved,
        float(max(mask.sum() for mask in sent)),
        sum(int(mask.sum()) for mask in sent) / sum(mask.size for mask in sent),
        inside / max(total, 1),
        area,
    )


def _mask(root: Path, clip: str, frame: int, like: Frame) -> Mask:
    path = root / "masks" / clip / f"{frame:03}.png"
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.exists() else None
    return np.zeros(like.picture.shape[:2], np.bool_) if found is None else np.asarray(found > 0, np.bool_)


if __name__ == "__main__":
    main()
