"""Many looks at one thing come to one state: their median, with two thresholds and persistence.

A single look is wrong now and then: a reflection, a hand, a blurred picture. The median of several is not, unless most
of them are; and between the two thresholds the state stays what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_low
from typing import Literal

from streamproc.config import InspectionSettings
from streamproc.inspection.live.findings import Finding, Opinion
from streamproc.inspection.nouns import Pixels
from streamproc.types import Box

State = Literal["ok", "defect"]
LEAST_LOOKS = 3
"""A median of fewer is one look's, or between two. Of an even number of looks it is the lower one of the middle two, so
that only more than half of them can raise a defect."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A crop and what it came to."""

    pixels: Pixels
    box_norm: Box
    sharpness: float
    finding: Finding


class Pool:
    """The looks at one region, or at one track."""

    def __init__(self, settings: InspectionSettings, keeps: Literal["latest", "sharpest"]) -> None:
        self._settings, self._keeps = settings, keeps
        self._kept: list[Look] = []  # oldest first
        self._in_a_row = 0
        self.state: State = "ok"

    @property
    def looks(self) -> int:
        """How many are taken together."""
        return len(self._kept)

    @property
    def times(self) -> float:
        """Their median, in times of the threshold; 0 while there are too few."""
        return median_low(look.finding.times for look in self._kept) if self.looks >= LEAST_LOOKS else 0.0

    @property
    def opinions(self) -> tuple[Opinion, ...]:
        """Each voice's median, the strongest first."""
        said: dict[str, list[Opinion]] = {}
        for look in self._kept:
            for one in look.finding.opinions:
                said.setdefault(one.by, []).append(one)
        pooled = [Opinion(ones[0].by, median_low(one.times for one in ones)) for ones in said.values()]
        return tuple(sorted(pooled, key=lambda one: -one.times))

    @property
    def shown(self) -> Look:
        """The look to show people: the sharpest of those that say at least what the median says.

        Raises:
            ValueError: nothing was looked at yet.
        """
        middle = median_low([look.finding.times for look in self._kept] or [0.0])
        return max((look for look in self._kept if look.finding.times >= middle), key=lambda look: look.sharpness)

    def add(self, look: Look) -> State:
        """Take a further look; what the thing is held to be now."""
        self._kept.append(look)
        if len(self._kept) > self._settings.looks:
            gone = self._kept[0] if self._keeps == "latest" else min(self._kept, key=lambda one: one.sharpness)
            self._kept.remove(gone)
        if self.looks < LEAST_LOOKS:
            return self.state
        self._in_a_row = self._in_a_row + 1 if self.times >= self._settings.defect_at else 0
        if self._in_a_row >= self._settings.persistence:
            self.state = "defect"
        elif self.times < self._settings.ok_at:
            self.state = "ok"
        return self.state
