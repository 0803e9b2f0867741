"""Threads that end, fail, hang; with a clock that waits for nobody."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from streamproc.errors import ChannelClosed, StageError
from streamproc.runtime.clock import SystemClock
from streamproc.runtime.supervisor import Supervisor
from streamproc.secrets import remember
from streamproc.testing import FakeClock

BOUND_S = 5.0


def until(event: threading.Event) -> Callable[[], None]:
    """A stage that ends when ``event`` is set."""

    def target() -> None:
        assert event.wait(BOUND_S)

    return target


def supervisor(restarts: list[str] | None = None) -> tuple[Supervisor, FakeClock]:
    clock = FakeClock()
    told = [] if restarts is None else restarts
    return Supervisor(clock, told.append, random.Random(7)), clock


def test_stages_end_when_asked_in_the_order_of_their_phases() -> None:
    sup = Supervisor(SystemClock())
    order: list[str] = []
    events = {name: threading.Event() for name in ("delivery", "source gate", "source yard", "worker")}

    def target(name: str) -> None:
        assert events[name].wait(BOUND_S)
        order.append(name)

    for name, phase in (("delivery", 2), ("source gate", 0), ("worker", 1), ("source yard", 0)):
        sup.start(name, lambda name=name: target(name), ask_to_end=events[name].set, phase=phase)  # type: ignore[misc]
    sup.stop(BOUND_S)
    assert set(order[:2]) == {"source gate", "source yard"}
    assert order[2:] == ["worker", "delivery"]


def test_a_failed_stage_is_started_again_after_a_jittered_growing_wait() -> None:
    restarts: list[str] = []
    sup, clock = supervisor(restarts)
    done = threading.Event()

    def fails_five_times() -> None:
        if len(restarts) < 5:
            raise OSError("broker is away")
        done.set()
        sup.stopping.wait(BOUND_S)

    sup.start("delivery kafka", fails_five_times, on_failure="restart")
    assert done.wait(BOUND_S)
    sup.stop(BOUND_S)
    assert restarts == ["delivery kafka"] * 5
    for wait_s, most_s in zip(clock.waits, (0.5, 1.0, 2.0, 4.0, 8.0), strict=True):
        assert most_s / 2 <= wait_s <= most_s


def test_the_wait_never_exceeds_half_a_minute_and_starts_over_after_a_steady_time() -> None:
    restarts: list[str] = []
    sup, clock = supervisor(restarts)
    done = threading.Event()

    def target() -> None:
        if len(restarts) == 12:
            clock.advance(61.0)
        if len(restarts) < 13:
            raise OSError
        done.set()
        sup.stopping.wait(BOUND_S)

    sup.start("s", target, on_failure="restart")
    assert done.wait(BOUND_S)
    sup.stop(BOUND_S)
    assert max(clock.waits) <= 30.0
    assert clock.waits[11] >= 15.0
    assert clock.waits[12] <= 0.5


def test_a_stage_that_returns_unasked_has_failed() -> None:
    sup, _ = supervisor()
    sup.start("worker-0", lambda: None)
    sup.wait()
    assert sup.stopping.is_set()
    with pytest.raises(StageError, match="stage worker-0: ended when it should not have"):
        sup.stop(BOUND_S)


def test_a_failure_that_stops_the_process_is_told_without_credentials() -> None:
    remember("m4rked-pw")
    sup, _ = supervisor()

    def fails() -> None:
        raise ValueError("no login with m4rked-pw")

    sup.start("worker-0", fails, on_failure="stop")
    assert sup.stopping.wait(BOUND_S)
    with pytest.raises(StageError, match=r"stage worker-0: ValueError: no login with \*\*\*$"):
        sup.stop(BOUND_S)


def test_the_first_failure_is_the_one_that_is_told() -> None:
    sup, _ = supervisor()
    sup.start("first", lambda: None)
    assert sup.stopping.wait(BOUND_S)

    def fails() -> None:
        raise ValueError

    sup.start("second", fails)
    with pytest.raises(StageError, match=r"^stage first: ended when it should not have$"):
        sup.stop(BOUND_S)


def test_a_failure_while_stopping_makes_the_end_unclean_and_starts_nothing_again() -> None:
    restarts: list[str] = []
    sup, _ = supervisor(restarts)
    asked = threading.Event()

    def fails_at_the_end() -> None:
        asked.wait(BOUND_S)
        raise OSError("disk full")

    sup.start("outbox", fails_at_the_end, on_failure="restart", ask_to_end=asked.set)
    with pytest.raises(StageError, match="stage outbox: OSError: disk full"):
        sup.stop(BOUND_S)
    assert restarts == []


def test_a_closed_channel_ends_a_stage_without_fuss() -> None:
    sup, _ = supervisor()
    asked = threading.Event()

    def target() -> None:
        asked.wait(BOUND_S)
        raise ChannelClosed

    sup.start("worker-0", target, ask_to_end=asked.set)
    sup.stop(BOUND_S)


def test_when_every_recording_has_ended_there_is_nothing_to_wait_for() -> None:
    sup, _ = supervisor()
    gate = threading.Event()
    sup.start("delivery", until(sup.stopping))
    sup.start("source gate", lambda: None, may_end=True)
    sup.start("source yard", until(gate), may_end=True)
    threading.Timer(0.01, gate.set).start()
    sup.wait()
    assert gate.is_set()
    assert not sup.stopping.is_set()
    sup.stop(BOUND_S)


def test_a_hung_stage_is_named_and_leaves_the_others_their_time() -> None:
    sup = Supervisor(SystemClock())
    never, asked, drained = threading.Event(), threading.Event(), threading.Event()

    def drains() -> None:
        asked.wait(BOUND_S)
        drained.set()

    sup.start("source gate", until(never), phase=0)
    sup.start("delivery", drains, ask_to_end=asked.set, phase=1)
    try:
        with pytest.raises(StageError, match=r"^did not end within 0\.2 s: source gate$"):
            sup.stop(0.2)
        assert drained.is_set()
    finally:
        never.set()


def test_one_that_cannot_be_asked_keeps_nobody_else_from_being_asked() -> None:
    sup, _ = supervisor()
    asked = threading.Event()

    def broken() -> None:
        raise OSError

    sup.start("a", until(sup.stopping), ask_to_end=broken)
    sup.start("b", until(asked), ask_to_end=asked.set)
    sup.stop(BOUND_S)
    assert asked.is_set()


def test_dead_names_what_should_run_and_does_not() -> None:
    sup, _ = supervisor()
    sup.start("lives", until(sup.stopping))
    sup.start("recording", lambda: None, may_end=True)
    assert sup.dead() == ()
    sup.start("dies", lambda: None)
    assert sup.stopping.wait(BOUND_S)
    with pytest.raises(StageError):
        sup.stop(BOUND_S)
    assert "dies" in sup.dead()
    assert "recording" not in sup.dead()
