"""What is usual: how far held-out normal footage comes from second to second."""

from __future__ import annotations

import pytest

from streamproc.normality.held_out import RawSample
from streamproc.normality.usual import fit_usual


def samples(highest: list[float], run: int = 1) -> list[RawSample]:
    """Three moments a second, of which the middle one is the highest."""
    return [
        RawSample(run, second + part, 0.3, value * (1.0 if part == 0.3 else 0.5))
        for second, value in enumerate(highest)
        for part in (0.0, 0.3, 0.6)
    ]


def test_percentiles_of_the_seconds_highest_in_times_of_the_threshold() -> None:
    usual = fit_usual([samples([number / 50 for number in range(101)])], threshold=2.0)
    assert len(usual) == 101
    assert usual[0] == 0.0
    assert usual[95] == pytest.approx(0.95)
    assert usual[100] == pytest.approx(1.0)


def test_seconds_of_several_runs_are_not_the_same() -> None:
    one, other = samples([1.0] * 40, run=1), samples([0.0] * 40, run=2)
    assert fit_usual([one, other], threshold=1.0)[25] == 0.0
    assert fit_usual([one, other], threshold=1.0)[75] == 1.0


def test_where_nothing_moved_nothing_stood_out() -> None:
    still = [RawSample(1, float(second), 1.0, None) for second in range(60)]
    assert set(fit_usual([still], threshold=1.0)) == {0.0}


def test_of_less_than_a_minute_nothing_is_told() -> None:
    assert fit_usual([samples([1.0] * 59)], threshold=1.0) == ()
