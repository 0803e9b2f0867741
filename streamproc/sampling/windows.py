"""Frames become windows."""

from __future__ import annotations

import math

from streamproc.config import SamplingSettings
from streamproc.sampling.plan import BurstPlan, Step
from streamproc.types import Frame, Window


class WindowBuilder:
    """Groups one camera's sampled frames into windows of ``window_s`` of media time, never across runs.

    A burst belongs to the window in which its slot begins, so none is split; a window is handed on as soon as no burst
    that belongs to it can follow.
    """

    def __init__(self, settings: SamplingSettings) -> None:
        self._settings = settings
        self._run: int | None = None
        self._begin_run(0)
        self._run = None

    def _begin_run(self, run: int) -> None:
        self._run = run
        self._plan = BurstPlan(self._settings)
        self._index = 0
        self._number = 0
        self._bursts: list[list[Frame]] = []

    def add(self, frame: Frame, told: Step | None = None) -> list[Window]:
        """The windows that ``frame`` completes, oldest first: none mostly; two where it also begins a new run.

        ``told`` is what it does by the plan that chose it, where there was one.
        """
        done: list[Window] = []
        if frame.run != self._run:
            done += self.flush()
            self._begin_run(frame.run)
        step = self._plan.follow(frame.pts_s, told) if told else self._plan.step(frame.pts_s)
        if step == "join":
            self._bursts[-1].append(frame)
        elif step == "start":
            number = self._window_of(self._plan.slot_s)
            if number != self._number:
                done += self.flush()
            self._number = number
            self._bursts.append([frame])
        if self._bursts and self._plan.is_whole and self._window_of(self._plan.next_slot_s) > self._number:
            done += self.flush()
        return done

    def flush(self) -> list[Window]:
        """What is held as a window, whole or not; at the end of a run or a recording."""
        if not self._bursts:
            return []
        last = self._bursts[-1][-1]
        window = Window(last.camera_id, last.run, self._index, tuple(tuple(burst) for burst in self._bursts))
        self._index += 1
        self._bursts = []
        return [window]

    def _window_of(self, slot_s: float) -> int:
        # A slot's time is a multiple of its period, not exactly so in floating point.
        return math.floor(slot_s / self._settings.window_s + 1e-6)
