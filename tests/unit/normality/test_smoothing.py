"""One bad frame is not an event, an event is noticed, and the end is believed a second later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.normality.smoothing import Smoother


def series(values: list[float], fps: float = 10.0, hold_s: float = 0.0) -> list[float | None]:
    smoother = Smoother(hold_s)
    return [smoother.add(index / fps, value) for index, value in enumerate(values)]


def test_silent_before_three_samples() -> None:
    assert series([9.0, 9.0, 1.0])[:2] == [None, None]


def test_one_bad_frame_leaves_no_trace() -> None:
    assert set(series([1.0] * 5 + [50.0] + [1.0] * 5)[2:]) == {1.0}


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0])
def test_the_time_constant_does_not_depend_on_the_frame_rate(fps: float) -> None:
    values = series([0.0] * 10 + [1.0] * round(fps * 0.448 + 1), fps)
    assert values[-1] == pytest.approx(0.63, abs=0.06)


def test_alpha_is_a_fifth_at_ten_frames_a_second() -> None:
    assert series([0.0, 0.0, 0.0, 1.0, 1.0])[-1] == pytest.approx(0.2, abs=0.001)


def test_the_top_is_held_for_a_second() -> None:
    values = series([0.0] * 5 + [1.0] * 30 + [0.0] * 25, hold_s=1.0)
    top = values[34]
    assert values[43] == pytest.approx(top, abs=0.01)
    assert (values[52] or 0.0) < 0.3


def test_a_long_pause_starts_afresh() -> None:
    smoother = Smoother()
    for index in range(10):
        smoother.add(index / 10, 5.0)
    assert smoother.add(10.0, 0.0) is None
    assert smoother.value is None


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=60), st.floats(1.0, 60.0), st.floats(0.0, 3.0))
def test_never_outside_what_was_measured(values: list[float], fps: float, hold_s: float) -> None:
    for value in series(values, fps, hold_s)[2:]:
        if value is not None:
            assert min(values) - 1e-6 <= value <= max(values) + 1e-6


@given(st.lists(st.floats(0, 10), min_size=4, max_size=40), st.floats(0, 10))
def test_causal(values: list[float], later: float) -> None:
    assert series([*values, later])[: len(values)] == series(values)


def test_time_that_goes_back_starts_afresh() -> None:
    smoother = Smoother(hold_s=0.0)
    for index in range(10):
        smoother.add(50.0 + index / 10, 5.0)
    assert smoother.add(0.0, 0.0) is None
    assert [smoother.add(at_s, 0.0) for at_s in (0.1, 0.2)] == [None, 0.0]
