"""What is said of a camera's view when vtest.avi is moved, covered, darkened or shaken, and what is not.

    python tests/benchmarks/normality_view.py [--ped2 FOLDER]

Learns from the first 40 s of vtest.avi (fetched on first use); from the rest each change lasts for 10 s after 8 s as it
is, and is taken back for 8 s. Then the camera shakes, and the fastest window's speed is compared with that of the still
camera. With ``--ped2`` (a folder with the UCSD Ped2 clips as train/*.mp4) every other clip is learned and the rest is
watched. One thread; times are processor time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.models.store import ModelStore
from streamproc.normality.background import Background
from streamproc.normality.flow import Motion
from streamproc.normality.shake import background_shift, steadied
from streamproc.normality.speed import measure_speed
from streamproc.normality.structure import coarse, fine, likeness, structure
from streamproc.normality.view import View
from streamproc.normality.view_reference import ViewLearner, ViewReference
from streamproc.testing_footage import Pixels, read_pictures

Change = Callable[[Pixels], Pixels]
Grey = npt.NDArray[np.uint8]
RNG = np.random.default_rng(0)


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--ped2", type=Path, help="folder with train/*.mp4")
    arguments = options.parse_args()
    cv2.setNumThreads(1)
    pictures = read_pictures(ModelStore().ensure("vtest"))
    reference = learned("vtest, first 40 s", [pictures[:400]])
    if reference is None:
        return
    print(f"{'change':28} {'likeness':>8} {'said after':>10} {'gone after':>10}  words")
    for name, change in CHANGES.items():
        row(name, reference, pictures[400:660], change)
    print()
    shaken(pictures[:200])
    if arguments.ped2:
        ped2(arguments.ped2)


def learned(name: str, runs: Sequence[Sequence[Pixels]]) -> ViewReference | None:
    """The reference of ``runs``, printed."""
    learner, began = ViewLearner(), time.process_time()
    for run in runs:
        learner.begin_run()
        for index, picture in enumerate(run):
            learner.add(small(picture), index / 10)
    reference = learner.learned()
    if reference is None:
        print(f"{name}: no reference")
        return None
    print(
        f"{name}: learned in {time.process_time() - began:.1f} s, {len(reference.model_dump_json())} bytes, "
        f"least likeness {reference.least_likeness:.2f}, least sharpness {reference.least_sharpness:.2f}"
    )
    return reference


def row(name: str, reference: ViewReference, pictures: Sequence[Pixels], change: Change) -> None:
    """One change from 8 s to 18 s."""
    view = View(reference)
    said = [
        (index / 10, view.add(small(change(picture) if 80 <= index < 180 else picture), index / 10))
        for index, picture in enumerate(pictures)
    ]
    # The same median of five, half a second apart, as is compared.
    middle = np.median([fine(small(change(picture))) for picture in pictures[130:155:5]], axis=0).astype(np.float32)
    alike = likeness(structure(coarse(middle)), structure(reference.grey.astype(np.float32)))
    first = next((at_s for at_s, why_not in said if why_not), None)
    gone = next((at_s for at_s, why_not in said if at_s >= 18.0 and why_not is None), None)
    words = dict.fromkeys(why_not for _, why_not in said if why_not)
    if first is None:
        print(f"{name:28} {alike:8.2f} {'nothing':>10}")
    else:
        print(f"{name:28} {alike:8.2f} {first - 8:8.1f} s {(gone or 99) - 18:8.1f} s  {' / '.join(words)}")


def shaken(pictures: Sequence[Pixels]) -> None:
    """The fastest window's speed as it is measured, and with the camera's own motion taken out."""
    print(
        "shake, px of 768                 shift, px/s   rest, px/s   fastest window, px/s at 384: as it is    steadied"
    )
    for kind, most in (
        *(("shift", n) for n in (0, 1, 2, 4, 6, 12, 24, 48)),
        *(("turn", n) for n in (0.3, 1, 3)),
    ):
        shifts, rests, raw, steady, cost_s = [], [], [], [], 0.0
        for motion in motions(pictures, kind, most):
            if motion.velocity is None:
                continue
            began = time.process_time()
            shift = background_shift(motion.velocity, motion.foreground)
            if shift is None:
                continue
            velocity = steadied(motion.velocity, shift)
            cost_s += time.process_time() - began
            shifts.append(float(np.hypot(shift.across, shift.down)))
            rests.append(shift.rest)
            raw.append(fastest(motion))
            steady.append(fastest(Motion(motion.pts_s, motion.elapsed_s, velocity, motion.foreground, 0.0)))
        unit = "degrees" if kind == "turn" else "px"
        print(
            f"{kind} up to {most:>4} {unit:8} {spread(shifts):>24} {spread(rests):>12} {spread(raw):>34} "
            f"{spread(steady):>16}   {1000 * cost_s / max(1, len(shifts)):.2f} ms"
        )
    print("each: median / 95th percentile over 20 s")


def motions(pictures: Sequence[Pixels], kind: str, most: float) -> Iterator[Motion]:
    """Motion between neighbouring pictures of a camera that shakes."""
    meter = cv2.DISOpticalFlow.create(cv2.DISOpticalFlow_PRESET_FAST)
    random, background, before = np.random.default_rng(0), Background(), None
    for index, picture in enumerate(pictures):
        across, down = random.uniform(-most, most, 2) * picture.shape[1] / 768
        shook = warped(picture, turn_deg=across) if kind == "turn" else moved(picture, across, down)
        grey = small(shook)
        foreground = background.foreground(grey.astype(np.float32), 0.1)
        flow = None if before is None else np.asarray(-meter.calc(grey, before, None) * 10, np.float32)
        yield Motion(index / 10, 0.1, flow, foreground, 0.0)
        before = grey


def ped2(folder: Path) -> None:
    """Another camera, whose footage is many short clips."""
    clips = [read_pictures(path) for path in sorted((folder / "train").glob("*.mp4"))]
    reference = learned("Ped2, every other train clip", clips[::2])
    if reference is None:
        return
    view = View(reference)
    said, seconds = [], 0.0
    for clip in clips[1::2]:
        said += [view.add(small(picture), seconds + index / 10) for index, picture in enumerate(clip)]
        seconds += len(clip) / 10
    print(f"the other clips, {seconds:.0f} s: said {sorted({why_not for why_not in said if why_not}) or 'nothing'}")


def small(picture: Pixels) -> Grey:
    """As the flow meter makes it."""
    size = (384, round(picture.shape[0] * 384 / picture.shape[1]))
    return np.asarray(
        cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA), np.uint8
    )


def warped(picture: Pixels, right: float = 0.0, down: float = 0.0, zoom: float = 1.0, turn_deg: float = 0.0) -> Pixels:
    """The same camera, turned, in shares of the picture; what it cannot show is mirrored."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, zoom)
    matrix[:, 2] += (right * width, down * height)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def moved(picture: Pixels, across_px: float, down_px: float) -> Pixels:
    """Shifted by so many of its own pixels."""
    return warped(picture, across_px / picture.shape[1], down_px / picture.shape[0])


