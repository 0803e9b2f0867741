from __future__ import annotations

import pytest

from streamproc.runtime.breaker import Breaker, Health
from streamproc.testing import FakeClock


def breaker(clock: FakeClock, heard: list[Health] | None = None) -> Breaker:
    heard = [] if heard is None else heard
    return Breaker(
        clock, open_after=3, first_probe_s=2.0, longest_probe_s=8.0, on_change=heard.append, jitter=lambda: 0.0
    )


def test_failures_in_a_row_take_it_down_once() -> None:
    heard: list[Health] = []
    b = breaker(FakeClock(), heard)
    b.failed("one")
    b.failed("two")
    assert b.admit() == "open"
    assert b.health == Health(up=True, reason="two", failures=2)
    b.failed("three")
    assert b.admit() == "refused"
    b.failed("a late one of those under way")
    assert [h.up for h in heard] == [False]
    assert heard[0].reason == "three"


def test_a_success_between_failures_starts_the_count_again() -> None:
    b = breaker(FakeClock())
    for _ in range(10):
        b.failed("x")
        b.failed("x")
        b.succeeded()
    assert b.admit() == "open"
    assert b.health == Health(up=True)


def test_one_probe_at_a_time_at_intervals_that_double_to_a_bound() -> None:
    clock = FakeClock()
    b = breaker(clock)
    for _ in range(3):
        b.failed("x")
    for interval in (2.0, 4.0, 8.0, 8.0):
        assert b.next_probe_s == pytest.approx(interval)
        clock.advance(interval - 0.001)
        assert b.admit() == "refused"
        clock.advance(0.0011)
        assert b.admit() == "probe"
        assert b.admit() == "refused"
        b.failed("still down")


def test_a_probe_that_succeeds_brings_it_up_and_forgets_the_intervals() -> None:
    clock = FakeClock()
    heard: list[Health] = []
    b = breaker(clock, heard)
    for _ in range(3):
        b.failed("x")
    clock.advance(2)
    b.admit()
    b.failed("x")
    clock.advance(4)
    assert b.admit() == "probe"
    b.succeeded()
    assert b.admit() == "open"
    assert [h.up for h in heard] == [False, True]
    for _ in range(3):
        b.failed("x")
    assert b.next_probe_s == 2.0


def test_an_abandoned_probe_lets_the_next_one_through() -> None:
    clock = FakeClock()
    b = breaker(clock)
    for _ in range(3):
        b.failed("x")
    clock.advance(2)
    assert b.admit() == "probe"
    b.abandoned()
    assert b.admit() == "probe"


def test_jitter_only_lengthens() -> None:
    clock = FakeClock()
    b = Breaker(clock, open_after=1, first_probe_s=2.0, jitter=lambda: 1.0)
    b.failed("x")
    assert b.next_probe_s == 2.5
