"""What the camera shows when nothing is there, kept up to date, and what stands out from it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.float32]

_LEAST_DIFFERENCE = 14.0
"""Grey levels by which something must stand out: above the noise of ordinary cameras by day."""
_NOISE_FACTOR = 6.0
"""The same in multiples of the picture's median difference, for noisy pictures."""
_LEARNING_PER_S = 6.0
"""Grey levels a second by which the background follows: a standing person joins it within about ten seconds, a walking
one passes without a trace."""
_RENEWED_SHARE = 0.6
"""Where more of the picture than this differs, it is another picture: lights switched, the camera turned."""


class Background:
    """A running median of one camera's grey pictures, told of each in order.

    A gain common to all pixels is taken out first, so that exposure control and passing clouds do not count.
    """

    def __init__(self) -> None:
        self._grey: Grey | None = None
        self.renewed = False
        """Whether the last picture replaced the background instead of being compared with it."""

    def foreground(self, grey: Grey, elapsed_s: float) -> npt.NDArray[np.bool_]:
        """Where ``grey`` (height, width) float32 stands out; ``elapsed_s`` since the picture before."""
        if self._grey is None or self._grey.shape != grey.shape:
            self._grey = grey.copy()
            self.renewed = True
            return np.zeros(grey.shape, np.bool_)
        sparse, known = grey[::4, ::4], self._grey[::4, ::4]
        gain = float(np.median(sparse / np.maximum(known, 1.0)))
        difference = grey - gain * self._grey
        strength = cv2.blur(np.abs(difference), (3, 3))
        least = max(_LEAST_DIFFERENCE, _NOISE_FACTOR * float(np.median(strength[::4, ::4])))
        mask = np.asarray(strength > least)
        self.renewed = float((strength > _LEAST_DIFFERENCE).mean()) > _RENEWED_SHARE
        if self.renewed:
            self._grey = grey.copy()
            return np.zeros(grey.shape, np.bool_)
        self._grey += np.clip(difference, -1.0, 1.0) * np.float32(_LEARNING_PER_S * elapsed_s)
        return mask
