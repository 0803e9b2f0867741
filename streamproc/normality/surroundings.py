"""What is measured of the scene beside what moves: whether it is the scene that was learned, what stays, how many are
there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamproc.normality.crowding import Crowd, CrowdingMeter
from streamproc.normality.dwell import DwellMeter, Stay
from streamproc.normality.learned import LearnedScene
from streamproc.normality.view import View
from streamproc.types import Box, Measurement

_Grey = npt.NDArray[np.uint8]


class Surroundings:
    """One camera's, told of its pictures in order."""

    def __init__(self, learned: LearnedScene | None, background: _Grey, aspect: float) -> None:
        """``background`` (height, width): what the camera shows when nothing is there; ``aspect``: width over height.
        Without ``learned`` nothing but darkness is noticed."""
        self._view = View(learned.view if learned else None)
        self._dwell = DwellMeter(background, learned.dwell) if learned else None
        self._crowding = CrowdingMeter(learned.crowding, aspect) if learned else None
        self._stay: Stay | None = None
        self._crowd: Crowd | None = None
        self._run: int | None = None

    @property
    def why_not(self) -> str | None:
        """Why nothing is to be judged, in words; None where the camera shows what was learned."""
        return self._view.why_not

    def see(self, grey: _Grey, run: int, pts_s: float) -> None:
        """Take in the next picture, (height, width) at flow size."""
        if run != self._run:
            self._run = run
            for meter in (self._dwell, self._crowding):
                if meter is not None:
                    meter.begin_run()
        self._view.add(grey, pts_s)
        self._stay = None
        if self._dwell is not None and self._view.why_not is None:
            self._stay = self._dwell.add(grey, pts_s)

    def count(self, people: Sequence[Box], pts_s: float) -> None:
        """Take in who is visible at the end of a window."""
        self._crowd = self._crowding.add(people, pts_s) if self._crowding is not None else None

    def measured(self) -> tuple[Measurement, ...]:
        """What is beyond normal; nothing where the camera does not show what was learned."""
        if self._view.why_not is not None:
            return ()
        found = []
        if (stay := self._stay) is not None and stay.seconds >= stay.threshold_s:
            score = stay.seconds / stay.threshold_s
            found.append(Measurement("dwell", stay.seconds, "s", stay.threshold_s, score, 1.0, stay.box_norm))
        if (crowd := self._crowd) is not None and crowd.score >= crowd.threshold:
            value, normal = crowd.value, crowd.known.normal
            unit = "people together" if crowd.box_norm else "people"
            found.append(Measurement("crowding", value, unit, normal, crowd.score, crowd.threshold, crowd.box_norm))
        return tuple(found)
