"""What the camera shows when nothing is there, kept up to date, and what stands out from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.percentiles import percentile

Grey = npt.NDArray[np.float32]

_LEAST_DIFFERENCE = 14.0
"""Grey levels by which something must stand out: above the noise of ordinary cameras by day."""
_NOISE_FACTOR = 6.0
"""The same in multiples of the picture's median difference, for noisy pictures."""
_LEARNING_PER_S = 6.0
"""Grey levels a second by which the background follows: a standing person joins it within about ten seconds, a walking
one passes without a trace."""
_OUTDATED_SHARE = 0.1
"""Where more of the background than this share of the picture is not as it was learned, that tells nothing any more: in
another light something may be as bright as its place once was. A man who stands before it is a fiftieth."""
_RENEWED_SHARE = 0.6
"""Where more of the picture than this differs, it is another picture: lights switched, the camera turned."""


class Background:
    """A running median of one camera's grey pictures, told of each in order.

    A gain common to all pixels is taken out first, so that exposure control and passing clouds do not count.
    """

    def __init__(self, known: Grey | None = None) -> None:
        """``known``: what it begins with, (height, width) grey levels; otherwise the first picture."""
        self._known = known
        self._watching = False
        self._grey: Grey | None = None if known is None else known.copy()
        self._begins = False
        self.renewed = False
        """Whether the last picture replaced the background instead of being compared with it."""

    def know(self, background: Grey) -> None:
        """Watch by ``background`` (height, width), which was learned, and begin the next run with it. What looks as it
        was learned does not stand out, also where someone who has left had joined the running background.
        """
        self._known = background
        self._watching = True

    def begin_run(self) -> None:
        """Time was lost. What was there then, or what was known before, whichever is more like the next picture, is the
        background: the people of a moment ago would stand out as holes."""
        self._begins = True

    def foreground(self, grey: Grey, elapsed_s: float, slack_px: int = 0) -> npt.NDArray[np.bool_]:
        """Where ``grey`` (height, width) float32 stands out; ``elapsed_s`` since the picture before.

        ``slack_px``: how far the camera may be beside its place; what was there so near is taken to be there.
        """
        if self._grey is None or self._grey.shape != grey.shape:
            known = self._known
            self._grey = grey.copy() if known is None or known.shape != grey.shape else known.copy()
            self.renewed = known is None or known.shape != grey.shape
            if self.renewed:
                return np.zeros(grey.shape, np.bool_)
        found = _compared(grey, self._grey, slack_px)
        known = self._known
        if (self._begins or self._watching) and known is not None and known.shape == grey.shape:
            other = _compared(grey, known, slack_px)
            if self._begins and other.mask.mean() < found.mask.mean():
                self._grey = known.copy()
                found = other
            if self._watching:
                # By the noise of the moment: beside a background learned in another light much would pass for noise.
                unlike = other.strength > found.least
                if cv2.countNonZero((unlike & ~found.mask).view(np.uint8)) < _OUTDATED_SHARE * grey.size:
                    found = replace(found, mask=found.mask & unlike)
        self._begins = False
        self.renewed = (
            cv2.countNonZero((found.strength > _LEAST_DIFFERENCE).view(np.uint8)) > _RENEWED_SHARE * grey.size
        )
        if self.renewed:
            self._grey = grey.copy()
            return np.zeros(grey.shape, np.bool_)
        self._grey += np.clip(found.difference, -1.0, 1.0) * np.float32(_LEARNING_PER_S * elapsed_s)
        return found.mask


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A picture beside a background; all (height, width)."""

    difference: Grey
    """In grey levels."""
    strength: Grey
    """How far each place and those around it differ, in grey levels."""
    least: float
    """From which strength something stands out."""
    mask: npt.NDArray[np.bool_]
    """Where something stands out."""


def _compared(grey: Grey, background: Grey, slack_px: int) -> _Compared:
    sparse, known = grey[::4, ::4], background[::4, ::4]
    gain = percentile((sparse / np.maximum(known, 1.0)).reshape(-1), 50.0)
    # No camera shows more than white, however much brighter the day gets.
    expected = np.asarray(cv2.threshold(np.float32(gain) * background, 255.0, 0.0, cv2.THRESH_TRUNC)[1])
    difference = unexplained = grey - expected
    if slack_px:
        near = np.ones((2 * slack_px + 1, 2 * slack_px + 1), np.uint8)
        unexplained = grey - np.clip(grey, cv2.erode(expected, near), cv2.dilate(expected, near))
    strength = cv2.blur(np.abs(unexplained), (3, 3))
    least = max(_LEAST_DIFFERENCE, _NOISE_FACTOR * percentile(strength[::4, ::4].reshape(-1), 50.0))
    return _Compared(difference, strength, least, np.asarray(strength > least))
