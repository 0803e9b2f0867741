"""Defects drawn into a flawless picture; each gives the picture with it and (side, side) bool where it is.

Own implementations of known ideas: cut-and-paste after CutPaste (Li et al., CVPR 2021), foreign texture under
Perlin noise after DRAEM (Zavrtanik et al., ICCV 2021); the others are drawn as such flaws look. All take a
generator, the flawless picture, and a donor (another picture of the same side) that some take material from.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from streamproc.inspection.nouns import Floats
from streamproc.inspection.training.noise import Rng, fractal, perlin, soft
from streamproc.inspection.training.pictures import Flawless

Mask = np.ndarray
Defect = Callable[[Rng, Flawless, Floats], tuple[Floats, Mask]]


def _somewhere(rng: Rng, subject: Mask) -> tuple[float, float]:
    """A random place (x, y) on the subject, pixels."""
    places = np.flatnonzero(subject)
    y, x = divmod(int(places[rng.integers(len(places))]), subject.shape[1])
    return float(x), float(y)


def _blob(rng: Rng, side: int, centre: tuple[float, float], radius: float) -> Floats:
    """A ragged patch about ``centre``: (side, side), positive inside, about 1 in its middle."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    angle, long = rng.uniform(0, np.pi), rng.uniform(1, 2.5)
    dx, dy = x - centre[0], y - centre[1]
    u, v = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)
    far = np.sqrt((u / long) ** 2 + (v * np.sqrt(long)) ** 2) / radius
    return np.asarray(1 - far + rng.uniform(0.1, 0.8) * fractal(rng, side, (12, 12), 3), np.float32)


def _size(rng: Rng, side: int, least: float = 0.03, most: float = 0.22) -> float:
    """A radius, pixels: as many small ones as large ones on a logarithmic scale."""
    return float(side * np.exp(rng.uniform(np.log(least), np.log(most))))


def _laid(below: Floats, above: Floats | np.ndarray, cover: Floats) -> Floats:
    return np.asarray(below + np.clip(cover, 0, 1)[..., None] * (above - below), np.float32)


def pasted(rng: Rng, flawless: Flawless, donor: Floats) -> tuple[Floats, Mask]:
    """A piece of the picture itself, or of another, turned and put elsewhere."""
    whole, side = flawless.pixels, len(flawless.pixels)
    source = whole if rng.random() < 0.7 else donor
    height, width = (int(v) for v in side * np.exp(rng.uniform(np.log(0.04), np.log(0.3), 2)))
    top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
    x, y = _somewhere(rng, flawless.subject)
    turn = cv2.getRotationMatrix2D((left + width / 2, top + height / 2), rng.uniform(0, 360), rng.uniform(0.8, 1.25))
    turn[:, 2] += np.array([x - left - width / 2, y - top - height / 2])
    moved = cv2.warpAffine(source, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    piece = np.zeros((side, side), np.float32)
    piece[top : top + height, left : left + width] = 1
    cover = cv2.warpAffine(piece, turn, (side, side))
    moved = np.clip(moved * rng.uniform(0.7, 1.3) + rng.uniform(-0.1, 0.1), 0, 1)
    return _laid(whole, moved, np.asarray(cover, np.float32)), cover > 0.5


def foreign(rng: Rng, flawless: Flawless, donor: Floats) -> tuple[Floats, Mask]:
    """Another material where Perlin noise is high."""
    side = len(flawless.pixels)
    cells = (int(rng.choice([2, 4, 8, 16])), int(rng.choice([2, 4, 8, 16])))
    near = _blob(rng, side, _somewhere(rng, flawless.subject), _size(rng, side, 0.1, 0.4)) > 0
    where = (perlin(rng, side, cells) > rng.uniform(0.15, 0.5)) & near
    cover = cv2.GaussianBlur(where.astype(np.float32), (0, 0), rng.uniform(0.5, 1.5)) * rng.uniform(0.4, 1)
    return _laid(flawless.pixels, donor, np.asarray(cover, np.float32)), where


def _path(rng: Rng, start: np.ndarray, angle: float, length: float, wander: float) -> np.ndarray:
    """A wandering line in steps of 3 pixels: (steps, 2) x, y."""
    steps = max(2, int(length / 3))
    angles = angle + np.cumsum(rng.normal(0, wander, steps))
    return np.asarray(start + np.cumsum(3 * np.stack([np.cos(angles), np.sin(angles)], axis=1), axis=0))


def _line(rng: Rng, cover: np.ndarray, path: np.ndarray, width_px: float) -> None:
    for begin, end in itertools.pairwise(path):
        thick = max(1, round(width_px * rng.uniform(0.6, 1.3)))
        a, b = ((int(p[0] * 8), int(p[1] * 8)) for p in (begin, end))
        cv2.line(cover, a, b, 1.0, thick, cv2.LINE_AA, 3)


def scratch(rng: Rng, flawless: Flawless, _donor: Floats) -> tuple[Floats, Mask]:
    """One or a few nearly straight lines, lighter or darker."""
    side = len(flawless.pixels)
    cover = np.zeros((side, side), np.float32)
    start, angle = np.array(_somewhere(rng, flawless.subject)), rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(1, 4))):
        line = _path(rng, start, angle + rng.normal(0, 0.1), side * rng.uniform(0.1, 0.7), 0.03)
        _line(rng, cover, line, rng.uniform(1, 3))
        start = start + rng.normal(0, 8, 2)
    return _tinted(rng, flawless.pixels, cover), cover > 0.3


