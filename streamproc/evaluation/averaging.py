"""The exponential mean of AnomalyRuler (section 4.3), a caption a step; it looks at the past alone."""

from __future__ import annotations

from collections.abc import Iterable

ALPHA = 0.33
"""Weight of the newest caption, as published; the same for all that is compared."""


def averaged(values: Iterable[float], alpha: float) -> list[float]:
    """Sum of (1 - alpha)^(t - i) times value i over i up to t, divided by the same sum of ones.

    With ``alpha`` 0 all that went before weighs the same.
    """
    total, weight, result = 0.0, 0.0, []
    for value in values:
        total = (1 - alpha) * total + value
        weight = (1 - alpha) * weight + 1
        result.append(total / weight)
    return result
