"""Causal smoothing of a measurement: a glitch is not an event, and a measurement is not told before it is sure."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

MEDIAN_OF = 3
"""Samples whose median is taken: it keeps cuts and single bad frames out."""
TIME_CONSTANT_S = 0.448
"""Of the exponential mean: a share of .2 a sample at 10 samples/s."""
HOLD_S = 1.0
"""An event's end is believed after this long."""
_FORGET_S = 2.0
"""After a longer pause, or where time went back, what was before tells nothing about now."""


class Smoother:
    """Median of three, exponential mean with a time constant, then the maximum held for a while; by media time."""

    def __init__(self, hold_s: float = HOLD_S) -> None:
        self._hold_s = hold_s
        self.reset()

    def reset(self) -> None:
        """Forget all; a new run begins."""
        self._recent: deque[float] = deque(maxlen=MEDIAN_OF)
        self._held: deque[tuple[float, float]] = deque()
        self._mean: float | None = None
        self._at_s = -math.inf

    @property
    def value(self) -> float | None:
        """As of the last sample; None before there were three."""
        return max((mean for _, mean in self._held), default=None)

    def add(self, pts_s: float, sample: float) -> float | None:
        """Take in ``sample`` and return ``value``."""
        if not 0.0 <= pts_s - self._at_s <= _FORGET_S:
            self.reset()
        elapsed_s = pts_s - self._at_s if self._recent else 0.0
        self._at_s = pts_s
        self._recent.append(sample)
        if len(self._recent) < MEDIAN_OF:
            return None
        middle = median(self._recent)
        share = 1.0 - math.exp(-elapsed_s / TIME_CONSTANT_S)
        self._mean = middle if self._mean is None else self._mean + share * (middle - self._mean)
        self._held.append((pts_s, self._mean))
        while self._held[0][0] < pts_s - self._hold_s:
            self._held.popleft()
        return self.value
