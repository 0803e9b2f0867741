"""How far normal footage comes from second to second, where it was not learned from: what is usual at a camera."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from streamproc.normality.held_out import RawSample

_LEAST = 60
"""Seconds that must have been seen: of fewer the upper percentiles are single moments."""


def fit_usual(folds: Iterable[Iterable[RawSample]], threshold: float) -> tuple[float, ...]:
    """The percentiles 0 to 100 of the seconds' highest scores, in times of ``threshold``; empty where too few seconds
    were seen. ``folds``: smoothed scores of footage that the measures were not learned from."""
    highest: dict[tuple[int, int], float] = {}
    for fold in folds:
        for sample in fold:
            second = (sample.run, math.floor(sample.pts_s))
            highest[second] = max(highest.get(second, 0.0), sample.value or 0.0)
    if len(highest) < _LEAST:
        return ()
    found = np.percentile(np.array(list(highest.values())) / threshold, np.arange(101))
    return tuple(round(float(value), 4) for value in found)
