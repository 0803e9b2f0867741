"""Looks alone, where pictures come too seldom for motion to be measured.

Nothing carries them from picture to picture, so they have a level of their own, from held-out looks a second apart; and
only what two looks in a row agree on counts, so that no single picture tells anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from streamproc.normality.calibration import Scale
from streamproc.normality.glimpse import Glimpse
from streamproc.normality.held_out import RawSample, fit_threshold
from streamproc.normality.kinds import Kind, Kinds
from streamproc.normality.novelty import FORGET_S, KindScale, Novelty, Spot
from streamproc.normality.scales import Fold
from streamproc.normality.speed import SpeedSample

_APART_S = 0.95
"""What is learned from comes twice a second; at a picture a second less agrees from look to look."""
_LEAST_LOOKS = 20
"""As of any kind: fewer have no 99th percentile to speak of."""
_LEAST_SCORE = 1.0


class Looks:
    """Follows one camera's looks, told of its glimpses in order."""

    def __init__(self, kinds: Kinds, scales: Mapping[Kind, KindScale]) -> None:
        self._novelty = Novelty(kinds, {"appearance": scales["appearance"]})
        self.reset()

    def reset(self) -> None:
        """Forget all; another run begins."""
        self._novelty.reset()
        self._before, self._at_s = 0.0, -math.inf
        self.value = 0.0
        """What the last two looks agreed on, on the scale of appearance by itself."""
        self.spot: Spot | None = None
        """Where the last one was least like normal footage."""

    def add(self, glimpse: Glimpse) -> None:
        """Take in a glimpse with a look; ``standing`` or, as if it stood still, ``sample`` says what stands out."""
        sample = glimpse.standing or (None if glimpse.sample is None else _stilled(glimpse.sample))
        if sample is None or glimpse.look is None:
            return
        self._novelty.reset()  # each look by itself
        self._novelty.add(replace(glimpse, sample=None, standing=replace(sample, elapsed_s=_APART_S)))
        now, follows = self._novelty.value or 0.0, 0.0 < glimpse.pts_s - self._at_s <= FORGET_S
        self.value, self.spot = (min(now, self._before) if follows else 0.0), self._novelty.spot
        self._before, self._at_s = now, glimpse.pts_s


def fit_looks(folds: Sequence[Fold], scales: Mapping[Kind, KindScale]) -> Scale | None:
    """The level of looks alone, from folds that were not learned from; None where looks are not judged."""
    if "appearance" not in scales:
        return None
    series = [_series(fold, scales) for fold in folds]
    if sum(map(len, series)) < _LEAST_LOOKS or not all(series):
        return None
    return fit_threshold(series, _LEAST_SCORE)


def _series(fold: Fold, scales: Mapping[Kind, KindScale]) -> list[RawSample]:
    looks, found, at_s, run = Looks(fold.kinds, scales), list[RawSample](), -math.inf, None
    for glimpse in fold.glimpses:
        if glimpse.look is None or glimpse.sample is None:
            continue
        if glimpse.run == run and glimpse.pts_s - at_s < _APART_S:
            continue
        elapsed_s = min(FORGET_S, glimpse.pts_s - at_s) if glimpse.run == run else _APART_S
        run, at_s = glimpse.run, glimpse.pts_s
        looks.add(glimpse)
        busy = len(glimpse.sample.cells) > 0
        found.append(RawSample(run, at_s, elapsed_s, looks.value if busy else None))
    return found


def _stilled(sample: SpeedSample) -> SpeedSample:
    return replace(sample, vectors=np.zeros_like(sample.vectors), spreads=None)
