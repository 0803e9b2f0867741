"""Speeds on a coarse grid: flow averaged as a vector over windows of what stands out.

Averaging vectors, not their lengths, cancels swinging limbs and flow's errors and leaves how the whole thing moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.flow import Motion
from streamproc.types import Box

STRIDE_PX = 4
"""Distance of the grid's cells at flow size."""
_WINDOWS_ACROSS = 22.6
"""Windows side by side across the picture: 17 px of 384, about a person's width in the middle distance. Sizes from 13
to 33 px measured alike."""
_LEAST_SHARE = 0.3
"""Share of a window that must stand out for its speed to count."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeedSample:
    """Speeds where something stood out, at one moment."""

    run: int
    pts_s: float
    elapsed_s: float
    """Media time since the frame before."""
    grid: tuple[int, int]
    """Rows and columns of the grid."""
    cells: npt.NDArray[np.uint32]
    """(n,): places in the grid, row by row."""
    vectors: npt.NDArray[np.float16]
    """(n, 2): x and y, px/s at flow size."""

    @property
    def speeds(self) -> npt.NDArray[np.float32]:
        """(n,): px/s at flow size."""
        return np.hypot(self.vectors[:, 0].astype(np.float32), self.vectors[:, 1].astype(np.float32))

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """(n,): the cells' rows in the grid."""
        return np.asarray(self.cells // self.grid[1], np.intp)

    @property
    def columns(self) -> npt.NDArray[np.intp]:
        """(n,): the cells' columns in the grid."""
        return np.asarray(self.cells % self.grid[1], np.intp)


def measure_speed(motion: Motion, run: int) -> SpeedSample | None:
    """Speeds of what stands out; None where motion could not be measured."""
    if motion.velocity is None:
        return None
    width = motion.foreground.shape[1]
    side = round(width / _WINDOWS_ACROSS) | 1
    weight = motion.foreground.astype(np.float32)
    share = cv2.blur(weight, (side, side))[::STRIDE_PX, ::STRIDE_PX]
    mean = cv2.blur(motion.velocity * weight[..., None], (side, side))[::STRIDE_PX, ::STRIDE_PX]
    counts = (share > _LEAST_SHARE) & motion.foreground[::STRIDE_PX, ::STRIDE_PX]
    cells = np.flatnonzero(counts)
    vectors = mean[counts] / share[counts][:, None]
    grid = (counts.shape[0], counts.shape[1])
    return SpeedSample(run, motion.pts_s, motion.elapsed_s, grid, cells.astype(np.uint32), vectors.astype(np.float16))


@dataclass(frozen=True, slots=True)
class HotSpot:
    """Where something was fastest beside its place's normal speed, at one moment."""

    pts_s: float
    ratio: float
    """Times the place's normal speed."""
    point: tuple[float, float]
    """Normalised (x, y)."""
    box_norm: Box
    """Around what moved about as fast there."""


def hottest(sample: SpeedSample, normal: npt.NDArray[np.float32]) -> HotSpot | None:
    """The fastest cell beside ``normal`` ((rows, columns), px/s); None where nothing stood out."""
    if not len(sample.cells):
        return None
    rows, columns = sample.grid
    ratios = np.zeros(rows * columns, np.float32)
    ratios[sample.cells] = sample.speeds / normal.reshape(-1)[sample.cells]
    peak = int(ratios.argmax())
    row, column = divmod(peak, columns)
    together = (ratios.reshape(rows, columns) >= 0.5 * ratios[peak]) & (ratios.reshape(rows, columns) > 0)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(together.astype(np.uint8), connectivity=8)
    left, top, wide, high = (int(value) for value in stats[labels[row, column]][:4])
    box = (left / columns, top / rows, min(1.0, (left + wide) / columns), min(1.0, (top + high) / rows))
    return HotSpot(sample.pts_s, float(ratios[peak]), ((column + 0.5) / columns, (row + 0.5) / rows), box)
