"""Surfaces drawn by code: (side, side, 3) float32 RGB 0..1, never twice the same.

Each takes a generator and a side in pixels. They stand in for what inspection cameras see close up: wood, metal, cloth,
leather, stone, tiles, boards with tracks, cells with lines, mesh, paper, tissue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from streamproc.inspection.nouns import Floats
from streamproc.inspection.training.noise import Rng, cellular, fractal, perlin, soft, spread

Surface = Callable[[Rng, int], Floats]


def colour(rng: Rng, low: float = 0.05, high: float = 0.95, *, grey: float = 0.5) -> Floats:
    """A random colour (3,), for the most part muted; wholly grey with probability ``grey``."""
    level = rng.uniform(low, high)
    tint = np.zeros(3) if rng.random() < grey else rng.normal(0, 0.12, 3)
    return np.array(np.clip(level + tint, 0, 1), np.float32)


def between(amount: Floats, first: Floats, second: Floats) -> Floats:
    """Two colours mixed by ``amount`` (side, side) 0..1."""
    return np.asarray(first + np.clip(amount, 0, 1)[..., None] * (second - first), np.float32)


def _near(rng: Rng, first: Floats, by: float) -> Floats:
    other = first + rng.choice([-1, 1]) * rng.uniform(by / 2, by) + rng.normal(0, 0.02, 3)
    return np.asarray(np.clip(other, 0, 1), np.float32)


def wood(rng: Rng, side: int) -> Floats:
    """Grain along one direction, bent, with finer fibres."""
    along = np.linspace(0, rng.uniform(6, 20), side, dtype=np.float32)[:, None]
    rings = np.sin(2 * np.pi * (along + rng.uniform(0.3, 1.5) * fractal(rng, side, (3, 1), 3)))
    fibres = fractal(rng, side, (48, 3), 2)
    base = np.clip(np.array([0.55, 0.38, 0.22]) * rng.uniform(0.6, 1.6) + rng.normal(0, 0.04, 3), 0, 1)
    first = base.astype(np.float32)
    drawn = between(0.5 + 0.35 * rings + 0.4 * fibres, first, np.asarray(first * rng.uniform(0.5, 0.85), np.float32))
    return np.rot90(drawn).copy() if rng.random() < 0.5 else drawn


def metal(rng: Rng, side: int) -> Floats:
    """Brushed in one direction, or sand-blasted, with a soft sheen."""
    rows = int(rng.integers(60, 110))
    brushed = fractal(rng, side, (rows, int(rng.integers(1, 4))), 1) if rng.random() < 0.7 else soft(rng, side, 0.8)
    sheen = perlin(rng, side, (2, 2))
    first = colour(rng, 0.3, 0.8, grey=0.8)
    drawn = first + (rng.uniform(0.03, 0.12) * brushed + rng.uniform(0.0, 0.15) * sheen)[..., None]
    return np.asarray(np.rot90(drawn).copy() if rng.random() < 0.5 else drawn, np.float32)


def weave(rng: Rng, side: int) -> Floats:
    """Threads over and under each other."""
    period = rng.uniform(5, 18)
    bend = rng.uniform(0, 0.6) * fractal(rng, side, (3, 3), 2)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / period
    y, x = y + bend, x + rng.uniform(0, 0.6) * fractal(rng, side, (3, 3), 2)
    over = (np.floor(y) + rng.integers(1, 4) * np.floor(x)) % 2 > 0
    threads = np.where(over, np.abs(np.sin(np.pi * y)), np.abs(np.sin(np.pi * x)))
    first = colour(rng)
    return between(threads + 0.1 * soft(rng, side, 0.7), first, _near(rng, first, 0.4))


def leather(rng: Rng, side: int) -> Floats:
    """Cells with creases between them."""
    _, nearest, second = cellular(rng, side, int(rng.integers(200, 1500)))
    crease = np.clip((second - nearest) / rng.uniform(2, 5), 0, 1)
    first = colour(rng)
    return between(crease + 0.15 * fractal(rng, side, (6, 6), 3), np.asarray(first * 0.6, np.float32), first)


def crystals(rng: Rng, side: int) -> Floats:
    """Straight-edged grains that differ in brightness, as in zinc, granite or cast silicon."""
    whose, nearest, second = cellular(rng, side, int(rng.integers(15, 160)))
    bright = rng.uniform(0, 1, int(whose.max()) + 1).astype(np.float32)[whose]
    drawn = bright * rng.uniform(0.3, 1) + rng.uniform(0, 0.5) * spread(fractal(rng, side, (5, 5), 4))
    edge = np.clip(second - nearest, 0, 1) if rng.random() < 0.4 else 1.0
    first = colour(rng, 0.2, 0.8, grey=0.8)
    return between(np.asarray(drawn * edge, np.float32), first, _near(rng, first, rng.uniform(0.1, 0.4)))


def tiles(rng: Rng, side: int) -> Floats:
    """Bricks or tiles with joints, each a little different."""
    height, width = rng.uniform(20, 70, 2)
    joint = rng.uniform(1.5, 5)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    row = np.floor(y / height)
    x = x + (row % 2) * width * rng.choice([0.0, 0.5])
    column = np.floor(x / width)
    y_in, x_in = y % height, x % width
    gap = np.minimum(np.minimum(y_in, height - y_in), np.minimum(x_in, width - x_in)) < joint / 2
    levels = rng.normal(0, 0.04, (200, 200)).astype(np.float32)[row.astype(int) % 200, column.astype(int) % 200]
    first = colour(rng)
    face = first + (levels + rng.uniform(0.02, 0.1) * fractal(rng, side, (8, 8), 4))[..., None]
    return np.asarray(np.where(gap[..., None], _near(rng, first, 0.4), face), np.float32)


def stone(rng: Rng, side: int) -> Floats:
    """Clouds and specks: concrete, terrazzo, marble."""
    first = colour(rng, 0.2, 0.9)
    clouds = rng.uniform(0.05, 0.3) * fractal(rng, side, (3, 3), 5)
    specks = soft(rng, side, rng.uniform(0.6, 2.0)) > rng.uniform(1.2, 2.5)
    drawn = first + clouds[..., None]
    return np.asarray(np.where(specks[..., None], _near(rng, first, 0.3), drawn), np.float32)


def paint(rng: Rng, side: int) -> Floats:
    """Nearly even: lacquer, plastic, glass."""
    uneven = rng.uniform(0.0, 0.05) * soft(rng, side, rng.uniform(1, 6)) + rng.uniform(0, 0.08) * perlin(
        rng, side, (2, 2)
    )
    return np.asarray(colour(rng, grey=0.4) + uneven[..., None], np.float32)


def paper(rng: Rng, side: int) -> Floats:
    """Short fibres in all directions: paper, felt, fleece."""
    drawn = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(300, 1200))):
        start, angle, length = rng.uniform(0, side, 2), rng.uniform(0, np.pi), rng.uniform(4, 22)
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(drawn, _point(start), _point(end), float(rng.uniform(0.2, 1)), 1, cv2.LINE_AA)
    first = colour(rng)
    return between(drawn, first, _near(rng, first, 0.2))


def mesh(rng: Rng, side: int) -> Floats:
    """Holes in rows, or crossing wires."""
    period, share = rng.uniform(10, 36), rng.uniform(0.25, 0.42)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    x = x + (np.floor(y / period) % 2) * period * rng.choice([0.0, 0.5])
    y_in, x_in = y % period - period / 2, x % period - period / 2
    far = np.hypot(y_in, x_in) if rng.random() < 0.6 else np.maximum(np.abs(y_in), np.abs(x_in))
    hole = np.clip(share * period - far + 0.5, 0, 1).astype(np.float32)
    first, second = colour(rng), colour(rng)
    face = first + 0.05 * soft(rng, side, 0.8)[..., None]
    return np.asarray(face + hole[..., None] * (second - face), np.float32)


def board(rng: Rng, side: int) -> Floats:
    """A printed circuit: tracks that turn by right angles, round pads, black parts with legs."""
    first = np.clip(np.array([0.08, 0.35, 0.15]) * rng.uniform(0.5, 1.8) + rng.normal(0, 0.08, 3), 0, 1)
    drawn = np.full((side, side, 3), first, np.float32)
    track, pad = np.clip(first * 1.5 + 0.05, 0, 1), np.clip(np.array([0.75, 0.7, 0.5]) + rng.normal(0, 0.08, 3), 0, 1)
    for _ in range(int(rng.integers(8, 30))):
        place = rng.integers(0, side // 8, 2) * 8
        for _ in range(int(rng.integers(1, 5))):
            step = int(rng.integers(2, 10)) * 8 * int(rng.choice([-1, 1]))
            onward = place + (np.array([step, 0]) if rng.random() < 0.5 else np.array([0, step]))
            cv2.line(drawn, _point(place), _point(onward), track.tolist(), int(rng.integers(1, 4)))
            place = onward
        cv2.circle(drawn, _point(place), int(rng.integers(3, 6)), pad.tolist(), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(1, 6))):
        left, top = rng.integers(0, side - 30, 2)
        width, height = rng.integers(16, 60, 2)
        for leg in range(int(left) + 3, int(left + width) - 2, 7):
            cv2.rectangle(drawn, (leg, int(top) - 5), (leg + 2, int(top + height) + 5), pad.tolist(), -1)
        dark = float(rng.uniform(0.02, 0.3))
        cv2.rectangle(drawn, _point((left, top)), _point((left + width, top + height)), (dark, dark, dark), -1)
    return np.asarray(drawn + 0.02 * soft(rng, side, 0.8)[..., None], np.float32)


def lined(rng: Rng, side: int) -> Floats:
    """A cell with fine lines across and a few broad bars along it, on an even or a crystalline ground."""
    ground = (crystals if rng.random() < 0.5 else paint)(rng, side) * rng.uniform(0.5, 1.0)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    fine = 1 - rng.uniform(0.02, 0.2) * (np.sin(2 * np.pi * y / rng.uniform(4, 12)) > rng.uniform(0.5, 0.9))
    bars, width = int(rng.integers(2, 6)), rng.uniform(1.5, 6)
    off = np.abs((x * bars / side) % 1 - 0.5) * side / bars
    bar = np.clip(width / 2 - off + 0.5, 0, 1)
    drawn = ground * fine[..., None]
    drawn = drawn + bar[..., None] * (colour(rng, 0.0, 0.9, grey=0.9) - drawn)
    edge = np.minimum(np.minimum(x, side - x), np.minimum(y, side - y))
    frame = np.clip(edge / rng.uniform(1, 12), rng.uniform(0, 0.6), 1)
    drawn = drawn * frame[..., None]
    return np.asarray(np.rot90(drawn).copy() if rng.random() < 0.5 else drawn, np.float32)


def tissue(rng: Rng, side: int) -> Floats:
    """Soft folds and lobes, as in medical pictures."""
    bent = fractal(rng, side, (4, 4), 3)
    folds = np.sin(2 * np.pi * (rng.uniform(1, 4) * bent + perlin(rng, side, (3, 3)) * rng.uniform(1, 4)))
    drawn = 0.5 + 0.3 * folds + 0.3 * fractal(rng, side, (8, 8), 3)
    first = colour(rng)
    return between(np.asarray(drawn, np.float32), first, _near(rng, first, 0.4))


SURFACES: Mapping[str, Surface] = {
    drawing.__name__: drawing
    for drawing in (*(wood, metal, weave, leather, crystals, tiles, stone, paint, paper, mesh, board, lined, tissue),)
}
"""By name, in the order that a seed counts them."""


def _point(place: np.ndarray | tuple[float, ...]) -> tuple[int, int]:
    return int(place[0]), int(place[1])
