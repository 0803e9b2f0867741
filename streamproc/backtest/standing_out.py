"""How far what was measured stands out, whatever rules make of it."""

from __future__ import annotations

from streamproc.types import Measurement, ObservedWindow

_LEAST = 1e-9


def times_threshold(measured: Measurement) -> float:
    """Its score in times the threshold from which on it speaks of an anomaly, so that unlike measurements compare."""
    return measured.score / max(measured.threshold, _LEAST)


def standing_out(observed: ObservedWindow) -> Measurement | None:
    """The measurement that stands out most; None where nothing could be measured."""
    return max(observed.measurements, key=times_threshold, default=None)


def novelty(observed: ObservedWindow) -> float:
    """How far that one stands out: 1 at its threshold, 0 at the median of normal footage, and where nothing could be
    measured, which says nothing either way."""
    leading = standing_out(observed)
    return 0.0 if leading is None else times_threshold(leading)
