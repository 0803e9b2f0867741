"""Watch real footage as it is, changed in ways that must not matter, and with things put into it that must be noticed.

    python tests/benchmarks/scenes.py [--ped2 FOLDER] [--only WORDS] [--no-detector] [--captions] [--json FILE]
    python tests/benchmarks/scenes.py --sheet FOLDER [--ped2 FOLDER] [--only WORDS]

Learns from the first 40 s of vtest.avi (fetched on first use) and watches the rest. ``--ped2``: the folder with the
UCSD Ped2 clips, for a bicycle and a cart of another source, and for a second scene: learned from every other normal
clip, quiet on the rest. A photograph of a car is fetched on first use. People are
cut out of the first 40 s, so that only what they do is new. Nothing here was tuned on labels.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from streamproc.errors import ModelLoadError
from streamproc.models.movenet import MoveNet
from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit
from streamproc.normality.glimpse import Detector
from streamproc.normality.observer import EmbeddedObserver
from streamproc.normality.posture import PoseEstimator
from streamproc.perception.scene import SceneCaptioner
from streamproc.site import load_preset
from streamproc.testing_footage import Pixels, read_pictures, windows_of
from streamproc.testing_scenes import cases, photos, scoring
from streamproc.testing_scenes.scene import Scene
from streamproc.testing_scenes.stage import VTEST_OCCLUDERS, Stage
from streamproc.types import Box, ObservedWindow

PIPELINE = load_preset("embedded")
SETTINGS, SAMPLING = PIPELINE.normality, PIPELINE.sampling
NORMAL = 400
_SHOWN = 8


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--ped2", type=Path, help="folder with test/*.mp4 and masks/")
    options.add_argument("--only", default="", help="cases whose name has one of these, split by commas")
    options.add_argument("--no-detector", action="store_true", help="without NanoDet and tracks")
    options.add_argument("--no-second-scene", action="store_true", help="put bicycle and cart of Ped2 into vtest alone")
    options.add_argument("--json", type=Path, help="write the results here as well")
    options.add_argument("--sheet", type=Path, help="write a picture of each case to this folder; nothing is watched")
    options.add_argument("--captions", action="store_true", help="print what is said when the alarm begins")
    arguments = options.parse_args()
    cv2.setNumThreads(1)
    store = ModelStore()
    pictures = read_pictures(store.ensure("vtest"))
    stage = Stage(pictures[:NORMAL], VTEST_OCCLUDERS)
    chosen = [case for case in all_cases(arguments.ped2) if wanted(case.name, arguments.only)]
    if arguments.sheet:
        for case in chosen:
            sheet(case.name, case.recipe(stage, pictures[NORMAL:]), arguments.sheet)
        return
    detector = None if arguments.no_detector else NanoDet(store.ensure("nanodet"))
    pose = None if detector is None else MoveNet(store.ensure("movenet"))
    known = windows_of(pictures[:NORMAL], settings=SAMPLING)
    calibration = fit(known, SETTINGS, learned_at=datetime.now(UTC), detector=detector, pose=pose)
    print(learned(calibration))
    results = []
    print(f"{'case':32} {'must':6} {'alarm':>7} {'after':>7} {'by':10} {'place':>5} {'false':>5} {'judged':>6}  met")
    for case in chosen:
        scene = case.recipe(stage, pictures[NORMAL:])
        first: list[str] = []
        results.append(scoring.scored(case, scene, watch(calibration, detector, pose, scene, case.fps, first)))
        print(line(results[-1]), flush=True)
        if arguments.captions and first:
            print(f"    {first[0]}")
    print(summary(results))
    if arguments.ped2 and not arguments.no_second_scene:
        second = second_scene(arguments.ped2, detector, arguments.only)
        print(summary(second))
        results += second
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(one) for one in results], indent=1), encoding="utf-8")


def all_cases(ped2: Path | None) -> list[cases.Case]:
    """Those whose sources are at hand."""
    found = [*cases.normal_cases(), *cases.camera_cases(), *cases.event_cases()]
    try:
        found += cases.photo_cases(photos.store().ensure("car"))
    except ModelLoadError as error:
        print(f"without the photograph of a car: {error}")
    return found + (cases.ped2_cases(ped2) if ped2 else [])


def wanted(name: str, only: str) -> bool:
    """Whether ``name`` has one of the words of ``only``, or there are none."""
    return not only or any(word.strip() in name for word in only.split(","))


def learned(calibration: Calibration) -> str:
    """What counts, and from where on."""
    kinds = ", ".join(f"{kind} x{scale.weight:.2f}" for kind, scale in calibration.kinds.items())
    novelty = calibration.novelty
    return (
        f"learned from {calibration.observed_s:.0f} s: {kinds}; threshold {novelty.threshold:.2f} (one-hour level "
        f"{novelty.one_hour_level:.2f}, held-out max {novelty.held_out_max:.2f})"
    )


def watch(
    calibration: Calibration,
    detector: Detector | None,
    pose: PoseEstimator | None,
    scene: Scene,
    fps: float,
    told: list[str],
) -> Iterator[ObservedWindow]:
    """One scene by an observer that has seen nothing else; what is said of windows in alarm goes to ``told``."""
    observer = EmbeddedObserver(SETTINGS, calibration, detector, pose=pose)
    for window in windows_of(scene.pictures, fps=fps, times_s=scene.times_s, settings=SAMPLING):
        observed = observer.observe(window)
        if scoring.loudest(observed):
            told.append(f"{window.end_s:.1f} s: {SceneCaptioner().caption(observed).text}")
        yield observed


def second_scene(folder: Path, detector: Detector | None, only: str) -> list[scoring.Result]:
    """Another camera: learned from one half of the normal Ped2 clips, the other half watched, each clip a run."""
    clips = [read_pictures(path) for path in sorted((folder / "train").glob("*.mp4"))]
    known = (window for run, clip in enumerate(clips[0::2]) for window in windows_of(clip, run=run, settings=SAMPLING))
    calibration = fit(known, SETTINGS, learned_at=datetime.now(UTC), detector=detector)
    print(learned(calibration))
    results = []
    for case in cases.second_scene_cases():
        if not wanted(case.name, only):
            continue
        observer = EmbeddedObserver(SETTINGS, calibration, detector)
        parts = []
        for run, clip in enumerate(clips[1::2]):
            scene = case.recipe(Stage(clip), clip)
            windows = windows_of(scene.pictures, fps=case.fps, times_s=scene.times_s, run=run, settings=SAMPLING)
            parts.append(scoring.scored(case, scene, map(observer.observe, windows)))
        results.append(scoring.together(parts))
        print(line(results[-1]), flush=True)
    return results


def line(one: scoring.Result) -> str:
    """A row."""
    alarm = "quiet" if one.alarm_s is None else f"{one.alarm_s:.1f} s"
    after = "" if one.delay_s is None else f"{one.delay_s:.1f} s"
    place = "" if one.place_right is None else f"{one.place_right:.0%}"
    row = f"{one.case:32} {one.expect:6} {alarm:>7} {after:>7} {one.by:10} {place:>5} {one.false_incidents:5} "
    told = f"  ({one.told[0]})" if one.told else ""
    return row + f"{one.judged:6.0%}  {'yes' if one.met else 'NO'}{told}"


def summary(results: list[scoring.Result]) -> str:
    """Counts, and what the false alarms are worth."""
    hours = sum(one.quiet_s for one in results) / 3600
    false = sum(one.false_incidents for one in results)
    met = sum(one.met for one in results)
    lines = [f"{met} of {len(results)} as they must be"]
    if hours:
        bound = scoring.upper_per_hour(false, hours)
        lines.append(
            f"false alarms: {false} in {hours * 60:.1f} min ({hours:.2f} h) in which nothing was to be told; at most "
            f"{bound:.3g} an hour of such scenes (95 % upper bound; all are made from the same footage)"
        )
    right = [one.place_right for one in results if one.place_right is not None]
    if right:
        lines.append(f"place right: {np.mean(right):.0%} of the windows in alarm, mean of {len(right)} scenes")
    return "\n".join(lines)


def sheet(name: str, scene: Scene, folder: Path) -> None:
    """Eight pictures of a scene, the truth drawn in."""
    pictures = list(scene.pictures)
    numbers = sorted({at for one in scene.put_in for at in one.boxes}) or list(range(len(pictures)))
    tiles = []
    for at in [numbers[round(share)] for share in np.linspace(0, len(numbers) - 1, _SHOWN)]:
        tile = np.asarray(cv2.resize(pictures[at], (480, 360), interpolation=cv2.INTER_AREA), np.uint8)
        for one in scene.put_in:
            if at in one.boxes:
                framed(tile, one.boxes[at])
        cv2.putText(tile, f"{name}: {at}", (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 0, 0), 1, cv2.LINE_AA)
        tiles.append(tile)
    rows = [np.hstack(tiles[first : first + 4]) for first in range(0, _SHOWN, 4)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("".join(letter if letter.isalnum() else "_" for letter in name) + ".png")
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])
    print(path)


def framed(tile: Pixels, box: Box) -> None:
    """Draw ``box``."""
    x0, y0, x1, y1 = (round(edge * side) for edge, side in zip(box, (480, 360) * 2, strict=True))
    cv2.rectangle(tile, (x0, y0), (x1, y1), (255, 0, 0), 1)


if __name__ == "__main__":
    main()
