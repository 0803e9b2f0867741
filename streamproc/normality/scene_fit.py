"""What a first look at normal footage tells of its scene: the background, the view, how long things stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamproc.normality.crowding_fit import CrowdSample, fit_crowding
from streamproc.normality.dwell_fit import DwellLearner
from streamproc.normality.learned import LearnedScene
from streamproc.normality.view_reference import ViewLearner

_Grey = npt.NDArray[np.uint8]
_MOST_PICTURES = 120
"""That the background is the median of: what stands still for less than half of the footage leaves no trace."""


class BackgroundLearner:
    """The median of pictures spread evenly over footage of any length."""

    def __init__(self) -> None:
        self._pictures: list[_Grey] = []
        self._every, self._seen = 1, 0

    def add(self, grey: _Grey) -> None:
        """Take in the next picture, (height, width); one of another size begins anew."""
        if self._pictures and self._pictures[0].shape != grey.shape:
            self._pictures, self._every, self._seen = [], 1, 0
        if self._seen % self._every == 0:
            self._pictures.append(grey)
        self._seen += 1
        if len(self._pictures) > _MOST_PICTURES:
            del self._pictures[1::2]
            self._every *= 2

    def learned(self) -> _Grey:
        """(height, width).

        Raises:
            ValueError: there was no picture.
        """
        if not self._pictures:
            raise ValueError("no picture to learn a background from")
        return np.asarray(np.median(np.stack(self._pictures), axis=0).round(), np.uint8)


class SceneLearner:
    """Told of the normal footage's pictures in order, at least two a second."""

    def __init__(self) -> None:
        self._background = BackgroundLearner()
        self._view = ViewLearner()
        self._dwell = DwellLearner()
        self._run: int | None = None

    def add(self, grey: _Grey, run: int, pts_s: float) -> None:
        """Take in the next picture, (height, width) at flow size; each clip a run of its own."""
        if run != self._run:
            self._run = run
            self._view.begin_run()
            self._dwell.begin_run()
        self._background.add(grey)
        self._view.add(grey, pts_s)
        self._dwell.add(grey, pts_s)

    def background(self) -> _Grey:
        """(height, width): what the camera shows when nothing is there.

        Raises:
            ValueError: there was no picture.
        """
        return self._background.learned()

    def learned(self, background: _Grey, people: Sequence[CrowdSample]) -> LearnedScene:
        """The scene beside its ``background`` (height, width), and the ``people`` who were seen in it."""
        aspect = background.shape[1] / background.shape[0]
        return LearnedScene(
            view=self._view.learned(), dwell=self._dwell.learned(background), crowding=fit_crowding(people, aspect)
        )
