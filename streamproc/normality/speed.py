"""Speeds on a coarse grid: flow averaged as a vector over windows of what stands out.

Averaging vectors, not their lengths, cancels swinging limbs and flow's errors and leaves how the whole thing moves.
"""

from __future__ import annotations

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
    spreads: npt.NDArray[np.float16] | None = None
    """(n,): by how much the vectors around a place differ (root mean square), px/s; limbs that swing differ. None where
    that was not measured."""

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
    weight, share, side = _shares(motion)
    mean = cv2.blur(motion.velocity * weight[..., None], (side, side))[::STRIDE_PX, ::STRIDE_PX]
    counts = (share > _LEAST_SHARE) & motion.foreground[::STRIDE_PX, ::STRIDE_PX]
    vectors = mean[counts] / share[counts][:, None]
    squared = cv2.blur((motion.velocity**2).sum(axis=2) * weight, (side, side))[::STRIDE_PX, ::STRIDE_PX]
    spreads = np.sqrt(np.maximum(squared[counts] / share[counts] - (vectors**2).sum(axis=1), 0.0))
    return _sample(motion, run, counts, vectors.astype(np.float16), spreads.astype(np.float16))


def places(motion: Motion, run: int) -> SpeedSample:
    """What stands out, as if it stood still; for what needs no motion to be measured."""
    _, share, _ = _shares(motion)
    counts = (share > _LEAST_SHARE) & motion.foreground[::STRIDE_PX, ::STRIDE_PX]
    return _sample(motion, run, counts, np.zeros((int(counts.sum()), 2), np.float16), None)


def _shares(motion: Motion) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], int]:
    """The foreground as numbers, its share of the window around each cell, and the window's side."""
    side = round(motion.foreground.shape[1] / _WINDOWS_ACROSS) | 1
    weight = motion.foreground.astype(np.float32)
    return weight, np.asarray(cv2.blur(weight, (side, side))[::STRIDE_PX, ::STRIDE_PX], np.float32), side


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
    )
