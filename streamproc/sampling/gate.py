"""Which observed windows are worth a model's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import structlog

from streamproc.config import SamplingSettings
from streamproc.types import ObservedWindow, SkipCause

log = structlog.get_logger(__name__)


class _Passed(NamedTuple):
    run: int
    end_s: float
    kinds: frozenset[str]
    """Of objects that were there."""


class WindowGate:
    """One camera's; told of its windows in order.

    A window is held back where nothing moves in it, or, if the gate knows what is usual, where what moves is: it
    measures like the camera's normal footage, no kind of object is there that was not when a window was last let pass,
    and the cheap voters have nothing to say. Now and then one passes all the same, and while an incident is open, or
    where something could not be judged, all that move do.
    """

    def __init__(
        self,
        settings: SamplingSettings,
        usual: Callable[[], float | None] | None = None,
        speaks: Callable[[ObservedWindow], bool] = lambda _: False,
    ) -> None:
        """``usual`` tells up to which score, in times of its threshold, a measurement is usual here, as the camera's
        calibration has it at the moment; None where that is not known. Without it motion alone decides.
        ``speaks``: whether a cheap voter finds something in a window; asked only where the rest is usual."""
        self._motion = settings.gate_motion
        self._refresh_s = settings.gate_refresh_s
        self._usual, self._speaks = usual, speaks
        self._passed: _Passed | None = None
        self._told_unknown = False

    def holds_back(self, observed: ObservedWindow, busy: bool = False) -> SkipCause | None:
        """Why the window is not worth a model's time; None where it is: always while an incident is open (``busy``) or
        a run begins."""
        window, passed = observed.window, self._passed
        due = passed is None or passed.run != window.run or window.end_s - passed.end_s >= self._refresh_s
        if not (busy or due):
            if observed.motion < self._motion:
                return "still"
            if passed is not None and self._is_usual(observed, passed):
                return "usual"
        self._passed = _Passed(window.run, window.end_s, _kinds(observed))
        return None

    def _is_usual(self, observed: ObservedWindow, passed: _Passed) -> bool:
        if self._usual is None:
            return False
        most = self._usual()
        if most is None:
            self._tell_unknown(observed.window.camera_id)
            return False
        if observed.not_judged or not _kinds(observed) <= passed.kinds:
            return False
        unusual = any(one.score >= most * one.threshold for one in observed.measurements)
        return not unusual and not self._speaks(observed)

    def _tell_unknown(self, camera_id: str) -> None:
        if not self._told_unknown:
            self._told_unknown = True
            log.warning(
                "gated_by_motion_alone",
                camera=camera_id,
                reason="its calibration does not tell what is usual, or there is none",
                remedy="run `streamproc induce` on its normal footage",
            )


def _kinds(observed: ObservedWindow) -> frozenset[str]:
    return frozenset(track.label for track in observed.tracks)
