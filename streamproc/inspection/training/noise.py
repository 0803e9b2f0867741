"""Smooth randomness, from which surfaces and the outlines of defects are made."""

from __future__ import annotations

import cv2
import numpy as np

from streamproc.inspection.nouns import Floats

Rng = np.random.Generator


def perlin(rng: Rng, side: int, cells: tuple[int, int]) -> Floats:
    """Gradient noise (Perlin, 1985; fade of 2002): (side, side) about -1..1 of ``cells`` rows and columns."""
    angles = rng.uniform(0, 2 * np.pi, (cells[0] + 1, cells[1] + 1))
    slopes = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    y = np.linspace(0, cells[0], side, endpoint=False)[:, None]
    x = np.linspace(0, cells[1], side, endpoint=False)[None, :]
    row, column = y.astype(int), x.astype(int)
    dy, dx = y - row, x - column

    def corner(down: int, right: int) -> Floats:
        slope = slopes[row + down, column + right]
        return np.asarray(slope[..., 0] * (dy - down) + slope[..., 1] * (dx - right), np.float32)

    def fade(t: np.ndarray) -> np.ndarray:
        return np.asarray(t * t * t * (t * (t * 6 - 15) + 10))

    across, along = fade(dx), fade(dy)
    upper = corner(0, 0) * (1 - across) + corner(0, 1) * across
    lower = corner(1, 0) * (1 - across) + corner(1, 1) * across
    return np.asarray((upper * (1 - along) + lower * along) * np.sqrt(2), np.float32)


def fractal(rng: Rng, side: int, cells: tuple[int, int] = (4, 4), octaves: int = 4) -> Floats:
    """Octaves of Perlin noise, each twice as fine and half as strong: (side, side), about -1..1."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        rows, columns = (min(count << octave, side // 2) for count in cells)
        total += perlin(rng, side, (max(rows, 1), max(columns, 1))) / 2**octave
    return total


def soft(rng: Rng, side: int, sigma_px: float) -> Floats:
    """Blurred white noise of unit spread: (side, side)."""
    noise = rng.standard_normal((side, side)).astype(np.float32)
    if sigma_px > 0:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma_px), np.float32)
    return np.asarray(noise / (float(noise.std()) or 1.0), np.float32)


def cellular(rng: Rng, side: int, count: int) -> tuple[np.ndarray, Floats, Floats]:
    """Cells about ``count`` random points: whose each pixel is, and how far its two nearest points are."""
    from scipy.spatial import cKDTree  # slow to load, and only drawing needs it

    points = rng.uniform(0, side, (count, 2))
    grid = np.moveaxis(np.mgrid[0:side, 0:side], 0, -1).reshape(-1, 2)
    far, whose = cKDTree(points).query(grid, k=2)
    shape = (side, side)
    return (
        whose[:, 0].reshape(shape),
        far[:, 0].reshape(shape).astype(np.float32),
        far[:, 1].reshape(shape).astype(np.float32),
    )


def spread(values: Floats) -> Floats:
    """The same values moved to 0..1."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low or 1.0), np.float32)
