"""How long things stay in a camera's normal footage, by place."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.dwell import LEAST_S, PLACES, DwellModel, Stays, place_of
from streamproc.normality.structure import Grey, fine
from streamproc.normality.view_reference import CHECK_S

_LEAST_OBSERVED_S = 2 * LEAST_S
"""Less footage cannot show a stay of ``LEAST_S`` begin and end."""
_MOST_PICTURES = 7200
"""An hour of them, 200 MB."""


class DwellLearner:
    """Told of the normal footage's pictures in order; keeps small ones, for what is normally there is known last."""

    def __init__(self) -> None:
        self._runs: list[list[tuple[float, npt.NDArray[np.uint8]]]] = []
        self._kept = 0

    def begin_run(self) -> None:
        """Another clip begins."""
        self._runs.append([])

    def add(self, grey: npt.NDArray[np.uint8] | Grey, pts_s: float) -> None:
        """``grey`` (height, width), 0..255, at flow size or larger; any rate. What is beyond an hour is not taken."""
        if not self._runs:
            self.begin_run()
        run = self._runs[-1]
        if self._kept >= _MOST_PICTURES or (run and 0.0 <= pts_s - run[-1][0] < CHECK_S):
            return
        run.append((pts_s, np.clip(np.rint(fine(grey)), 0, 255).astype(np.uint8)))
        self._kept += 1

    def learned(self, reference: npt.NDArray[np.uint8] | Grey) -> DwellModel:
        """Beside ``reference`` (height, width): what the footage shows when nothing is there."""
        return fit_dwell(reference, self._runs)


def fit_dwell(
    reference: npt.NDArray[np.uint8] | Grey, runs: list[list[tuple[float, npt.NDArray[np.uint8]]]]
) -> DwellModel:
    """From each run's pictures with their times, half a second apart."""
    longest = np.zeros(PLACES[0] * PLACES[1])
    observed_s = 0.0
    for run in runs:
        stays, last, looked_s = Stays(reference), dict[int, float](), -math.inf
        for pts_s, grey in run:
            if not stays.add(grey, pts_s):
                continue
            if math.isfinite(looked_s):
                observed_s += min(pts_s - looked_s, 2 * CHECK_S)
            looked_s = pts_s
            last = {}
            for seconds, box in stays.found():
                place = place_of(box)
                last[place] = max(last.get(place, 0.0), seconds)
            for place, seconds in last.items():
                longest[place] = max(longest[place], seconds)
        # What was seen for so long without an end goes on as long again, as far as anyone can tell.
        for place, seconds in last.items():
            longest[place] = max(longest[place], 2.0 * seconds)
    if observed_s < _LEAST_OBSERVED_S:
        return DwellModel(
            why_not=f"only {observed_s:.0f} s of normal footage show what stays; {_LEAST_OBSERVED_S:.0f} s needed",
            observed_s=observed_s,
        )
    field = longest.reshape(PLACES[1], PLACES[0]).astype(np.float32)
    near = cv2.dilate(field, np.ones((3, 3), np.uint8)).reshape(-1)
    return DwellModel(longest_s=tuple(round(float(value), 1) for value in near), observed_s=round(observed_s, 1))
