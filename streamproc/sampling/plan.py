"""When to look: bursts of neighbouring frames, by media time."""

from __future__ import annotations

import math
from typing import Literal

from streamproc.config import SamplingSettings

NEIGHBOUR_S = 0.6
"""Frames further apart are no neighbours: motion between them cannot be measured, so each is a burst alone."""
_EARLY = 0.1
"""Share of a burst's period by which a frame may come early and still start it: cameras' clocks jitter."""

Step = Literal["start", "join", "skip"]


class BurstPlan:
    """Picks frames of one run, told of each in the order of presentation.

    Time is divided into slots of ``1 / bursts_per_s``. A burst starts at the first frame of a slot and takes the frames
    that follow until it has ``burst_frames``; a slow camera's every frame is taken.
    """

    def __init__(self, settings: SamplingSettings) -> None:
        self._period_s = 1.0 / settings.bursts_per_s
        self._frames = settings.burst_frames
        self._left = 0
        self._next_slot = 0
        self._before_s = -math.inf

    @property
    def slot_s(self) -> float:
        """Media time at which the slot of the present burst begins."""
        return (self._next_slot - 1) * self._period_s

    @property
    def next_slot_s(self) -> float:
        """Media time at which the next burst is due."""
        return self._next_slot * self._period_s

    @property
    def is_whole(self) -> bool:
        """Whether the present burst takes no further frames."""
        return self._left == 0

    def wants(self, pts_s: float) -> bool:
        """Whether the frame at ``pts_s`` will be looked at."""
        return self.step(pts_s) != "skip"

    def step(self, pts_s: float) -> Step:
        """What the frame at ``pts_s`` does: start a burst, join the present one, or neither."""
        joins = self._left > 0 and pts_s - self._before_s <= NEIGHBOUR_S
        self._before_s = pts_s
        if joins:
            self._left -= 1
            return "join"
        self._left = 0
        slot = math.floor(pts_s / self._period_s + _EARLY)
        if slot < self._next_slot:
            return "skip"
        self._next_slot = slot + 1
        self._left = self._frames - 1
        return "start"
