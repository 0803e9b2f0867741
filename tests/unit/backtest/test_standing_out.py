"""What stands out most, whatever rules make of it."""

from __future__ import annotations

import pytest

from streamproc.backtest.standing_out import novelty, standing_out
from streamproc.testing_deduction import observed, speed


def test_unlike_measurements_compare_by_their_own_thresholds() -> None:
    slow, fast = speed(0.9, threshold=3.0), speed(0.8, threshold=0.5)
    both = observed(measurements=[slow, fast])
    assert standing_out(both) is fast
    assert novelty(both) == pytest.approx(1.6)
    assert novelty(observed(measurements=[speed(6.0, threshold=0.5)])) == pytest.approx(12.0)
    assert novelty(observed(measurements=[speed(-0.1, threshold=0.5)])) == pytest.approx(-0.2)


def test_what_is_not_measured_says_nothing() -> None:
    assert standing_out(observed()) is None
    assert novelty(observed()) == 0.0