def crack(rng: Rng, flawless: Flawless, _donor: Floats) -> tuple[Floats, Mask]:
    """A jagged line that branches, mostly darker."""
    side = len(flawless.pixels)
    cover = np.zeros((side, side), np.float32)
    start, angle = np.array(_somewhere(rng, flawless.subject)), rng.uniform(0, 2 * np.pi)
    stem = _path(rng, start, angle, side * rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.5))
    _line(rng, cover, stem, rng.uniform(1, 3))
    for _ in range(int(rng.integers(0, 5))):
        twig = stem[int(rng.integers(len(stem)))]
        turned = angle + rng.choice([-1, 1]) * rng.uniform(0.4, 1.4)
        _line(rng, cover, _path(rng, twig, turned, side * rng.uniform(0.05, 0.4), 0.3), rng.uniform(1, 2))
    return _tinted(rng, flawless.pixels, cover, darker=0.8), cover > 0.3


def _tinted(rng: Rng, pixels: Floats, cover: Floats, darker: float = 0.5) -> Floats:
    """Where covered, a good deal darker (with probability ``darker``) or lighter."""
    by = rng.uniform(0.2, 0.7) * (-1 if rng.random() < darker else 1)
    return _laid(pixels, np.clip(pixels + by + rng.normal(0, 0.03, 3), 0, 1), cover)


def stain(rng: Rng, flawless: Flawless, _donor: Floats) -> tuple[Floats, Mask]:
    """A spot with a soft edge: dirt, oil, a burn, a shadow that has no cause."""
    side = len(flawless.pixels)
    shape = _blob(rng, side, _somewhere(rng, flawless.subject), _size(rng, side))
    cover = np.clip(shape * rng.uniform(1.5, 10), 0, 1) * rng.uniform(0.4, 1)
    tint: np.ndarray = rng.uniform(0, 1) + (rng.normal(0, 0.25, 3) if rng.random() < 0.5 else np.zeros(3))
    if rng.random() < 0.5:  # what is below shows through
        tint = flawless.pixels * np.clip(tint, 0, 0.7)
    return _laid(flawless.pixels, np.clip(tint, 0, 1), np.asarray(cover, np.float32)), cover > 0.2


def pits(rng: Rng, flawless: Flawless, _donor: Floats) -> tuple[Floats, Mask]:
    """Small holes or burrs close together, each with a lit and a dark side."""
    side = len(flawless.pixels)
    cover = np.zeros((side, side), np.float32)
    x, y = _somewhere(rng, flawless.subject)
    for _ in range(int(rng.integers(1, 9))):
        place = (int(x + rng.normal(0, side * 0.06)), int(y + rng.normal(0, side * 0.06)))
        cv2.circle(cover, place, int(rng.integers(2, 7)), 1.0, -1, cv2.LINE_AA)
    down, right = np.gradient(cv2.GaussianBlur(cover, (0, 0), 1.2))
    light = rng.uniform(0, 2 * np.pi)
    relief = (np.cos(light) * right + np.sin(light) * down) * rng.uniform(0.8, 2)
    marked = flawless.pixels + relief[..., None] - cover[..., None] * rng.uniform(-0.1, 0.5)
    return np.asarray(np.clip(marked, 0, 1), np.float32), cover > 0.3


