"""Something that goes a way which nothing goes there: surprise at directions, carried along with what moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from streamproc.normality.carried import Carried
from streamproc.normality.direction import DirectionMeter, DirectionModel
from streamproc.normality.earned import Earned
from streamproc.normality.peak import find_peak
from streamproc.normality.speed import SpeedSample
from streamproc.types import Box

_CARRIED_S = 0.5
"""Time constant: half a step of a walk sways to the side, a step and more do not."""
_FORGET_S = 2.0
"""After a longer pause what was before tells nothing about now."""


class KnownDirections(BaseModel):
    """Which ways are gone, and from when on another is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: DirectionModel
    earned: Earned | None = None
    """None where directions are not judged; the model says why."""

    @property
    def why_not(self) -> str:
        """Why none is told; empty where it is."""
        return self.model.why_not or (self.earned.why if self.earned is not None and self.earned.silent else "")


@dataclass(frozen=True, slots=True)
class Heading:
    """What goes the least usual way."""

    nats: float
    """By which its way is less probable there than ways there are on average."""
    point: tuple[float, float]
    """Normalised (x, y)."""
    box_norm: Box


class HeadingMeter:
    """Follows one camera, told of its samples in order."""

    def __init__(self, model: DirectionModel) -> None:
        self._meter = DirectionMeter(model)
        self._carried = Carried([_CARRIED_S])
        self.reset()

    def reset(self) -> None:
        """Forget all; another run begins."""
        self._carried.reset()
        self._run: int | None = None
        self._at_s = -math.inf

    @property
    def most(self) -> float:
        """The most that anything could come to."""
        return self._meter.most

    def add(self, sample: SpeedSample, normal: npt.NDArray[np.float32]) -> Heading | None:
        """Take in the next; None where nothing moves or all go as usual. About 0.5 ms.

        ``normal``: (rows, columns) of the sample's grid, px/s.
        """
        if sample.run != self._run or not 0 <= sample.pts_s - self._at_s <= _FORGET_S:
            self.reset()
        self._run, self._at_s = sample.run, sample.pts_s
        means = self._carried.add(sample, self._meter.surprise(sample, normal)[:, None])[:, 0]
        peak = find_peak(sample, means)
        return None if peak is None else Heading(float(means[peak.at]), peak.point, peak.box_norm)