def bounded(values: npt.NDArray[np.floating]) -> Pixels:
    """As 8-bit pixels."""
    return np.clip(values, 0, 255).astype(np.uint8)


def noisy(picture: npt.NDArray[np.floating] | Pixels, sigma: float) -> Pixels:
    """With a camera's noise."""
    return bounded(picture + RNG.normal(0, sigma, picture.shape))


def lamp(picture: Pixels) -> npt.NDArray[np.float64]:
    """A pool of light, 0..1."""
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    return np.asarray(np.exp(-(((x - 400) / 150) ** 2) - ((y - 300) / 120) ** 2)[..., None], np.float64)


def rain(picture: Pixels) -> Pixels:
    """400 bright streaks, elsewhere in each picture."""
    shown = picture.copy()
    for x, y in RNG.integers((0, 0), (picture.shape[1], picture.shape[0]), (400, 2)).tolist():
        cv2.line(shown, (x, y), (x - 2, y + 14), (200, 200, 200), 1)
    return shown


def hidden(picture: Pixels, share: float) -> Pixels:
    """The left ``share`` behind something plain."""
    shown = picture.copy()
    shown[:, : round(share * picture.shape[1])] = 90
    return shown


def blurred(picture: Pixels, sigma_px: float) -> Pixels:
    """Out of focus; ``sigma_px`` of 768."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px * picture.shape[1] / 768), np.uint8)


def fastest(motion: Motion) -> float:
    """Speed of the fastest window, px/s; 0 where nothing stands out."""
    sample = measure_speed(motion, 1)
    return float(sample.speeds.max()) if sample is not None and len(sample.cells) else 0.0


def spread(values: Sequence[float]) -> str:
    """Median and 95th percentile."""
    return f"{np.median(values):.1f} / {np.percentile(values, 95):.1f}"


CHANGES: dict[str, Change] = {
    "as it is": lambda p: p,
    "darker, x0.7": lambda p: bounded(p * 0.7),
    "brighter, x1.3": lambda p: bounded(p * 1.3),
    "dusk, x0.3": lambda p: bounded(p * 0.3),
    "dusk under one lamp": lambda p: bounded(p * (0.25 + lamp(p))),
    "a shadow over a third": lambda p: bounded(p * np.where(np.arange(p.shape[1]) < p.shape[1] / 3, 0.5, 1.0)[:, None]),
    "haze, contrast x0.25": lambda p: bounded(p * 0.25 + 140),
    "rain": rain,
    "camera noise, sigma 12": lambda p: noisy(p, 12),
    "shake, 6 px": lambda p: moved(p, *RNG.uniform(-5, 5, 2)),
    "night, x0.1, noise 4": lambda p: noisy(p * 0.1, 4),
    "night, x0.04, noise 3": lambda p: noisy(p * 0.04, 3),
    "blur, sigma 2 px": lambda p: blurred(p, 2),
    "blur, sigma 5 px": lambda p: blurred(p, 5),
    "blur, sigma 10 px": lambda p: blurred(p, 10),
    "covered": lambda p: hidden(p, 1.0),
    "a third hidden": lambda p: hidden(p, 1 / 3),
    "two thirds hidden": lambda p: hidden(p, 2 / 3),
    "shift 1 %": lambda p: warped(p, right=0.01),
    "shift 2 %": lambda p: warped(p, right=0.02),
    "shift 5 %": lambda p: warped(p, right=0.05),
    "shift 10 %, 5 % down": lambda p: warped(p, right=-0.1, down=0.05),
    "shift 20 %": lambda p: warped(p, right=0.2),
    "zoom 1.02": lambda p: warped(p, zoom=1.02),
    "zoom 1.1": lambda p: warped(p, zoom=1.1),
    "zoom 0.85": lambda p: warped(p, zoom=0.85),
    "rotation 1 degree": lambda p: warped(p, turn_deg=1.0),
    "rotation 3 degrees": lambda p: warped(p, turn_deg=3.0),
    "shift 10 % at dusk": lambda p: bounded(warped(p, right=0.1) * 0.3),
    "another place (mirrored)": lambda p: np.ascontiguousarray(p[:, ::-1]),
}


if __name__ == "__main__":
    main()
