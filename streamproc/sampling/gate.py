"""Which observed windows are worth a model's time."""

from __future__ import annotations

from streamproc.config import SamplingSettings
from streamproc.types import ObservedWindow


class MotionGate:
    """Lets one camera's windows pass where something moves, and now and then where nothing does."""

    def __init__(self, settings: SamplingSettings) -> None:
        self._motion = settings.gate_motion
        self._refresh_s = settings.gate_refresh_s
        self._passed: tuple[int, float] | None = None

    def worth(self, observed: ObservedWindow, busy: bool = False) -> bool:
        """Whether to put the window into words; always while an incident is open (``busy``) or a run begins."""
        window = observed.window
        due = self._passed is None or self._passed[0] != window.run or window.end_s - self._passed[1] >= self._refresh_s
        if busy or due or observed.motion >= self._motion:
            self._passed = (window.run, window.end_s)
            return True
        return False
