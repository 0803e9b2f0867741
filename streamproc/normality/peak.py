"""Where on the grid something is highest, and what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.speed import SpeedSample
from streamproc.types import Box


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """The highest place of a sample, and its surroundings."""

    at: int
    """Index among the sample's cells."""
    point: tuple[float, float]
    """Its middle, normalised (x, y)."""
    box_norm: Box
    """Around what is at least half as high and touches it."""
    around: npt.NDArray[np.bool_]
    """(cells of the sample,): which ones that is."""


def find_peak(sample: SpeedSample, heights: npt.NDArray[np.float32]) -> Peak | None:
    """Of ``heights`` (cells of the sample,); None where none is above 0."""
    at = int(heights.argmax()) if len(heights) else 0
    if not len(heights) or heights[at] <= 0.0:
        return None
    rows, columns = sample.grid
    together = np.zeros(rows * columns, np.uint8)
    together[sample.cells[heights >= 0.5 * heights[at]]] = 1
    _, labels, stats, _ = cv2.connectedComponentsWithStats(together.reshape(rows, columns), connectivity=8)
    row, column = divmod(int(sample.cells[at]), columns)
    label = labels[row, column]
    left, top, wide, high = (int(value) for value in stats[label][:4])
    return Peak(
        at=at,
        point=((column + 0.5) / columns, (row + 0.5) / rows),
        box_norm=(left / columns, top / rows, min(1.0, (left + wide) / columns), min(1.0, (top + high) / rows)),
        around=labels.reshape(-1)[sample.cells] == label,
    )
