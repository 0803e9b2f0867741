"""The normal speed of a place. Far things move fewer pixels a second than near ones, and the camera's own footage tells
how many: here by image row, as a straight line, which also answers for rows where nobody has walked yet. A field may
take its place: whatever gives a speed for each cell of the grid is a ``Place``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from streamproc.normality.speed import STRIDE_PX, SpeedSample

QUANTILE = 99.0
"""Percentile of the normal footage's speeds that counts as the upper end of normal."""
_BANDS = 16
_LEAST_CELLS = 200
"""Cells a band of rows needs for its percentile to mean something."""
_LEAST_SHARE = 0.25
"""No place's normal speed is below this share of the average: extrapolation must not reach zero."""


class Place(Protocol):
    """Upper end of normal speed, by place."""

    def normal(self, grid: tuple[int, int]) -> npt.NDArray[np.float32]:
        """(rows, columns), px/s at flow size, all above 0."""
        ...


class RowPlace(BaseModel):
    """A straight line over image rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["rows"] = "rows"
    top_px_s: float
    """At the picture's upper edge; may be negative, where the line leaves what was seen."""
    bottom_px_s: float
    """At its lower edge."""
    least_px_s: Annotated[float, Field(gt=0)]
    """Nowhere is it less."""

    def normal(self, grid: tuple[int, int]) -> npt.NDArray[np.float32]:
        """The line, one value a row, the same across."""
        rows, columns = grid
        at = (np.arange(rows, dtype=np.float32) + 0.5) / rows
        line = np.maximum(self.top_px_s + (self.bottom_px_s - self.top_px_s) * at, self.least_px_s)
        return np.repeat(line[:, None], columns, axis=1).astype(np.float32)


class ScaledPlace:
    """A place as it is where motion is measured at another width: what is half as wide is half as fast."""

    def __init__(self, place: Place, width_px: int) -> None:
        """``place`` was measured at a width of ``width_px``."""
        self._place, self._columns = place, -(-width_px // STRIDE_PX)

    def normal(self, grid: tuple[int, int]) -> npt.NDArray[np.float32]:
        """(rows, columns), px/s at the width that ``grid`` has."""
        return np.asarray(self._place.normal(grid) * np.float32(grid[1] / self._columns), np.float32)


def fit_rows(samples: Sequence[SpeedSample]) -> RowPlace | None:
    """The line through the bands' 99th percentiles, weighted by how much was seen there; None where too little was."""
    rows = np.concatenate([sample.rows for sample in samples] or [np.empty(0, np.intp)])
    speeds = np.concatenate([sample.speeds for sample in samples] or [np.empty(0, np.float16)]).astype(np.float64)
    if len(rows) < _LEAST_CELLS:
        return None
    at = (rows + 0.5) / samples[0].grid[0]
    bands = np.minimum((at * _BANDS).astype(np.intp), _BANDS - 1)
    seen = [band for band in range(_BANDS) if np.count_nonzero(bands == band) >= _LEAST_CELLS]
    if len(seen) < 2:
        level = float(np.percentile(speeds, QUANTILE))
        return RowPlace(top_px_s=level, bottom_px_s=level, least_px_s=max(level * _LEAST_SHARE, 1.0))
    centres = np.array([at[bands == band].mean() for band in seen])
    levels = np.array([np.percentile(speeds[bands == band], QUANTILE) for band in seen])
    weights = np.sqrt([np.count_nonzero(bands == band) for band in seen])
    slope, top = np.polyfit(centres, levels, 1, w=weights)
    least = max(float(np.average(levels, weights=weights)) * _LEAST_SHARE, 1.0)
    return RowPlace(top_px_s=float(top), bottom_px_s=float(top + slope), least_px_s=least)
