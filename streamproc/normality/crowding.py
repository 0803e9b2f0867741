"""How many people are there at once, and how closely together, beside the most that normal footage had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from streamproc.normality.smoothing import Smoother
from streamproc.types import Box

_TOGETHER = 1.5
"""Body heights between two people's middles up to which they count as being together: about 2.5 m."""


class Count(BaseModel):
    """Normal numbers of people, from held-out parts of the normal footage."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    median: Annotated[float, Field(ge=0)]
    normal: Annotated[float, Field(ge=0)]
    """99th percentile: the upper end of normal."""
    threshold: Annotated[float, Field(gt=0)]
    """Smoothed number from which it is told."""


class CrowdingModel(BaseModel):
    """How many people the normal footage had."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    why_not: str = ""
    """Why crowding is not judged, in words; empty where it is."""
    people: Count | None = None
    """At once, in the whole picture."""
    densest: Count | None = None
    """Together at one spot."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many people are there now."""

    value: float
    """Smoothed number."""
    known: Count
    """What is normal."""
    box_norm: Box | None
    """Around those who are together; None where it is the whole picture's number."""

    @property
    def score(self) -> float:
        """0 the normal footage's median, 1 its 99th percentile; at least a person lies between."""
        return (self.value - self.known.median) / max(self.known.normal - self.known.median, 1.0)

    @property
    def threshold(self) -> float:
        """Score from which it is told."""
        return (self.known.threshold - self.known.median) / max(self.known.normal - self.known.median, 1.0)


class CrowdingMeter:
    """Counts one camera's people beside its normal footage's."""

    def __init__(self, model: CrowdingModel, aspect: float) -> None:
        """``aspect``: the picture's width over its height."""
        self.why_not = model.why_not
        """Why nothing is judged; empty where it is."""
        self._model, self._aspect = model, aspect
        self._people, self._densest = Smoother(hold_s=0.0), Smoother(hold_s=0.0)

    def begin_run(self) -> None:
        """After a reconnect."""
        self._people.reset()
        self._densest.reset()

    def add(self, people: Sequence[Box], pts_s: float) -> Crowd | None:
        """Whichever number is higher beside its threshold; of the people visible at ``pts_s``, at least once a second.

        None before there were three of them, and where nothing is judged.
        """
        count, box = densest(people, self._aspect)
        values = self._people.add(pts_s, len(people)), self._densest.add(pts_s, count)
        crowds = [
            Crowd(value, known, place)
            for value, known, place in zip(values, (self._model.people, self._model.densest), (None, box), strict=True)
            if value is not None and known is not None
        ]
        return max(crowds, key=lambda crowd: crowd.value / crowd.known.threshold, default=None)


def densest(people: Sequence[Box], aspect: float) -> tuple[int, Box | None]:
    """The most who are together, and the box around them; 0 and None where nobody is.

    Near and far are told from how tall people are in the picture: together is who is within ``_TOGETHER`` body heights.
    ``aspect``: the picture's width over its height.
    """
    if not people:
        return 0, None
    boxes = np.array(people, np.float64)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 * (aspect, 1.0)
    tall = boxes[:, 3] - boxes[:, 1]
    apart = np.hypot(*(middles[:, None] - middles[None]).transpose(2, 0, 1))
    together = apart <= _TOGETHER * (tall[:, None] + tall[None]) / 2
    most = together[int(together.sum(axis=1).argmax())]
    low, high = boxes[most, :2].min(axis=0), boxes[most, 2:].max(axis=0)
    return int(most.sum()), (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
