"""Delivery: order, failures for ever, refusals, health, draining; without sleeping."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamproc.alerts.delivery import Delivery
from streamproc.alerts.health import Health, part_health
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.sinks import Outgoing
from streamproc.errors import DeliveryError, SinkError
from streamproc.testing import FakeClock
from streamproc.testing_alerts import START, FakeSink


class Counts:
    def __init__(self) -> None:
        self.delivered = self.failed = self.dead = self.health_lost = 0
        self.pending: list[tuple[int, float]] = []
        self.latencies_s: list[float] = []

    def latency(self, stage: str, seconds: float) -> None:
        self.latencies_s.append(seconds)

    def alert_delivered(self, sink: str, count: int = 1) -> None:
        self.delivered += count

    def alerts_pending(self, sink: str, count: int, oldest_s: float = 0.0) -> None:
        self.pending.append((count, oldest_s))

    def delivery_failed(self, sink: str) -> None:
        self.failed += 1

    def health_dropped(self, sink: str) -> None:
        self.health_lost += 1

    def dead_lettered(self, sink: str) -> None:
        self.dead += 1


class Recovering(FakeSink):
    """Down for so many sends, then up; ends the delivery when all was taken."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.tries = 0

    def send(self, messages):  # type: ignore[no-untyped-def]
        self.tries += 1
        self.down = self.tries <= self.failures
        return super().send(messages)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def outbox(tmp_path: Path, clock: FakeClock) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite3", ("kafka",), clock)
    yield box
    box.close()


def fill(outbox: Outbox, count: int) -> list[str]:
    messages = [Outgoing(f"gate-{n}", "gate", b"{}") for n in range(count)]
    return list(outbox.decide(messages))


def health(number: int) -> Health:
    return part_health("yard", "model_server", f"server-{number}", available=True, at=START)


def test_batches_go_in_order_until_nothing_waits(outbox: Outbox, clock: FakeClock) -> None:
    sink, counts = FakeSink(), Counts()
    ids = fill(outbox, 5)
    delivery = Delivery("kafka", sink, outbox, site="yard", metrics=counts, clock=clock, batch=2)
    assert [delivery.run_once() for _ in range(4)] == [True, True, False, False]
    assert [m.id for m in sink.taken] == ids
    assert counts.delivered == 5
    assert counts.pending[0] == (3, 0.0)
    assert counts.pending[-1] == (0, 0.0)


def test_what_is_held_is_not_asked_for_again_at_once(outbox: Outbox, clock: FakeClock) -> None:
    sink = FakeSink()
    outbox.decide([Outgoing("gate-1", "gate", b"{}")], hold_s={"gate-1": 5.0})
    delivery = Delivery("kafka", sink, outbox, site="yard", clock=clock)
    assert not delivery.run_once()
    outbox.complete("gate-1", b"whole")
    delivery.run_once()
    assert [m.body for m in sink.taken] == [b"whole"]


def test_the_time_from_capture_to_the_topic_is_measured(outbox: Outbox, clock: FakeClock) -> None:
    counts = Counts()
    outbox.decide([Outgoing("gate-1", "gate", b'{"time":"2026-11-21T08:00:00Z"}'), Outgoing("gate-2", "gate", b"[]")])
    clock.advance(1.5)
    Delivery("kafka", FakeSink(), outbox, site="yard", metrics=counts, clock=clock).run_once()
    assert counts.latencies_s == [1.5]


def test_what_was_taken_in_part_is_taken_up_there(outbox: Outbox, clock: FakeClock) -> None:
    sink = FakeSink()
    ids = fill(outbox, 5)
    sink.takes_at_most = 2
    delivery = Delivery("kafka", sink, outbox, site="yard", clock=clock)
    while delivery.run_once():
        pass
    assert [m.id for m in sink.taken] == ids


def test_a_refused_message_does_not_hold_up_the_rest(outbox: Outbox, clock: FakeClock) -> None:
    sink, counts = FakeSink(), Counts()
    fill(outbox, 3)
    sink.refuses = {"gate-1": "too large"}
    Delivery("kafka", sink, outbox, site="yard", metrics=counts, clock=clock).run_once()
    assert [m.id for m in sink.taken] == ["gate-0", "gate-2"]
    assert outbox.pending("kafka") == ()
    assert (counts.delivered, counts.dead) == (2, 1)


def test_a_sink_that_takes_nothing_and_says_nothing_counts_as_failing(outbox: Outbox, clock: FakeClock) -> None:
    sink = FakeSink()
    sink.takes_at_most = 0
    fill(outbox, 1)
    with pytest.raises(DeliveryError, match="took none"):
        Delivery("kafka", sink, outbox, site="yard", clock=clock).run_once()


def test_an_outage_is_waited_out_with_growing_jittered_waits_and_told_once(outbox: Outbox, clock: FakeClock) -> None:
    sink, counts, told = Recovering(60), Counts(), list[Health]()
    ids = fill(outbox, 3)
    delivery = Delivery(
        "kafka", sink, outbox, site="yard", metrics=counts, on_health=told.append, clock=clock, longest_wait_s=15
    )
    delivery._retrying()(delivery.run_once)
    assert [m.id for m in sink.taken if m.topic == "alerts"] == ids
    assert sink.tries == 61
    assert counts.failed == 60
    assert len(clock.waits) == 60
    assert max(clock.waits[:2]) <= 0.6
    assert 8 < max(clock.waits) <= 15
    assert len(set(clock.waits)) > 30
    assert [(h.data.state, h.data.pending) for h in told] == [("unavailable", 3), ("available", 0)]
    assert told[0].data.detail == "the fake sink is down"
    assert not delivery.failing
    delivery.run_once()
    assert len(told) == 2


