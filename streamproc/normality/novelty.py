"""How unlike normal footage what moves is: several kinds of evidence, summed where they meet.

Each kind is scaled by what held-out normal footage measured (0 its median, 1 its 99th percentile, of the largest value
of each frame), carried along with what moves, and counts from the median up: what is merely normal takes nothing from
what is not. The sum of them is the score; the largest of a frame, smoothed, is the frame's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from streamproc.normality.carried import Carried
from streamproc.normality.glimpse import Glimpse
from streamproc.normality.kinds import KINDS, UNITS, Kind, Kinds, evenness, largest
from streamproc.normality.peak import find_peak
from streamproc.normality.speed import SpeedSample
from streamproc.types import Box, Part

_Floats = npt.NDArray[np.float32]
CARRIED_S: dict[Kind, float] = {"speed": 0.28, "glide": 0.28, "appearance": 0.72}
"""Time constants of what is carried: shares of .3 a frame at 10 frames/s, and of .5 a look at two looks/s."""
MOST_STEPS: dict[Kind, float] = {"speed": 0.8, "glide": 0.8, "appearance": math.inf}
"""By which a single moment may raise what is carried. Where footage jumps, flow is nonsense of any size; so both kinds
of motion together stay below the least threshold, 1, at 10 frames/s, however large it is."""
SMOOTHING_S = 0.144
"""Of a frame's score: a share of .5 at 10 frames/s, so that no single frame tells anything."""
FORGET_S = 2.0
"""After a longer pause what was before tells nothing about now."""
_FIRST_S = 0.1
"""That a run's first frame is taken to have lasted."""
_LEAST_SHARE = 0.1
"""Of the score that a part must bring to be told."""


class KindScale(BaseModel):
    """What normal footage measured of one kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    median: float
    """Of the frames' largest values: score 0."""
    p99: float
    """Their 99th percentile: score 1."""
    weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    """What it counts; less where held-out normal footage came far above its own 99th percentile."""
    one_hour_level: float
    """Score that it reaches by itself once an hour, after held-out normal footage."""
    why: str | None = None
    """Why it counts less than in full, in words."""
    evenness: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of glide alone: the upper end of how even the motion of what moves is, 0..1; what walks is less even."""


_NOT_MEASURED = KindScale(median=0.0, p99=1.0, weight=0.0, one_hour_level=0.0)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something was least like normal footage, at one moment."""

    pts_s: float
    score: float
    """At that place, before smoothing over frames."""
    point: tuple[float, float]
    """Normalised (x, y)."""
    box_norm: Box
    """Around what is about as unlike it there."""
    parts: tuple[Part, ...]
    """By what, the largest share first."""


class Novelty:
    """Follows one camera's score, told of its glimpses in order."""

    def __init__(self, kinds: Kinds, scales: Mapping[Kind, KindScale]) -> None:
        """Kinds without a scale are not measured on this camera."""
        self.kinds = kinds
        self._scales = [scales.get(kind) for kind in KINDS]
        known = [scale or _NOT_MEASURED for scale in self._scales]
        self._low = np.array([scale.median for scale in known], np.float32)
        self._span = np.array([scale.p99 - scale.median for scale in known], np.float32)
        self._weight = np.array([scale.weight for scale in known], np.float32)
        self._carried = Carried(
            [CARRIED_S[kind] for kind in KINDS],
            [MOST_STEPS[kind] for kind in KINDS],
            sparse=[KINDS.index("appearance")],
        )
        self.reset()

    def reset(self) -> None:
        """Forget all; another run begins."""
        self._carried.reset()
        self._run: int | None = None
        self._at_s = -math.inf
        self._value = 0.0
        self.unsmoothed = 0.0
        """The last glimpse's score by itself."""
        self.value: float | None = None
        """The score as of the last glimpse, smoothed; None before motion was measured."""
        self.spot: Spot | None = None
        """Where it was highest; None where nothing stands out."""
        self.by_kind: _Floats = np.zeros(len(KINDS), np.float32)
        """(kinds,): the highest scores of each kind by itself, weights left out, as of the last glimpse."""
        self.largest: npt.NDArray[np.float64] = np.full(len(KINDS), np.nan)
        """(kinds,): the largest of what the last glimpse measured, as it was measured; NaN for what was not."""

    def add(self, glimpse: Glimpse) -> None:
        """Take in the camera's next glimpse; one in which nothing could be measured only passes the time."""
        sample = glimpse.sample or glimpse.standing
        if sample is None:
            return
        if glimpse.run != self._run or not 0 <= glimpse.pts_s - self._at_s <= FORGET_S:
            self.reset()
            # As if the moment before had shown nothing: a run's first frame counts half, as any other.
            self._run, self._at_s = glimpse.run, glimpse.pts_s - max(sample.elapsed_s, _FIRST_S)
        values = self.kinds.values(sample, glimpse)
        self.largest = largest(values)
        fresh = (values - self._low) / self._span
        means = self._carried.add(sample, fresh)
        self.by_kind = np.maximum(means, 0.0).max(axis=0, initial=0.0)
        score, self.spot = self._highest(sample, means)
        self.unsmoothed = score
        passed_s = min(glimpse.pts_s - self._at_s, max(sample.counts_s, _FIRST_S))
        self._value += -math.expm1(-passed_s / SMOOTHING_S) * (score - self._value)
        self._at_s, self.value = glimpse.pts_s, self._value

    def _highest(self, sample: SpeedSample, means: _Floats) -> tuple[float, Spot | None]:
        shares = np.maximum(means, 0.0) * self._weight
        sums = shares.sum(axis=1)
        peak = find_peak(sample, sums)
        if peak is None:
            return 0.0, None
        around = means[peak.around].mean(axis=0) * self._span + self._low
        score, parts = float(sums[peak.at]), self._parts(shares[peak.at], evenness(around[None])[0])
        return score, Spot(sample.pts_s, score, peak.point, peak.box_norm, parts)

    def _parts(self, shares: _Floats, even: float) -> tuple[Part, ...]:
        """``even``: how even the motion around the peak is, 0..1."""
        parts = []
        total = float(shares.sum())
        for i in np.argsort(-shares, kind="stable"):
            scale, share = self._scales[i], float(shares[i]) / total
            if scale is None or share < _LEAST_SHARE:
                continue
            kind = KINDS[i]
            if kind == "glide":
                parts.append(Part(kind, float(even), UNITS[kind], scale.evenness, share))
                continue
            value = scale.median + float(shares[i]) / scale.weight * (scale.p99 - scale.median)
            # Speed is told beside the place's own normal, of which it is a multiple; the others beside the footage's.
            normal = 1.0 if kind == "speed" else scale.p99
            parts.append(Part(kind, value / normal, UNITS[kind], 1.0, share))
        return tuple(parts)
