"""Scale and threshold of a measurement from held-out folds of the normal footage: no fold is judged by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamproc.normality.calibration import FalseAlarms, Scale
from streamproc.normality.earned import Earned
from streamproc.normality.smoothing import Smoother

BLOCK_S = 2.0
"""Longer than an event is smoothed over, so that blocks' maxima are nearly independent."""
LEAST_SPAN = 0.2
"""Of the 99th percentile, between it and the median: however even the footage was, what differs by less than a fifth is
the measurement's own noise and nothing that people would call another speed or look."""
_RULE_OF_THREE = 3.0
_EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class RawSample:
    """A measurement at one moment, before smoothing."""

    run: int
    pts_s: float
    elapsed_s: float
    value: float | None
    """None where nothing moved."""


def fit_scale(folds: Sequence[Sequence[RawSample]], least_value: float) -> Scale:
    """Median to 0 and 99th percentile to 1 while something moves; and the threshold.

    It is the largest of three: the level that maxima over two seconds reach once an hour (Gumbel, by moments), the
    highest smoothed score plus the range of the folds' highest, and the score of ``least_value``, below which the
    measurement must not speak however still the footage was.
    """
    middle, high = median_and_p99([sample.value for fold in folds for sample in fold if sample.value is not None])
    maxima = [_block_maxima(_smoothed(fold), middle, high) for fold in folds]
    tops = [max(fold) for fold in maxima if fold]
    level = _one_hour_level(folds, maxima)
    top, spread = max(tops), max(tops) - min(tops)
    return Scale(
        median=middle,
        p99=high,
        threshold=max(level, top + spread, (least_value - middle) / (high - middle)),
        held_out_max=top,
        held_out_range=spread,
        one_hour_level=level,
    )


def fit_threshold(folds: Sequence[Sequence[RawSample]], least: float) -> Scale:
    """The threshold of scores that are scaled and smoothed already: the largest of the level that they reach once an
    hour, of all of them, and of ``least``.
    """
    maxima = [_block_maxima([(s, s.value or 0.0) for s in fold], 0.0, 1.0) for fold in folds]
    tops = [max(fold) for fold in maxima if fold]
    level = _one_hour_level(folds, maxima)
    return Scale(
        median=0.0,
        p99=1.0,
        threshold=max(level, *tops, least),
        held_out_max=max(tops),
        held_out_range=max(tops) - min(tops),
        one_hour_level=level,
    )


def earned(found: Scale, why: str, silent: bool) -> Earned:
    """For a measurement that speaks by itself, with the threshold that was ``found``."""
    return Earned(
        threshold=found.threshold,
        held_out_max=found.held_out_max,
        one_hour_level=found.one_hour_level,
        why=why,
        silent=silent,
    )


def median_and_p99(values: Sequence[float]) -> tuple[float, float]:
    """What becomes 0 and 1; never the same."""
    middle, high = float(np.median(values)), float(np.percentile(values, 99))
    if high - middle < 1e-6:
        return middle, middle + max(abs(middle), 1.0)
    return middle, max(high, middle + LEAST_SPAN * abs(high))


def _one_hour_level(folds: Sequence[Sequence[RawSample]], maxima: Sequence[Sequence[float]]) -> float:
    """The score that such footage, as busy as it was, reaches once an hour."""
    busy = [sample.elapsed_s for fold in folds for sample in fold if sample.value is not None]
    observed_s = sum(sample.elapsed_s for fold in folds for sample in fold)
    blocks_per_hour = 3600.0 / BLOCK_S * sum(busy) / observed_s
    return gumbel_level(np.array([top for fold in maxima for top in fold]), blocks_per_hour)


def gumbel_level(maxima: npt.NDArray[np.float64], blocks: float) -> float:
    """The level that one of ``blocks`` further block maxima exceeds on average, after a Gumbel fit by moments."""
    width = float(maxima.std()) * math.sqrt(6.0) / math.pi
    mode = float(maxima.mean()) - _EULER * width
    return mode - width * math.log(-math.log1p(-1.0 / max(blocks, 2.0)))


def false_alarms(scale: Scale, observed_s: float) -> FalseAlarms:
    """What ``observed_s`` of held-out footage without an alarm is worth; the threshold lies above all of it."""
    hours = observed_s / 3600.0
    rests_on_level = scale.threshold <= scale.one_hour_level
    return FalseAlarms(
        count=0, hours=hours, upper_per_hour=_RULE_OF_THREE / hours, extrapolated=rests_on_level and hours < 1.0
    )


def _smoothed(fold: Sequence[RawSample]) -> Iterator[tuple[RawSample, float]]:
    smoother = Smoother()
    run: int | None = None
    for sample in fold:
        if sample.run != run:
            smoother.reset()
            run = sample.run
        value = smoother.add(sample.pts_s, sample.value or 0.0)
        yield sample, -math.inf if value is None else value


def _block_maxima(smoothed: Iterable[tuple[RawSample, float]], middle: float, high: float) -> list[float]:
    """Highest smoothed score of each two seconds in which something moved."""
    maxima: dict[tuple[int, int], float] = {}
    busy: set[tuple[int, int]] = set()
    for sample, value in smoothed:
        block = (sample.run, math.floor(sample.pts_s / BLOCK_S))
        if sample.value is not None:
            busy.add(block)
        if value > -math.inf:
            maxima[block] = max(maxima.get(block, -math.inf), (value - middle) / (high - middle))
    return [maxima[block] for block in maxima if block in busy]