def test_an_outbox_that_fails_is_tried_again(outbox: Outbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FakeSink()
    ids = fill(outbox, 1)
    real, failures = outbox.pending, iter([SinkError("locked"), SinkError("locked")])

    def pending(name: str, limit: int = 100) -> tuple[Outgoing, ...]:
        for failure in failures:
            raise failure
        return real(name, limit)

    monkeypatch.setattr(outbox, "pending", pending)
    delivery = Delivery("kafka", sink, outbox, site="yard", clock=clock)
    delivery._retrying()(delivery.run_once)
    assert [m.id for m in sink.taken if m.topic == "alerts"] == ids


def test_a_crash_between_sending_and_marking_repeats_under_the_same_id(
    outbox: Outbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = FakeSink()
    fill(outbox, 1)
    delivery = Delivery("kafka", sink, outbox, site="yard", clock=clock)
    monkeypatch.setattr(outbox, "delivered", lambda *_: (_ for _ in ()).throw(SinkError("power cut")))
    with pytest.raises(SinkError):
        delivery.run_once()
    monkeypatch.undo()
    delivery.run_once()
    assert [m.id for m in sink.taken] == ["gate-0", "gate-0"]


def test_health_goes_out_after_alerts_and_only_the_newest_are_kept(outbox: Outbox, clock: FakeClock) -> None:
    sink = FakeSink()
    fill(outbox, 1)
    counts = Counts()
    delivery = Delivery("kafka", sink, outbox, site="yard", clock=clock, health_size=2, metrics=counts)
    for number in range(5):
        delivery.health(health(number))
    delivery.run_once()
    assert counts.health_lost == 3
    assert [m.topic for m in sink.taken] == ["alerts", "health", "health"]
    assert [json.loads(m.body)["subject"] for m in sink.taken[1:]] == ["server-3", "server-4"]
    delivery.run_once()
    assert len(sink.taken) == 3


def test_health_waits_while_the_sink_is_down(outbox: Outbox, clock: FakeClock) -> None:
    sink = FakeSink()
    sink.down = True
    delivery = Delivery("kafka", sink, outbox, site="yard", clock=clock)
    delivery.health(health(1))
    assert delivery.run_once() is False  # best effort: it neither fails the round nor has it repeated at once
    assert sink.taken == []
    sink.down = False
    delivery.run_once()
    assert len(sink.taken) == 1


def test_the_thread_delivers_drains_and_stops(tmp_path: Path) -> None:
    with_clock = Outbox(tmp_path / "live.sqlite3", ("kafka",))
    sink = FakeSink()
    delivery = Delivery("kafka", sink, with_clock, site="yard")
    delivery.start()
    ids = fill(with_clock, 20)
    delivery.wake()
    assert delivery.drain(10) == 0
    assert delivery.stop(10)
    assert [m.id for m in sink.taken] == ids
    assert sink.closed
    assert not [t for t in threading.enumerate() if t.name == "delivery-kafka"]
    with_clock.close()


def test_draining_into_a_dead_sink_ends_in_time_and_the_outbox_keeps_the_rest(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "live.sqlite3", ("kafka",))
    sink = FakeSink()
    sink.down = True
    delivery = Delivery("kafka", sink, box, site="yard")
    delivery.start()
    fill(box, 2)
    assert delivery.drain(0.05) >= 2
    assert delivery.stop(10)
    assert len(box.pending("kafka")) == 2
    box.close()


def test_a_send_that_waits_is_ended_by_closing_the_sink(tmp_path: Path) -> None:
    class Waits(FakeSink):
        def __init__(self) -> None:
            super().__init__()
            self.waiting, self.let_go = threading.Event(), threading.Event()

        def send(self, messages):  # type: ignore[no-untyped-def]
            self.waiting.set()
            self.let_go.wait(20)
            raise DeliveryError("closed meanwhile")

        def close(self) -> None:
            super().close()
            self.let_go.set()

    sink = Waits()
    outbox = Outbox(tmp_path / "outbox.sqlite3", ["kafka"])
    outbox.decide([Outgoing("a-1", "gate", b"{}")])
    delivery = Delivery("kafka", sink, outbox, site="yard")
    delivery.start()
    assert sink.waiting.wait(5)
    assert delivery.stop(0.2)
    assert outbox.backlog("kafka")[0] == 1
    outbox.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_unasked_is_dead(outbox: Outbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    well, broken = (Delivery("kafka", FakeSink(), outbox, site="yard", clock=clock) for _ in range(2))
    assert not well.dead
    well.start()
    assert not well.dead
    assert well.stop()
    assert not well.dead

    def fall_over() -> None:
        raise RuntimeError

    monkeypatch.setattr(broken, "run", fall_over)
    broken.start()
    assert broken._thread is not None
    broken._thread.join(5)
    assert broken.dead
    assert broken.stop()
