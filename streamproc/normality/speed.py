"""Speeds on a coarse grid: flow averaged as a vector over windows of what stands out.

Averaging vectors, not their lengths, cancels swinging limbs and flow's errors and leaves how the whole thing moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.flow import Motion

STRIDE_PX = 4
"""Distance of the grid's cells at flow size."""
_WINDOWS_ACROSS = 22.6
"""Windows side by side across the picture: 17 px of 384, about a person's width in the middle distance. Sizes from 13
to 33 px measured alike."""
_LEAST_SHARE = 0.3
"""Share of a window that must stand out for its speed to count."""

_SWINGS_S = 0.15
"""Between two pictures, beyond which a walker's limbs have swung to and fro: half a stride takes about .5 s, and over
.2 s walkers seem to glide."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeedSample:
    """Speeds where something stood out, at one moment."""

    run: int
    pts_s: float
    elapsed_s: float
    """Media time since the sample before."""
    grid: tuple[int, int]
    """Rows and columns of the grid."""
    cells: npt.NDArray[np.uint32]
    """(n,): places in the grid, row by row."""
    vectors: npt.NDArray[np.float16]
    """(n, 2): x and y, px/s at flow size."""
    spreads: npt.NDArray[np.float16] | None = None
    """(n,): by how much the vectors around a place differ (root mean square), px/s; limbs that swing differ. None where
    that was not measured."""
    gap_s: float = math.inf
    """Between the two pictures that motion was measured in."""

    @property
    def counts_s(self) -> float:
        """For how long it speaks: where frames were passed by since the sample before, for no more than it saw."""
        return min(self.elapsed_s, self.gap_s)

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
    high, wide = motion.foreground.shape
    rows, columns = part = tuple(_reached(motion.foreground, axis, _side_px(wide)) for axis in (1, 0))
    weight = motion.foreground[part].astype(np.float32)
    across, down = cv2.split(motion.velocity[part])
    weighed = cv2.merge((across * weight, down * weight, (across * across + down * down) * weight, weight))
    mean = np.zeros((-(-high // STRIDE_PX), -(-wide // STRIDE_PX), 4), np.float32)
    mean[_cells(rows), _cells(columns)] = _around(weighed, wide)
    counts = _counts(motion, mean[..., 3])
    sums, share = mean[counts], mean[counts][:, 3]
    vectors = sums[:, :2] / share[:, None]
    spreads = None
    if motion.gap_s <= _SWINGS_S:
        spreads = np.sqrt(np.maximum(sums[:, 2] / share - (vectors**2).sum(axis=1), 0.0)).astype(np.float16)
    return _sample(motion, run, counts, vectors.astype(np.float16), spreads)


def places(motion: Motion, run: int) -> SpeedSample:
    """What stands out, as if it stood still; for what needs no motion to be measured."""
    counts = _counts(motion, _around(motion.foreground.astype(np.float32), motion.foreground.shape[1]))
    return _sample(motion, run, counts, np.zeros((int(counts.sum()), 2), np.float16), None)


def _reached(foreground: npt.NDArray[np.bool_], other_axis: int, side_px: int) -> slice:
    """The rows or columns that windows around what stands out reach; the first lies on the grid."""
    there = np.flatnonzero(foreground.any(axis=other_axis))
    first, last = (int(there[0]), int(there[-1])) if len(there) else (0, 0)
    end = min(foreground.shape[1 - other_axis], last + 1 + side_px)
    return slice(max(0, first - side_px) // STRIDE_PX * STRIDE_PX, end)


def _cells(pixels: slice) -> slice:
    return slice(pixels.start // STRIDE_PX, -(-pixels.stop // STRIDE_PX))


def _side_px(wide: int) -> int:
    return round(wide / _WINDOWS_ACROSS) | 1


def _around(picture: npt.NDArray[np.float32], wide: int) -> npt.NDArray[np.float32]:
    """(rows, columns, ...): the mean of the window around each cell, of a picture ``wide`` pixels wide or of a part."""
    side = _side_px(wide)
    return np.asarray(cv2.blur(picture, (side, side))[::STRIDE_PX, ::STRIDE_PX], np.float32)


def _counts(motion: Motion, share: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(rows, columns): whether a cell stands out, and enough of its window with it."""
    return (share > _LEAST_SHARE) & motion.foreground[::STRIDE_PX, ::STRIDE_PX]


def _sample(
    motion: Motion,
    run: int,
    counts: npt.NDArray[np.bool_],
    vectors: npt.NDArray[np.float16],
    spreads: npt.NDArray[np.float16] | None,
) -> SpeedSample:
    return SpeedSample(
        run=run,
        pts_s=motion.pts_s,
        elapsed_s=motion.elapsed_s,
        grid=(counts.shape[0], counts.shape[1]),
        cells=np.flatnonzero(counts).astype(np.uint32),
        vectors=vectors,
        spreads=spreads,
        gap_s=motion.gap_s or math.inf,
    )
