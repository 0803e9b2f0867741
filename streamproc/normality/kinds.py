"""What is measured of each place that stands out, before it is compared with normal footage."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from streamproc.normality.glimpse import Glimpse
from streamproc.normality.memory import Recall
from streamproc.normality.place import Place
from streamproc.normality.speed import SpeedSample

Kind = Literal["speed", "glide", "appearance"]
KINDS: Final[tuple[Kind, ...]] = ("speed", "glide", "appearance")
"""The columns of ``Kinds.values``."""
UNITS: Final[dict[Kind, str]] = {
    "speed": "times the normal speed here",
    "glide": "of its motion even",
    "appearance": "times the normal strangeness of looks here",
}
GLIDE_SPREADS = 1.5
"""Spreads that are taken from a speed for the glide: limbs that swing spread the flow by about two thirds of a walk's
speed, so that what walks comes to little and what rolls keeps its speed. Found by the prototype on normal walkers."""

_Floats = npt.NDArray[np.float32]


class Kinds:
    """Measures by one camera's place and memory."""

    def __init__(self, place: Place, recall: Recall | None) -> None:
        """Without ``recall`` appearance is not measured."""
        self._place, self._recall = place, recall
        self._normal: tuple[tuple[int, int], _Floats] = ((0, 0), np.empty(0, np.float32))

    def normal(self, grid: tuple[int, int]) -> _Floats:
        """(rows, columns): the upper end of normal speed, px/s at flow size."""
        if self._normal[0] != grid:
            self._normal = (grid, self._place.normal(grid))
        return self._normal[1]

    def values(self, sample: SpeedSample, glimpse: Glimpse) -> _Floats:
        """(cells of the sample, kinds): speed and glide in multiples of the place's normal speed, appearance as
        ``Recall.distances`` tells it; NaN where a kind was not measured, as between two looks, or before anything is
        known to move."""
        values = np.full((len(sample.cells), len(KINDS)), np.nan, np.float32)
        if sample is glimpse.sample:
            normal, speeds = self.normal(sample.grid).reshape(-1)[sample.cells], sample.speeds
            values[:, 0] = speeds / normal
        if sample is glimpse.sample and sample.spreads is not None:
            values[:, 1] = (speeds - GLIDE_SPREADS * sample.spreads.astype(np.float32)) / normal
        if self._recall is not None and glimpse.look is not None and glimpse.look.texture is not None:
            far = self._recall.distances(glimpse.look.texture)
            rows = sample.rows * far.shape[0] // sample.grid[0]
            columns = sample.columns * far.shape[1] // sample.grid[1]
            found = far[rows, columns]
            values[:, 2] = np.where(found > 0, found, np.nan)
        return values


def largest(values: _Floats) -> npt.NDArray[np.float64]:
    """(kinds,): the largest of each kind in ``values`` as ``Kinds.values`` gives them; NaN where none was measured."""
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=0, initial=-np.inf).astype(np.float64)
    return np.where(np.isfinite(highest), highest, np.nan)


def evenness(values: _Floats) -> _Floats:
    """(n,): how much of the speed is left as glide, 0..1, for ``values`` as ``Kinds.values`` gives them; what walks has
    limbs that swing, and less is left."""
    return np.asarray(np.clip(values[:, 1] / np.maximum(values[:, 0], 1e-6), 0.0, 1.0), np.float32)
