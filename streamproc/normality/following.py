"""An observer that goes over to another calibration while it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from streamproc.normality.calibration import Calibration
from streamproc.normality.observer import EmbeddedObserver
from streamproc.types import ObservedWindow, Window


class FollowingObserver:
    """Measures by whichever calibration is in force, when it has its turn."""

    def __init__(
        self,
        observer: EmbeddedObserver,
        calibration: Callable[[], Calibration | None],
        turns: AbstractContextManager[None] | None = None,
    ) -> None:
        """``calibration`` returns the one in force; asked before each window. ``turns`` is entered for each: observers
        of more cameras than there are cores, all at once, keep each other and everybody else from the interpreter."""
        self._observer, self._in_force = observer, calibration
        self._turns = nullcontext() if turns is None else turns

    def observe(self, window: Window) -> ObservedWindow | None:
        """The window with its tracks and measurements; None where it was passed by.

        Raises:
            InferenceError: the detector failed; the observer can go on with the next window.
        """
        with self._turns:
            calibration = self._in_force()
            if calibration is not self._observer.calibration:
                self._observer.calibrate(calibration)
            return self._observer.watch(window)
