"""The camera's own motion between two frames, taken out of what moves; and when it is too much to measure beside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.percentiles import percentile

_STRIDE_PX = 8
_LEAST_POINTS = 100
"""Of the background, for a median to stand on; a picture has some 1,700."""
_BESIDE_PX = 8
"""A patch of the flow: nearer to what stands out, the background seems to move along with it."""
_SETTLES_S = 10.0
"""In which the background follows, as when a standing person joins it: where the camera is then, is its place."""
_MOST_SLACK_PX = 4
"""At flow size: as narrow as a person in the distance."""
_SLACK_LEAST_PX = 0.5
"""By half a pixel edges change by less than stands out."""
_UNSURE_S = 4.5
"""That ``View`` takes to tell whether the camera was moved: five looks, and two seconds that it must last."""
_TIME_CONSTANT_S = 1.0
"""Longer than a gust's single jerk, shorter than what a person waits for."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How the background moved, in the unit of the flow it was taken from."""

    across: float
    down: float
    rest: float
    """What a twentieth of the background still moves by, or more, once this is taken out: turns, zooms, errors."""

    @property
    def far(self) -> float:
        """How far, whatever the direction."""
        return math.hypot(self.across, self.down)

    def times(self, factor: float) -> Shift:
        """In another unit."""
        return Shift(self.across * factor, self.down * factor, self.rest * factor)


def background_shift(flow: npt.NDArray[np.float32], foreground: npt.NDArray[np.bool_]) -> Shift | None:
    """The median of ``flow`` (height, width, 2) over the background; 0.2 ms.

    None where the foreground (height, width) leaves too little of it: a crowd's motion would be taken for the camera's.
    """
    near = cv2.dilate(foreground.astype(np.uint8), np.ones((2 * _BESIDE_PX + 1, 2 * _BESIDE_PX + 1), np.uint8))
    points = flow[::_STRIDE_PX, ::_STRIDE_PX][near[::_STRIDE_PX, ::_STRIDE_PX] == 0]
    if len(points) < _LEAST_POINTS:
        return None
    across, down = (percentile(points[:, axis], 50.0) for axis in (0, 1))
    rest = percentile(np.hypot(points[:, 0] - across, points[:, 1] - down), 95.0)
    return Shift(across, down, rest)


def steadied(flow: npt.NDArray[np.float32], shift: Shift) -> npt.NDArray[np.float32]:
    """``flow`` as a camera that stands still would have it; 0.5 ms."""
    return np.asarray(cv2.subtract(flow, (shift.across, shift.down, 0.0, 0.0)), np.float32)


class Sway:
    """How far a camera is beside its place, told of what moves it, in order."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Another run begins."""
        self._across = self._down = self._reach = 0.0

    def add(self, across: float, down: float, elapsed_s: float) -> None:
        """Take in a move, in px, ``elapsed_s`` after the one before; where it stays becomes its place."""
        kept = math.exp(-elapsed_s / _SETTLES_S)
        self._across, self._down = self._across * kept + across, self._down * kept + down
        lasting = self._reach * math.exp(-elapsed_s / _TIME_CONSTANT_S)
        self._reach = max(math.hypot(self._across, self._down), lasting)

    @property
    def reach_px(self) -> float:
        """Up to how far from its place it was lately."""
        return self._reach

    @property
    def slack_px(self) -> int:
        """The same in whole pixels, up to as many as may be explained away; 0 where it stands still."""
        return min(_MOST_SLACK_PX, math.ceil(self._reach - _SLACK_LEAST_PX))


class Shake:
    """Whether the camera moves too much to measure anything, told of each shift in px/s, in order."""

    def __init__(self, most_px_s: float, far_px: float = math.inf) -> None:
        """``most_px_s`` may be left of its motion once it is taken out: see ``most_rest``; and what it shows may be as
        far from its place as ``far_px``, for ``View`` to tell what it shows then."""
        self._most, self._far = most_px_s, far_px
        self._sway = Sway()
        self.reset()

    def reset(self) -> None:
        """Another run begins."""
        self._sway.reset()
        self._mean: float | None = None
        self._unsure_s = 0.0

    @property
    def left_px_s(self) -> float:
        """What is left of the camera's motion once it is taken out, smoothed."""
        return self._mean or 0.0

    @property
    def why_not(self) -> str | None:
        """Why speed is not to be judged, in words."""
        if self._mean is not None and self._mean > self._most:
            return "the camera shakes too much"
        return "the camera was moved a moment ago" if self._unsure_s > 0.0 else None

    def add(self, shift: Shift | None, elapsed_s: float) -> str | None:
        """``why_not`` as of ``shift``; ``elapsed_s`` since the one before. None: nothing is known of this moment."""
        self._unsure_s -= elapsed_s
        if shift is not None:
            self._sway.add(shift.across * elapsed_s, shift.down * elapsed_s, elapsed_s)
            if self._sway.reach_px > self._far:
                self._unsure_s = _UNSURE_S
            share = 1.0 - math.exp(-max(elapsed_s, 0.0) / _TIME_CONSTANT_S)
            self._mean = shift.rest if self._mean is None else self._mean + share * (shift.rest - self._mean)
        return self.why_not


def most_rest(normal_px_s: npt.NDArray[np.float32]) -> float:
    """What may be left of the camera's motion beside the places' normal speed, in px/s: a quarter of their median.

    From there on the fastest of what stands out reads a tenth too much: measured on footage of walking people that was
    shifted, turned, zoomed and rolled at random (``tests/benchmarks/normality_view.py`` prints the first two).
    """
    return 0.25 * float(np.median(normal_px_s))