def missing(rng: Rng, flawless: Flawless, _donor: Floats) -> tuple[Floats, Mask]:
    """A part broken off or never there: what surrounds the subject, or one even colour, in its place."""
    pixels, subject, side = flawless.pixels, flawless.subject, len(flawless.pixels)
    if subject.all():
        where = _blob(rng, side, _somewhere(rng, subject), _size(rng, side, 0.06, 0.3)) > 0.2
        ground = np.full(3, rng.uniform(0, 1)) if rng.random() < 0.6 else pixels.mean(axis=(0, 1))
    else:
        rim = subject & ~cv2.erode(subject.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        where = (_blob(rng, side, _somewhere(rng, rim), _size(rng, side, 0.06, 0.2)) > 0.2) & subject
        ground = pixels[~subject].mean(axis=0)
    fill = ground + 0.02 * soft(rng, side, 1.0)[..., None]
    cover = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 0.7)
    return _laid(pixels, np.clip(fill, 0, 1), np.asarray(cover, np.float32)), where


def bent(rng: Rng, flawless: Flawless, _donor: Floats) -> tuple[Floats, Mask]:
    """Material pushed aside about a place, as by a blow."""
    pixels, side = flawless.pixels, len(flawless.pixels)
    cx, cy = _somewhere(rng, flawless.subject)
    radius = _size(rng, side, 0.08, 0.25)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    pull = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2)).astype(np.float32)
    push, angle = rng.uniform(0.4, 1.2) * radius, rng.uniform(0, 2 * np.pi)
    by_x, by_y = push * pull * np.float32(np.cos(angle)), push * pull * np.float32(np.sin(angle))
    moved = cv2.remap(pixels, x - by_x, y - by_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32), pull > 0.3


def shifted(rng: Rng, flawless: Flawless, _donor: Floats) -> tuple[Floats, Mask]:
    """A strip that slipped along itself."""
    pixels, side = flawless.pixels, len(flawless.pixels)
    x, y = _somewhere(rng, flawless.subject)
    height, length = _size(rng, side, 0.03, 0.2), side * rng.uniform(0.3, 1.5)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    grid_y, grid_x = np.mgrid[0:side, 0:side].astype(np.float32)
    along = (grid_x - x) * np.cos(angle) + (grid_y - y) * np.sin(angle)
    aside = -(grid_x - x) * np.sin(angle) + (grid_y - y) * np.cos(angle)
    where = (np.abs(aside) < height) & (np.abs(along) < length / 2)
    slip = side * rng.uniform(0.03, 0.12)
    moved = cv2.remap(
        pixels,
        (grid_x - np.float32(slip * np.cos(angle))).astype(np.float32),
        (grid_y - np.float32(slip * np.sin(angle))).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return _laid(pixels, moved, where.astype(np.float32)), where


def failed(rng: Rng, flawless: Flawless, _donor: Floats) -> tuple[Floats, Mask]:
    """A part with straight edges that differs in brightness: a dead section, a peeled layer, a wet half."""
    side = len(flawless.pixels)
    x, y = _somewhere(rng, flawless.subject)
    grid_y, grid_x = np.mgrid[0:side, 0:side].astype(np.float32)
    where = np.ones((side, side), bool)
    for _ in range(int(rng.integers(2, 5))):
        angle, margin = rng.uniform(0, 2 * np.pi), side * rng.uniform(0.04, 0.25)
        far = (grid_x - x) * np.cos(angle) + (grid_y - y) * np.sin(angle)
        where &= far + side * 0.02 * perlin(rng, side, (8, 8)) < margin
    where &= np.hypot(grid_x - x, grid_y - y) < side * 0.45
    level = rng.uniform(0.1, 0.75) if rng.random() < 0.75 else rng.uniform(1.3, 1.8)
    cover = cv2.GaussianBlur(where.astype(np.float32), (0, 0), rng.uniform(0.5, 4))
    return _laid(flawless.pixels, np.clip(flawless.pixels * level, 0, 1), np.asarray(cover, np.float32)), where


DEFECTS: Mapping[str, Defect] = {
    defect.__name__: defect for defect in (pasted, foreign, scratch, crack, stain, pits, missing, bent, shifted, failed)
}
"""By name, in the order that a seed counts them."""
