"""Pictures with and without defects, all drawn from one seed; number i of a seed is the same picture for ever.

They come in pairs: picture 2k is flawless and 2k + 1 is the same scene with a defect, seen anew by the camera. So
nothing but the defect tells the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from streamproc.inspection.nouns import Pixels
from streamproc.inspection.training.defects import DEFECTS
from streamproc.inspection.training.noise import Rng
from streamproc.inspection.training.pictures import Flawless, Kind, draw, names
from streamproc.inspection.training.shooting import shoot

SHARES: Mapping[Kind, float] = {"surface": 0.55, "thing": 0.3, "photograph": 0.15}
"""How often each kind of scene is drawn: surfaces and things are what inspection sees."""
LEAST_CHANGE = 0.06
"""A defect must change its pixels by 6 % of full scale on average, or nobody could see it, and is drawn anew."""
AREA = (0.0006, 0.35)
"""Least and most share of the picture that a defect covers: 30 pixels of 224 x 224, and a third."""
TRIES = 20
"""After so many invisible defects a stain in plain sight takes their place, so that drawing ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture to learn from."""

    pixels: Pixels
    mask: np.ndarray
    """(side, side) bool: where it is defective; nowhere in a flawless one."""
    label: int
    """1 with a defect, 0 without."""
    scene: str
    """What it shows, e.g. ``wood``."""
    defect: str
    """Which defect, e.g. ``scratch``; ``none`` in a flawless one."""


def example(seed: int, number: int, side: int) -> Example:
    """Picture ``number`` of ``seed``: (side, side, 3), flawless if the number is even."""
    scene_rng = np.random.default_rng([seed, number // 2, 0])
    camera_rng = np.random.default_rng([seed, number // 2, 1 + number % 2])
    flawless = _scene(scene_rng, side)
    if number % 2 == 0:
        nowhere = np.zeros((side, side), bool)
        return Example(shoot(camera_rng, flawless.pixels), nowhere, 0, flawless.name, "none")
    donor = _scene(scene_rng, side).pixels
    pixels, mask, defect = _damaged(scene_rng, flawless, donor)
    return Example(shoot(camera_rng, pixels), mask, 1, flawless.name, defect)


def _scene(rng: Rng, side: int) -> Flawless:
    kinds = tuple(SHARES)
    pool = names(kinds[int(rng.choice(len(kinds), p=tuple(SHARES.values())))])
    return draw(rng, side, pool[int(rng.integers(len(pool)))])


def _damaged(rng: Rng, flawless: Flawless, donor: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """The scene with one visible defect on its subject."""
    reach = cv2.dilate(flawless.subject.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    for _ in range(TRIES):
        name = tuple(DEFECTS)[int(rng.integers(len(DEFECTS)))]
        pixels, mask = DEFECTS[name](rng, flawless, donor)
        pixels = np.where(reach[..., None], pixels, flawless.pixels)
        mask = mask & reach
        change = np.abs(pixels - flawless.pixels).mean(axis=2)
        if AREA[0] <= mask.mean() <= AREA[1] and change[mask].mean() >= LEAST_CHANGE:
            return pixels, mask, name
    y, x = np.argwhere(flawless.subject).mean(axis=0)
    rows, columns = np.mgrid[0 : len(reach), 0 : len(reach)]
    mask = np.hypot(rows - y, columns - x) < len(reach) * 0.05
    return np.where(mask[..., None], 1 - flawless.pixels.round(), flawless.pixels), mask, "stain"
