"""Dwell, direction, crowding and size on vtest.avi: what stays quiet and what is found.

    python tests/benchmarks/normality_places.py [--no-detector]

Learns from the first 40 s (fetched on first use) and watches the rest: as it is, changed in ways that must not matter,
and with something odd. One thread; times are processor time. Nothing here was tuned on labels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.config import NormalitySettings
from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.normality.crowding import CrowdingMeter
from streamproc.normality.crowding_fit import CrowdSample, fit_crowding
from streamproc.normality.direction import DirectionMeter, fit_direction
from streamproc.normality.dwell import DwellMeter
from streamproc.normality.dwell_fit import DwellLearner
from streamproc.normality.flow import FlowMeter
from streamproc.normality.held_out import RawSample, fit_scale
from streamproc.normality.place import fit_rows
from streamproc.normality.size import SizeSample, fit_size
from streamproc.normality.smoothing import Smoother
from streamproc.normality.speed import SpeedSample, measure_speed
from streamproc.testing_footage import Pixels, read_pictures, windows_of
from streamproc.testing_scenes import drawn, light
from streamproc.testing_scenes.cutouts import Sprite
from streamproc.testing_scenes.placing import Placed
from streamproc.testing_scenes.stage import VTEST_OCCLUDERS, Actor, Stage
from streamproc.types import Box

Grey = npt.NDArray[np.uint8]
NORMAL, FPS = 400, 10.0
SETTINGS = NormalitySettings()
ASPECT = 4 / 3


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--no-detector", action="store_true", help="without crowding and size")
    arguments = options.parse_args()
    cv2.setNumThreads(1)
    store = ModelStore()
    pictures = read_pictures(store.ensure("vtest"))
    dwell(pictures)
    direction(pictures)
    if not arguments.no_detector:
        people(pictures, NanoDet(store.ensure("nanodet")))


def dwell(pictures: Sequence[Pixels]) -> None:
    """What stays; the odd thing is there from 10 s to 30 s."""
    normal = [small(picture) for picture in pictures[:NORMAL]]
    reference = np.asarray(np.median(np.stack(normal[::5]), axis=0), np.float32)
    learner, began = DwellLearner(), time.process_time()
    for at, grey in enumerate(normal):
        learner.add(grey, at / FPS)
    model = learner.learned(reference)
    print(
        f"dwell: learned in {time.process_time() - began:.1f} s, {len(model.model_dump_json())} bytes, longest stay "
        f"{max(model.longest_s):.1f} s"
    )
    print(f"{'case':28} {'longest':>8} {'told after':>10} {'gone after':>10} {'ms/frame':>9}")
    stage, rest = Stage(pictures[:NORMAL], VTEST_OCCLUDERS), pictures[NORMAL:]
    noise = np.random.default_rng(1)
    changes: dict[str, Callable[[Sequence[Pixels]], Iterable[Pixels]]] = {
        "as it is": iter,
        "darker, x0.7": lambda p: light.times(p, 0.7),
        "brighter, x1.3": lambda p: light.times(p, 1.3),
        "noise, sigma 6": lambda p: (np.clip(q + noise.normal(0, 6, q.shape), 0, 255).astype(np.uint8) for q in p),
        "shadows of clouds": light.clouds,
        "night": light.night,
    }
    for name, change in changes.items():
        stays(name, reference, DwellMeter(reference, model), change(rest))
    for name, change in changes.items():
        for what, sprite, high_m in (
            ("suitcase", drawn.suitcase(), drawn.SUITCASE_M),
            ("van", drawn.van(), drawn.VAN_M),
        ):
            put = list(left(stage, rest, sprite, high_m))
            stays(f"{what}, {name}", reference, DwellMeter(reference, model), change(put))


def left(stage: Stage, rest: Sequence[Pixels], sprite: Sprite, high_m: float) -> Iterable[Pixels]:
    """``sprite`` stands on the square from 10 s to 30 s."""
    foot = (0.42 * 640, 0.42 * 480)
    scale = high_m * stage.px_per_m(foot[1]) / sprite.size[1]
    return stage.play(rest, [Actor("left", {at: Placed(sprite, foot, scale) for at in range(100, 300)})]).pictures


def stays(name: str, reference: npt.NDArray[np.float32], meter: DwellMeter, pictures: Iterable[Pixels]) -> None:
    """One row."""
    told, longest, cost_s, count = [], 0.0, 0.0, 0
    for count, picture in enumerate(pictures, 1):
        grey, began = small(picture), time.process_time()
        stay = meter.add(grey, count / FPS)
        cost_s += time.process_time() - began
        if stay:
            longest = max(longest, stay.seconds)
            if stay.seconds >= stay.threshold_s:
                told.append(count / FPS)
    first = f"{told[0] - 10:8.1f} s" if told else "nothing"
    gone = f"{told[-1] - 30:8.1f} s" if told else ""
    print(f"{name:28} {longest:6.1f} s {first:>10} {gone:>10} {1000 * cost_s / count:9.2f}", flush=True)


def direction(pictures: Sequence[Pixels]) -> None:
    """Which way; scored by the 90th percentile of the moving cells' surprise, smoothed."""
    samples = speeds(pictures[:NORMAL])
    place = fit_rows(samples)
    if place is None:
        return
    normal = place.normal(samples[0].grid)
    whole = fit_direction(samples, normal)
    judged = sum(1 for passages in whole.passages if passages)
    print(f"\ndirection: {len(whole.model_dump_json())} bytes, {judged} of {len(whole.passages)} places judged")
    folds = [samples[len(samples) * at // 4 : len(samples) * (at + 1) // 4] for at in range(4)]
    held_out = []
    for fold in folds:
        others = [one for other in folds if other is not fold for one in other]
        meter = DirectionMeter(fit_direction(others, normal))
        held_out.append([RawSample(o.run, o.pts_s, o.elapsed_s, strongest(meter, o, normal)) for o in fold])
    scale = fit_scale(held_out, least_value=1.0)
    print(f"threshold {scale.median + scale.threshold * (scale.p99 - scale.median):.2f} nats; smoothed, of the rest:")
    meter = DirectionMeter(whole)
    rest = speeds(pictures[NORMAL:])
    turned = [
        SpeedSample(o.run, o.pts_s, o.elapsed_s, o.grid, o.cells, np.stack([o.vectors[:, 1], -o.vectors[:, 0]], axis=1))
        for o in rest
    ]
    backwards = [SpeedSample(o.run, o.pts_s, o.elapsed_s, o.grid, o.cells, -o.vectors) for o in rest]
    for name, footage in (
        ("as it is", rest),
        ("darker, x0.7", speeds(list(light.times(pictures[NORMAL:], 0.7)))),
        ("everyone the other way", backwards),
        ("everyone turned by 90 degrees", turned),
    ):
        smoother, scores, cost_s = Smoother(), [], 0.0
        for one in footage:
            began = time.process_time()
            value = strongest(meter, one, normal)
            cost_s += time.process_time() - began
            smooth = smoother.add(one.pts_s, value or 0.0)
            if smooth is not None:
                scores.append(scale.score(smooth))
        alarm = float(np.mean(np.array(scores) >= scale.threshold))
        levels = [scale.median + np.percentile(scores, q) * (scale.p99 - scale.median) for q in (50, 99, 100)]
        print(
            f"{name:30} median {levels[0]:.2f} p99 {levels[1]:.2f} max {levels[2]:.2f} alarm {alarm:.0%} of the time, "
            f"{1000 * cost_s / len(footage):.2f} ms/frame"
        )


def strongest(meter: DirectionMeter, sample: SpeedSample, normal: npt.NDArray[np.float32]) -> float | None:
    """None where nothing moves."""
    return float(np.percentile(meter.surprise(sample, normal), 90)) if len(sample.cells) else None


def people(pictures: Sequence[Pixels], detector: NanoDet) -> None:
    """How many, and how large; looked at twice a second, without tracks: neighbouring boxes stand for one."""
    looks = [
        (at / FPS, [one for one in detector.detect(pictures[at]) if one.label == "person" and one.pred_score >= 0.5])
        for at in range(0, len(pictures), 5)
    ]
    cut_s = NORMAL / FPS
    crowds = [CrowdSample(1, at_s, 0.5, tuple(one.box_norm for one in found)) for at_s, found in looks]
    crowding = fit_crowding([one for one in crowds if one.pts_s < cut_s], ASPECT)
    print(f"\ncrowding: {crowding.model_dump_json()}")
    for name, times in (("the rest", 1), ("three times as many", 3)):
        meter, most, alarm = CrowdingMeter(crowding, ASPECT), 0.0, 0
        later = [one for one in crowds if one.pts_s >= cut_s]
        for at, one in enumerate(later):
            others = [box for by in range(times) for box in later[(at + 26 * by) % len(later)].people]
            crowd = meter.add(others, one.pts_s)
            if crowd:
                most, alarm = max(most, crowd.value), alarm + (crowd.score >= crowd.threshold)
        print(f"{name:30} most {most:.1f}, told in {alarm} of {len(later)} looks")
    sized = [
        SizeSample((1, round(at_s)), "person", one.box_norm) for at_s, found in looks for one in found if at_s < cut_s
    ]
    size = fit_size(sized)
    print(f"\nsize: {size.model_dump_json()}")
    rest: list[Box] = [one.box_norm for at_s, found in looks for one in found if at_s >= cut_s]
    for name, grown in (("the rest", 1.0), ("half as large again", 1.5), ("twice as large", 2.0), ("half", 0.5)):
        judged = [size.judge("person", grow(box, grown)) for box in rest]
        scores = [one.score for one in judged if one]
        print(
            f"{name:30} judged {len(scores)} of {len(rest)} boxes, score median {np.median(scores):.2f} p99 "
            f"{np.percentile(scores, 99):.2f}, out of normal {np.mean(np.array(scores) > 1):.1%}"
        )


def grow(box: Box, times: float) -> Box:
    """About its foot."""
    middle, wide, high = (box[0] + box[2]) / 2, (box[2] - box[0]) * times, (box[3] - box[1]) * times
    return (middle - wide / 2, box[3] - high, middle + wide / 2, box[3])


def speeds(pictures: Sequence[Pixels]) -> list[SpeedSample]:
    """As the observer measures them."""
    meter, found = FlowMeter(SETTINGS.flow_width_px), []
    for window in windows_of(pictures):
        for frame in (frame for burst in window.bursts for frame in burst):
            one = measure_speed(meter.add(frame), 1)
            if one is not None:
                found.append(one)
    return found


def small(picture: Pixels) -> Grey:
    """As the flow meter makes it."""
    size = (384, round(picture.shape[0] * 384 / picture.shape[1]))
    return np.asarray(
        cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA), np.uint8
    )


if __name__ == "__main__":
    main()
