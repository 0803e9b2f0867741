"""How many people a camera's normal footage had at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamproc.normality.crowding import Count, CrowdingModel, densest
from streamproc.normality.held_out import RawSample, fit_scale
from streamproc.types import Box

_FOLDS = 4
_LEAST_S = 20.0
"""Ten blocks of the Gumbel fit's two seconds."""


@dataclass(frozen=True, slots=True)
class CrowdSample:
    """The people visible at one moment; at least once a second."""

    run: int
    pts_s: float
    elapsed_s: float
    """Since the sample before; 0 for a run's first."""
    people: tuple[Box, ...]


def fit_crowding(samples: Sequence[CrowdSample], aspect: float) -> CrowdingModel:
    """From the normal footage's ``samples``, in order; ``aspect``: the pictures' width over their height."""
    observed_s = sum(sample.elapsed_s for sample in samples if sample.people)
    if observed_s < _LEAST_S:
        return CrowdingModel(
            why_not=f"only {observed_s:.0f} s of normal footage with people in it; {_LEAST_S:.0f} s needed"
        )
    return CrowdingModel(
        people=_count(samples, len), densest=_count(samples, lambda people: densest(people, aspect)[0])
    )


def _count(samples: Sequence[CrowdSample], number: Callable[[tuple[Box, ...]], int]) -> Count:
    """The threshold lies above the most seen by twice the chance of a count of that size (Poisson), at the least:
    where the same few are there all along, their number varies less than that of other passers-by will."""
    raw = [RawSample(one.run, one.pts_s, one.elapsed_s, float(number(one.people))) for one in samples]
    folds = [raw[len(raw) * at // _FOLDS : len(raw) * (at + 1) // _FOLDS] for at in range(_FOLDS)]
    most = max(one.value or 0.0 for one in raw)
    scale = fit_scale(folds, least_value=most + 2.0 * math.sqrt(most))
    threshold = scale.median + scale.threshold * (scale.p99 - scale.median)
    highest = sorted(one.value or 0.0 for one in raw)[math.ceil(0.99 * len(raw)) - 1]
    return Count(median=scale.median, normal=highest, threshold=threshold)
