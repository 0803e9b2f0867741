"""When a score is remarkable: told from the scores of normal crops alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

REACH = 2.0
"""The threshold, in distances between the normal scores' median and their 95th percentile: of a normal distribution
3.3 standard deviations, one false alarm in 2,000. Sixteen crops tell a 95th percentile and nothing further out."""
ENOUGH = 16
"""So many normal crops thresholds were measured with."""
_OF_FEWER = ((4, "2 to 33 %", "two thirds"), (12, "2 to 9 %", "half"), (ENOUGH, "3 %", "7 %"))
"""With fewer than the first: how much of what is normal was called a defect, on average and on the worst of 8 draws;
solar cells and magnetic tiles, `tests/benchmarks/inspection_memory.txt`."""
_LEAST = 0.05  # of the median: normals that are alike to the bit must not make everything else remarkable


@dataclass(frozen=True, slots=True)
class Scale:
    """Scores of one thing's normal crops."""

    median: float
    p95: float

    @classmethod
    def of(cls, normal: Sequence[float]) -> Scale:
        """From the scores of crops that are as they should be, none of which the scorer had learned from.

        Raises:
            ValueError: there are fewer than two, or one is not finite.
        """
        if len(normal) < 2 or not np.isfinite(normal).all():
            raise ValueError("a scale needs two finite scores or more")
        return cls(float(np.median(normal)), float(np.quantile(normal, 0.95)))

    @property
    def threshold(self) -> float:
        """The score from which on a crop is remarkable."""
        return self.median + REACH * max(self.p95 - self.median, _LEAST * abs(self.median), 1e-6)

    def times(self, score: float) -> float:
        """How far ``score`` lies above the median, in times of what the threshold does: 1 at it, 0 at the median.

        Below the median it is negative: half of all normal crops are there, and stay in their order.
        """
        return (score - self.median) / (self.threshold - self.median)


def share(times: float) -> float:
    """``times`` as a value 0..1: 0 up to the median, 0.5 at the threshold, never quite 1."""
    return max(0.0, times) / (1.0 + max(0.0, times))


def few(normal: int) -> str | None:
    """What to expect of a threshold that so few normal crops set; None where they are enough, or set none at all."""
    if normal < 2:
        return None
    for below, commonly, at_worst in _OF_FEWER:
        if normal < below:
            return (
                f"{normal} normal pictures are few: with so many, measured on single pictures of solar cells and "
                f"magnetic tiles, {commonly} of what is normal was taken for a defect, and {at_worst} on the worst "
                f"draw of them; the threshold was measured with {ENOUGH} (1 to 2 %)"
            )
    return None
