"""A site's threads from start to stop: in order, within the deadline, and what is late by name."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from streamproc.alerts.evidence_desk import HOLD_RESOLUTION_S
from streamproc.alerts.evidence_threads import EvidenceThreads
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.sinks import Outgoing
from streamproc.config import EvidenceSettings
from streamproc.errors import SinkError, StageError
from streamproc.observability.metrics import Metrics
from streamproc.pipeline import CameraParts, Hub, Site
from streamproc.runtime.clock import SystemClock
from streamproc.runtime.supervisor import Supervisor
from streamproc.testing import FakeClock
from streamproc.testing_deduction import observed
from streamproc.testing_wiring import FakeDelivery, FakeUnit, HeldGate
from streamproc.types import ObservedWindow

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)


class Line:
    def __init__(self) -> None:
        self.watched: list[ObservedWindow] = []
        self.fails: Exception | None = None
        self.held: HeldGate | None = None
        self.seen = threading.Semaphore(0)

    def watch(self, window: ObservedWindow, decode_ms: float) -> None:
        if self.held is not None:
            self.held.hold()
        self.watched.append(window)
        self.seen.release()
        if self.fails is not None:
            raise self.fails


class Desk:
    def __init__(self) -> None:
        self.ticked = threading.Event()

    def tick(self) -> list[object]:
        self.ticked.set()
        return []


class Built:
    """A site with fakes for its cameras and deliveries, and real lanes, workers, outbox and supervisor."""

    def __init__(self, folder: Path, *, clock: Any = None) -> None:
        self.journal: list[str] = []
        self.clock: Any = clock or SystemClock()
        self.metrics = Metrics(["gate", "yard"])
        self.hub = Hub("site", self.metrics, self.clock)
        self.units = {name: FakeUnit(self.journal, name) for name in ("gate", "yard")}
        self.lines = {name: Line() for name in self.units}
        self.desks = {name: Desk() for name in self.units}
        self.deliveries = [FakeDelivery(self.journal, "kafka"), FakeDelivery(self.journal, "jsonl")]
        self.outbox = Outbox(folder / "outbox.sqlite3", ["kafka"], FakeClock(AT))
        self.threads = EvidenceThreads()
        self.evidence = EvidenceSettings(directory=folder / "evidence", retention_days=10)
        self.supervisor = Supervisor(self.clock)
        parts = {
            name: CameraParts(
                cast(Any, unit), cast(Any, None), cast(Any, self.desks[name]), cast(Any, self.lines[name])
            )
            for name, unit in self.units.items()
        }
        self.site = Site(
            self.hub,
            parts,
            cast(Any, self.deliveries),
            self.outbox,
            self.threads,
            self.evidence,
            self.clock,
            self.supervisor,
            4,
            self.metrics,
        )


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path)


def test_it_starts_what_takes_before_what_gives(built: Built) -> None:
    built.site.start()
    names = [thread.name for thread in threading.enumerate()]
    assert [name for name in ("worker-0", "worker-1", "worker-2") if name in names] == ["worker-0", "worker-1"]
    built.site.stop(5)
    assert built.journal[:4] == [
        "start delivery kafka",
        "start delivery jsonl",
        "start camera gate",
        "start camera yard",
    ]


def test_it_stops_in_the_order_in_which_data_flows(built: Built) -> None:
    built.site.start()
    line = built.lines["gate"]
    built.hub.window(observed(1.0))
    assert line.seen.acquire(timeout=5)
    del built.journal[:]
    built.site.stop(5)
    assert built.journal == [
        "ask camera gate",
        "ask camera yard",
        "stop camera gate",
        "stop camera yard",
        "drain kafka",
        "drain jsonl",
        "stop delivery kafka",
        "stop delivery jsonl",
    ]
    assert [window.window.end_s for window in line.watched] == [1.0]
    with pytest.raises(SinkError):
        built.outbox.pending("kafka")  # it was closed


def test_what_is_decided_at_the_end_still_gets_its_evidence_before_the_outbox_is_drained(built: Built) -> None:
    built.site.start()
    built.threads.put(lambda: built.journal.append("evidence"), encodes=False)
    built.site.stop(5)
    assert built.journal.index("evidence") < built.journal.index("drain kafka")


def test_evidence_that_takes_too_long_holds_up_neither_the_end_nor_its_alert(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamproc.pipeline._EVIDENCE_S", 0.05)
    over = threading.Event()

    def takes_long() -> None:
        over.wait(10.0)

    built.site.start()
    built.threads.put(takes_long, encodes=True)
    built.outbox.decide([Outgoing("gate-1", "gate", b"{}")], hold_s={"gate-1": 99.0})
    held: list[bool] = []

    def drain(timeout_s: float) -> int:
        held.append(built.outbox.holds("gate-1"))
        return 0

    monkeypatch.setattr(built.deliveries[0], "drain", drain)
    built.site.stop(5)
    over.set()
    assert held == [False]


def test_windows_in_the_lanes_are_still_decided_about(built: Built) -> None:
    built.hub.window(observed(1.0))
    built.site.start()
    built.site.stop(5)
    assert len(built.lines["gate"].watched) == 1


def test_what_is_late_is_named_and_the_rest_is_ended(built: Built) -> None:
    line = built.lines["gate"]
    line.held = HeldGate()
    late_unit, late_delivery = (
        FakeUnit(built.journal, "gate", late=True),
        FakeDelivery(built.journal, "kafka", late=True),
    )
    parts = {"gate": CameraParts(cast(Any, late_unit), cast(Any, None), cast(Any, Desk()), cast(Any, line))}
    site = Site(
        built.hub,
        parts,
        cast(Any, [late_delivery, FakeDelivery(built.journal, "jsonl")]),
        built.outbox,
        EvidenceThreads(),
        built.evidence,
        built.clock,
        built.supervisor,
        1,
        built.metrics,
    )
    site.start()
    built.hub.window(observed(1.0))
    assert line.held.reached.wait(5)
    with pytest.raises(StageError, match=r"worker-0; did not end within 0\.4 s: camera gate, delivery kafka$"):
        site.stop(0.4)
    assert "stop delivery jsonl" in built.journal
    line.held.release.set()
    assert built.outbox.pending("kafka") == ()  # left open for whoever is late
    built.outbox.close()


def test_a_stage_that_died_is_what_the_end_says(built: Built) -> None:
    built.site.start()

    def dies() -> None:
        raise RuntimeError("fell over")

    built.supervisor.start("extra", dies, on_failure="stop")
    assert built.supervisor.stopping.wait(5)
    with pytest.raises(StageError, match="stage extra: RuntimeError: fell over"):
        built.site.stop(5)
    assert built.journal[-1] == "stop delivery jsonl"


def test_alerts_that_wait_are_kept_and_said(built: Built) -> None:
    built.deliveries[0] = FakeDelivery(built.journal, "kafka", waiting=3)
    site = Site(
        built.hub,
        {},
        cast(Any, built.deliveries),
        built.outbox,
        EvidenceThreads(),
        built.evidence,
        built.clock,
        built.supervisor,
        1,
        built.metrics,
    )
    site.start()
    with capture_logs() as said:
        site.stop(5)
    assert {"event": "outbox_kept", "sink": "kafka", "pending": 3, "log_level": "warning"} in said


def test_an_outbox_that_cannot_be_read_does_not_keep_the_deliveries_from_their_end(built: Built) -> None:
    built.site.start()
    built.deliveries[0].fails = SinkError("the disk failed")
    with capture_logs() as said:
        built.site.stop(5)
    assert [row["event"] for row in said] == ["outbox_unreadable"]
    assert built.journal[-3:] == ["drain jsonl", "stop delivery kafka", "stop delivery jsonl"]


def test_a_site_that_was_never_started_can_be_stopped(built: Built) -> None:
    built.site.stop(5)
    assert not any(entry.startswith(("start", "drain")) for entry in built.journal)  # nothing would deliver


def test_a_window_that_fails_is_its_cameras_loss_and_the_worker_goes_on(built: Built) -> None:
    built.site.start()
    line = built.lines["gate"]
    line.fails = RuntimeError("a bug")
    with capture_logs() as said:
        for end_s in (1.0, 2.0):
            built.hub.window(observed(end_s))
            assert line.seen.acquire(timeout=5)
        built.site.stop(5)
    assert [row["event"] for row in said] == ["window_failed"] * 2
    assert built.hub.take_dropped("gate") == 2


def test_it_is_finished_when_every_camera_has_come_to_its_end(built: Built) -> None:
    built.units["gate"].ended = True
    assert not built.site.finished()
    built.units["yard"].ended = True
    assert built.site.finished()
    built.site.stop(5)


def test_the_evidence_of_recordings_that_ended_is_waited_for_as_long_as_alerts_are_held(tmp_path: Path) -> None:
    clock = FakeClock(AT)
    built = Built(tmp_path, clock=clock)
    for unit in built.units.values():
        unit.ended = True
    built.threads.put(lambda: None, encodes=True)
    assert not built.site.finished()
    clock.advance(HOLD_RESOLUTION_S - 0.1)
    assert not built.site.finished()
    clock.advance(0.2)
    assert built.site.finished()
    built.threads.start()
    assert built.threads.stop(5)
    clock.advance(-10.0)
    assert built.site.finished()  # all of it is made
    built.site.stop(5)


def test_the_caretaker_looks_after_silent_cameras_and_old_evidence(tmp_path: Path) -> None:
    built = Built(tmp_path, clock=SlowClock())
    old = built.evidence.directory / "gate" / "2026-11-01" / "a-1.jpg"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"jpeg")
    built.outbox.decide([Outgoing("a-1", "gate", b"{}")])
    built.outbox.delivered("kafka", ["a-1"])
    built.site.start()
    assert built.desks["gate"].ticked.wait(5)
    assert built.desks["yard"].ticked.wait(5)
    assert built.clock.swept.wait(5)
    assert not old.exists()
    assert built.metrics.registry.get_sample_value("streamproc_evidence_deleted_total", {"reason": "age"}) == 1
    assert list(built.outbox.journal()) == []
    built.site.stop(5)


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), RuntimeError("a bug")])
def test_what_keeps_evidence_from_being_deleted_keeps_no_message_and_no_silent_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    built = Built(tmp_path, clock=SlowClock(rounds=3))
    built.outbox.decide([Outgoing("a-1", "gate", b"{}")])
    built.outbox.delivered("kafka", ["a-1"])
    sweeps: list[object] = []

    def fails(*_: object) -> None:
        sweeps.append(1)
        raise fault

    monkeypatch.setattr("streamproc.alerts.retention.delete_evidence", fails)
    built.site.start()
    assert built.desks["gate"].ticked.wait(5)  # in the round after the failure
    assert list(built.outbox.journal()) == []
    built.site.stop(5)
    assert len(sweeps) == 1


def test_an_outbox_that_cannot_forget_still_has_room_made_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Built(tmp_path, clock=SlowClock())
    old = built.evidence.directory / "gate" / "2026-11-01" / "a-1.jpg"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"jpeg")

    def full(*_: object) -> int:
        raise SinkError("the disk is full")

    monkeypatch.setattr(built.outbox, "purge", full)
    built.site.start()
    assert built.clock.swept.wait(5)
    assert not old.exists()
    built.site.stop(5)


class SlowClock(SystemClock):
    """Years ahead, and in no hurry: a wait is a hundredth of a second, and after the first ``rounds`` one of them ends
    never."""

    def __init__(self, rounds: int = 1) -> None:
        self.rounds = rounds
        self.swept = threading.Event()

    def now(self) -> datetime:
        return AT + timedelta(days=4000)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.rounds -= 1
        if self.rounds < 0:
            self.swept.set()
            return event.wait(5)
        return event.wait(0.01)


def test_threads_that_died_are_named_until_the_site_is_told_to_stop(built: Built) -> None:
    built.site.start()
    assert built.site.dead() == ()
    built.units["yard"].dead = built.deliveries[0].dead = True
    assert built.site.dead() == ("unit-yard", "delivery-kafka")
    built.site.stop(5)
    assert built.site.dead() == ()
