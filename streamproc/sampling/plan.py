"""When to look: bursts of neighbouring frames, by media time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from streamproc.config import SamplingSettings

NEIGHBOUR_S = 0.6
"""Frames further apart are no neighbours: motion between them cannot be measured, so each is a burst alone."""
_ASKED = 64
"""Wanted frames that are remembered until they come."""
WATCHED_S = 1.0
"""Without a rest: motion needs a while to be measured."""
_EARLY = 0.1
"""Share of a burst's period by which a frame may come early and still start it: cameras' clocks jitter."""

Step = Literal["start", "join", "skip"]


class BurstPlan:
    """Picks frames of one run, told of each in the order of presentation.

    Time is divided into slots of ``1 / bursts_per_s``. A burst starts at the first frame of a slot and takes the frames
    that follow until it has ``burst_frames``; a slow camera's every frame is taken.
    """

    def __init__(self, settings: SamplingSettings, rest_s: Callable[[], float] = lambda: 0.0) -> None:
        """``rest_s`` is asked after each second that was watched for how long none is, and meanwhile whether still."""
        self._rest_s = rest_s
        self._window_s = settings.window_s
        self._watched = math.ceil(max(WATCHED_S, 2 / settings.bursts_per_s) / settings.window_s - 1e-6)
        self._watched_from, self._rests_until, self._rested_to = -1, 0, -1
        self.rested = 0
        """Windows that were not looked at."""
        self._steps: dict[float, Step] = {}
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

    @property
    def due_s(self) -> float:
        """Media time before which no frame will be looked at."""
        if self._left:
            return -math.inf
        rests_until_s = self._rests_until * self._window_s - _EARLY * self._period_s
        return max(rests_until_s, (self._next_slot - _EARLY) * self._period_s)

    def due_by(self, keyframe_s: float, every_s: float) -> float:
        """The same where the next keyframe is expected at ``keyframe_s``: not before that one, if it is waited for."""
        return self.due_s if self.wants_before(keyframe_s, every_s) else max(self.due_s, keyframe_s)

    def wants(self, pts_s: float, keyframe_s: float = math.inf, every_s: float = math.inf) -> bool:
        """Whether the frame at ``pts_s`` will be looked at.

        ``keyframe_s`` is when the next keyframe is expected, ``pts_s`` itself for one, and ``every_s`` how far apart
        they are. Where each slot has one, it is waited for; elsewhere only one that is as late as a frame may be early.
        """
        step = self.step(pts_s, keyframe_s, every_s)
        if step != "skip":
            self._steps[pts_s] = step
            if len(self._steps) > _ASKED:
                del self._steps[next(iter(self._steps))]
        return step != "skip"

    def told(self, pts_s: float) -> Step | None:
        """What the frame at ``pts_s``, that was wanted, does; None if it was not asked about, or long ago."""
        return self._steps.pop(pts_s, None)

    def follow(self, pts_s: float, step: Step) -> Step:
        """Take over ``step`` from the plan that was asked; what joins a burst whose first never came, starts one."""
        if step == "join" and self._left:
            self._left -= 1
        else:
            self._next_slot = max(self._next_slot, math.floor(pts_s / self._period_s + _EARLY) + 1)
            self._left = self._frames - 1 if step == "start" else 0
            step = "start"
        self._before_s = pts_s
        return step

    def wants_before(self, keyframe_s: float, every_s: float) -> bool:
        """Whether a frame that is still to come, before the keyframe at ``keyframe_s``, will be looked at."""
        if self._left:
            return True
        return self.due_s < keyframe_s and not self._in_time(keyframe_s, self._next_slot, every_s)

    def step(self, pts_s: float, keyframe_s: float = math.inf, every_s: float = math.inf) -> Step:
        """What the frame at ``pts_s`` does: start a burst, join the present one, or neither."""
        joins = self._left > 0 and pts_s - self._before_s <= NEIGHBOUR_S
        self._before_s = pts_s
        if joins:
            self._left -= 1
            return "join"
        self._left = 0
        slot = math.floor(pts_s / self._period_s + _EARLY)
        if slot < self._next_slot or (pts_s < keyframe_s and self._in_time(keyframe_s, slot, every_s)):
            return "skip"
        if self._rests(slot):
            return "skip"
        self._next_slot = slot + 1
        self._left = self._frames - 1
        return "start"

    def _rests(self, slot: int) -> bool:
        window = self._window_of(slot)
        if window < self._rests_until and self._rest_s() > 0:
            if window > self._rested_to:
                self.rested += 1
                self._rested_to = window
            return True
        if self._watched_from < self._rests_until:
            self._watched_from, self._rests_until = window, min(window, self._rests_until)
        elif window - self._watched_from >= self._watched:
            self._watched_from = window
            rest_s = self._rest_s()
            if rest_s > 0:
                self._rests_until = window + math.ceil(rest_s / self._window_s)
                self.rested += 1
                self._rested_to = window
                return True
        return False

    def _window_of(self, slot: int) -> int:
        # A slot's time is a multiple of its period, not exactly so in floating point.
        return math.floor(slot * self._period_s / self._window_s + 1e-6)

    def _in_time(self, keyframe_s: float, slot: int, every_s: float) -> bool:
        """Whether the keyframe at ``keyframe_s`` is soon enough to be the slot's frame."""
        late = 1 - _EARLY if every_s <= self._period_s else _EARLY
        return keyframe_s < (slot + late) * self._period_s
