"""Footage in other light: sun and clouds, lamps, night."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.testing_footage import Pixels
from streamproc.testing_scenes.scene import to_pixels

_Values = npt.NDArray[np.float32]


def times(pictures: Iterable[Pixels], gain: float) -> Iterator[Pixels]:
    """Darker or brighter all along."""
    for picture in pictures:
        yield to_pixels(picture * np.float32(gain))


def dims(pictures: Sequence[Pixels], to: float = 0.5, begin: int = 60, over: int = 200) -> Iterator[Pixels]:
    """From picture ``begin`` on the light goes to ``to`` times its strength within ``over`` pictures, and stays."""
    for index, picture in enumerate(pictures):
        way = min(1.0, max(0.0, (index - begin) / over))
        yield to_pixels(picture * np.float32(1.0 + (to - 1.0) * way))


def switched(pictures: Sequence[Pixels], at: Sequence[int] = (100, 220), gain: float = 0.55) -> Iterator[Pixels]:
    """Lamps go out and on again from one picture to the next, each time at a number in ``at``."""
    for index, picture in enumerate(pictures):
        out = sum(index >= one for one in at) % 2 == 1
        yield to_pixels(picture * np.float32(gain)) if out else picture


def night(pictures: Iterable[Pixels], *, gain: float = 0.22, noise: float = 7.0, seed: int = 2) -> Iterator[Pixels]:
    """Little light: dark tones crushed (gamma 1.3), colours pale and bluish, and the noise of a high sensor gain."""
    random = np.random.default_rng(seed)
    tint = np.array([0.92, 0.97, 1.1], np.float32)
    for picture in pictures:
        lit = 255.0 * gain * (picture.astype(np.float32) / 255.0) ** 1.3
        grey = lit.mean(axis=2, keepdims=True)
        pale = (0.45 * lit + 0.55 * grey) * tint
        grain = random.standard_normal(picture.shape[:2], np.float32)[..., None] * np.float32(noise)
        yield to_pixels(pale + 6.0 + grain)


def headlights(pictures: Iterable[Pixels], *, sweep: int = 45, pause: int = 40, seed: int = 3) -> Iterator[Pixels]:
    """Night, and every so often the light of a car that is not to be seen sweeps over the ground."""
    for index, picture in enumerate(night(pictures, seed=seed)):
        at = index % (sweep + pause)
        if at >= sweep:
            yield picture
            continue
        height, width = picture.shape[:2]
        way = at / (sweep - 1)
        centre = ((-0.3 + 1.6 * way) * width, (0.62 + 0.08 * np.sin(3 * way)) * height)
        cone = _spot((height, width), centre, (0.30 * width, 0.13 * height))
        # What is lit shows its own brightness again: the light multiplies, and a haze of it adds.
        warm = np.array([1.0, 0.95, 0.8], np.float32)
        yield to_pixels(picture * (1.0 + 2.6 * cone[..., None] * warm) + 38.0 * cone[..., None] * warm)


def clouds(pictures: Sequence[Pixels], *, depth: float = 0.45, speed: float = 0.012, seed: int = 4) -> Iterator[Pixels]:
    """Shadows of clouds drift over the ground, ``speed`` of the picture's width a picture."""
    height, width = pictures[0].shape[:2]
    random = np.random.default_rng(seed)
    coarse = random.random((5, 16), np.float32)
    wide = cv2.resize(np.hstack([coarse, coarse[:, :4]]), (round(width * 5), height), interpolation=cv2.INTER_CUBIC)
    shade = 1.0 / (1.0 + np.exp(-(wide - 0.55) * 14.0))
    for index, picture in enumerate(pictures):
        left = int(index * speed * width) % (width * 4)
        yield to_pixels(picture * (1.0 - depth * shade[:, left : left + width, None]))


def neon(pictures: Iterable[Pixels], *, depth: float = 0.15, seed: int = 5) -> Iterator[Pixels]:
    """A sign and its glow on one side flicker irregularly, as a bad tube does."""
    random = np.random.default_rng(seed)
    lit = 1.0
    for picture in pictures:
        height, width = picture.shape[:2]
        lit = float(random.random() ** 2) if random.random() < 0.6 else lit
        glow = _spot((height, width), (0.68 * width, 0.28 * height), (0.2 * width, 0.3 * height))[..., None]
        colour = np.array([1.0, 0.35, 0.8], np.float32)
        yield to_pixels(picture * (1.0 + depth * lit * glow) + 60.0 * depth * lit * glow * colour)


def _spot(size: tuple[int, int], centre: tuple[float, float], spread: tuple[float, float]) -> _Values:
    rows, columns = np.ogrid[: size[0], : size[1]]
    x, y = (columns - centre[0]) / spread[0], (rows - centre[1]) / spread[1]
    return np.asarray(np.exp(-(x * x + y * y)), np.float32)
