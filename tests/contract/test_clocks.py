"""What every clock promises, the machine's and the fake."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, timedelta

import pytest

from streamproc.runtime.clock import Clock, SystemClock
from streamproc.testing import FakeClock

SHORT_S = 0.01


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    make: Callable[[], Clock] = request.param
    return make()


def test_now_is_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC


def test_neither_clock_goes_back(clock: Clock) -> None:
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_a_wait_that_nothing_ends_takes_its_time(clock: Clock) -> None:
    before, wall = clock.monotonic(), clock.now()
    assert clock.wait(threading.Event(), SHORT_S) is False
    assert clock.monotonic() - before >= SHORT_S * 0.9
    assert clock.now() - wall >= timedelta(seconds=SHORT_S * 0.9)


def test_an_event_that_is_set_takes_no_time(clock: Clock) -> None:
    event = threading.Event()
    event.set()
    before = clock.monotonic()
    assert clock.wait(event, 3600.0) is True
    assert clock.monotonic() - before < 1.0


def test_a_wait_of_no_time_only_looks(clock: Clock) -> None:
    event = threading.Event()
    assert clock.wait(event, 0.0) is False
    event.set()
    assert clock.wait(event, 0.0) is True


def test_several_threads_may_ask_at_once(clock: Clock) -> None:
    before = clock.monotonic()
    never = threading.Event()

    def waits() -> None:
        for _ in range(5):
            clock.wait(never, SHORT_S)

    threads = [threading.Thread(target=waits) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert clock.monotonic() - before >= 5 * SHORT_S * 0.9
