from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.deduction.smoothing import CausalMean

scores = st.floats(0, 1)
steps = st.lists(st.tuples(st.floats(0, 30), scores), min_size=1, max_size=30)
constants = st.floats(0, 20)


def smooth(constant_s: float, windows: list[tuple[float, float]], run: int = 1) -> list[float]:
    """``windows`` as (seconds since the one before, score)."""
    mean, pts_s, values = CausalMean(constant_s), 0.0, []
    for step_s, score in windows:
        pts_s += step_s
        values.append(mean.update(run, pts_s, score, step_s))
    return values


@given(constants, steps)
def test_values_lie_between_0_and_the_highest_score_so_far(
    constant_s: float, windows: list[tuple[float, float]]
) -> None:
    highest = 0.0
    for (_, score), value in zip(windows, smooth(constant_s, windows), strict=True):
        highest = max(highest, score)
        assert 0 <= value <= highest + 1e-12


@given(constants, steps, steps, steps)
def test_the_future_changes_nothing(
    constant_s: float, past: list[tuple[float, float]], one: list[tuple[float, float]], other: list[tuple[float, float]]
) -> None:
    n = len(past)
    assert smooth(constant_s, past + one)[:n] == smooth(constant_s, past + other)[:n] == smooth(constant_s, past)


@given(constants, steps, st.floats(0, 1))
def test_a_higher_score_never_lowers_a_value(constant_s: float, windows: list[tuple[float, float]], up: float) -> None:
    raised = [(step_s, max(score, up)) for step_s, score in windows]
    pairs = zip(smooth(constant_s, windows), smooth(constant_s, raised), strict=True)
    assert all(low <= high + 1e-12 for low, high in pairs)


@given(steps, steps)
def test_a_new_run_knows_nothing_of_the_old_one(
    before: list[tuple[float, float]], after: list[tuple[float, float]]
) -> None:
    mean, pts_s = CausalMean(2.0), 0.0
    for step_s, score in before:
        pts_s += step_s
        mean.update(1, pts_s, score, 1.0)
    pts_s, values = 0.0, []
    for step_s, score in after:
        pts_s += step_s
        values.append(mean.update(2, pts_s, score, step_s))
    assert values == smooth(2.0, after)


def test_it_follows_with_its_time_constant_whatever_the_intervals() -> None:
    fine = smooth(2.0, [(1.0, 0.0)] + [(0.1, 1.0)] * 20)[-1]
    coarse = smooth(2.0, [(1.0, 0.0), (2.0, 1.0)])[-1]
    assert fine == pytest.approx(coarse) == pytest.approx(1 - math.exp(-1))


def test_a_runs_first_window_counts_for_its_own_length() -> None:
    assert CausalMean(1.0).update(1, 50.0, 1.0, 1.0) == pytest.approx(1 - math.exp(-1))


def test_no_constant_no_smoothing_and_time_that_goes_back_adds_nothing() -> None:
    assert smooth(0.0, [(1, 0.3), (1, 0.9), (1, 0.0)]) == [0.3, 0.9, 0.0]
    mean = CausalMean(1.0)
    value = mean.update(1, 10.0, 1.0, 1.0)
    assert mean.update(1, 10.0, 0.0, 1.0) == value
    assert mean.update(1, 4.0, 0.0, 1.0) == value
    assert mean.update(1, 10.0, 0.0, 1.0) == value


def test_time_nobody_looked_at_is_no_evidence() -> None:
    looked = CausalMean(1.0)
    skipped = CausalMean(1.0)
    for mean in (looked, skipped):
        mean.update(1, 1.0, 0.0, 1.0)
    at_once = looked.update(1, 2.0, 0.75, 1.0)
    after_a_still_spell = skipped.update(1, 31.0, 0.75, 1.0)
    assert at_once < 0.5  # one odd window raises no alarm at the shipped threshold …
    assert after_a_still_spell < 0.75 * (1 - math.exp(-1.3))  # … and hardly weighs more after half a minute unseen
