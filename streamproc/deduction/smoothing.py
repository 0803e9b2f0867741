"""Causal smoothing of scores over a run, by media time: the live form of AnomalyRuler's perception smoothing (4.3)."""

from __future__ import annotations

import math

_LONGEST_STEP_S = 1.0
"""The most a window counts for where its own length does not tell, as with single pictures."""


class CausalMean:
    """An exponential mean whose past fades with a time constant, whatever the intervals between windows.

    A run begins from 0: before anything was seen nothing is presumed wrong, so that one odd window after a reconnect
    does not alarm. Values lie between 0 and the highest score so far.
    """

    def __init__(self, time_constant_s: float) -> None:
        """``time_constant_s`` in seconds of media time; 0 smooths nothing."""
        self._time_constant_s = time_constant_s
        self._run: int | None = None
        self._pts_s = 0.0
        self._value = 0.0

    def update(self, run: int, pts_s: float, score: float, span_s: float) -> float:
        """The smoothed score as of ``pts_s``.

        ``span_s`` is the window's own length, which is how long a run's first window is counted for. A new ``run``
        starts afresh. Time that stands still or goes back adds nothing.
        """
        if run != self._run:
            self._run, self._value, elapsed_s = run, 0.0, span_s
            self._pts_s = pts_s
        else:
            # Time that nobody looked at, skipped by the gate or dropped, is no evidence: it counts as one window.
            elapsed_s = min(max(0.0, pts_s - self._pts_s), max(1.25 * span_s, _LONGEST_STEP_S))
            self._pts_s = max(self._pts_s, pts_s)
        share = -math.expm1(-elapsed_s / self._time_constant_s) if self._time_constant_s else 1.0
        self._value = (1 - share) * self._value + share * score
        return self._value
