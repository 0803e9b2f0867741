"""Evidence carried along with what moves.

What is measured at a place is averaged over time, not where it was but where it went: each moment, every place looks up
what it was a moment ago, against the flow. So a glitch of one frame counts little, something that goes on is believed,
what was seen of a thing at one look stays with it until the next, and what leaves takes its evidence along.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.speed import STRIDE_PX, SpeedSample

_Floats = npt.NDArray[np.float32]
_MOST_ACROSS = 32_000
"""Places that OpenCV looks up in one row: a sixteenth as many pixels, by far more than stand out at 384 px."""


class Carried:
    """Running means of several scores, a set for each place of the grid."""

    def __init__(
        self, time_constants_s: Sequence[float], most_steps: Sequence[float] | None = None, sparse: Sequence[int] = ()
    ) -> None:
        """Of the mean of each score, in seconds of media time.

        ``most_steps``: by how much a single moment may raise it, however much was measured; without end by default.
        ``sparse``: the scores that are measured now and then, and stand for the time since they were; others stand for
        the time since the frame before, and one that comes after a pause counts for no more than it saw.
        """
        self._constants_s = tuple(time_constants_s)
        self._sparse = frozenset(sparse)
        self._most_steps = tuple(most_steps) if most_steps is not None else (math.inf,) * len(self._constants_s)
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        self._means = np.zeros((0, 0, len(self._constants_s)), np.float32)
        """(rows, columns, scores)."""
        self._fresh_s = [-math.inf] * len(self._constants_s)

    def add(self, sample: SpeedSample, fresh: _Floats) -> _Floats:
        """Take in ``fresh`` (cells of the sample, scores), NaN where nothing is new, and return the means likewise.

        A mean begins from 0: of what only came into view nothing is presumed. About 0.5 ms.
        """
        if self._means.shape[:2] != sample.grid:
            self._means = np.zeros((*sample.grid, len(self._constants_s)), np.float32)
        means = self._looked_up(sample)
        for i, constant_s in enumerate(self._constants_s):
            new = ~np.isnan(fresh[:, i])
            if new.any():
                elapsed_s = min(max(0.0, sample.pts_s - self._fresh_s[i]), constant_s)
                if i not in self._sparse:
                    elapsed_s = min(elapsed_s, sample.counts_s)
                step = -math.expm1(-elapsed_s / constant_s) * (fresh[new, i] - means[new, i])
                means[new, i] += np.minimum(step, np.float32(self._most_steps[i]))
                self._fresh_s[i] = sample.pts_s
        self._means = np.zeros_like(self._means)
        self._means.reshape(-1, len(self._constants_s))[sample.cells] = means
        return means

    def _looked_up(self, sample: SpeedSample) -> _Floats:
        """(cells, scores): the means where each cell's thing was at the sample before."""
        if not len(sample.cells):
            return np.empty((0, self._means.shape[2]), np.float32)
        steps = sample.vectors.astype(np.float32) * (sample.elapsed_s / STRIDE_PX)
        columns = (sample.columns - steps[:, 0]).astype(np.float32)
        rows = (sample.rows - steps[:, 1]).astype(np.float32)
        before = [
            self._at(columns[at : at + _MOST_ACROSS], rows[at : at + _MOST_ACROSS])
            for at in range(0, len(rows), _MOST_ACROSS)
        ]
        return before[0] if len(before) == 1 else np.concatenate(before)

    def _at(self, columns: _Floats, rows: _Floats) -> _Floats:
        """(n, scores): the means at those places, 0 outside the grid."""
        found = cv2.remap(self._means, columns[None], rows[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(found, np.float32).reshape(len(rows), -1)
