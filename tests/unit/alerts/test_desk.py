"""The desk: verdict in, decided alert out; evidence, the outbox, what fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from streamproc.alerts.compose import Origin
from streamproc.alerts.desk import AlertDesk
from streamproc.alerts.evidence import EvidenceWriter
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.message import Action, Alert
from streamproc.alerts.outbox import Outbox
from streamproc.config import CameraSettings, EvidenceSettings, IncidentSettings, Schedule, SiteIdentity
from streamproc.errors import SinkError
from streamproc.testing import FakeClock
from streamproc.testing_alerts import START, verdict_at
from streamproc.types import PacketBatch

CAMERA = CameraSettings(id="gate", main="rtsp://cam/1")
PICTURE = np.zeros((90, 120, 3), np.uint8)


class NoRing:
    """A ring that holds nothing and notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float, float]] = []

    def clip(self, run: int, start_s: float, end_s: float) -> PacketBatch | None:
        self.asked.append((run, start_s, end_s))
        return None


@dataclass
class Counts:
    decided: list[Action] = field(default_factory=list)
    open: int = -1
    failed: int = 0
    latencies_s: list[float] = field(default_factory=list)

    def latency(self, stage: str, seconds: float) -> None:
        self.latencies_s.append(seconds)

    def alert_decided(self, camera_id: str, action: Action) -> None:
        self.decided.append(action)

    def incidents_open(self, camera_id: str, count: int) -> None:
        self.open = count

    def evidence_failed(self, camera_id: str) -> None:
        self.failed += 1


@dataclass
class Office:
    path: Path
    outbox: Outbox
    counts: Counts = field(default_factory=Counts)
    told: list[Alert] = field(default_factory=list)
    ring: NoRing = field(default_factory=NoRing)
    clock: FakeClock = field(default_factory=lambda: FakeClock(START))

    def desk(self, *, evidence: bool = False, schedules: tuple[Schedule, ...] = ()) -> AlertDesk:
        settings = EvidenceSettings(directory=self.path / "evidence", before_s=5)
        return AlertDesk(
            Origin(SiteIdentity(id="yard"), CAMERA),
            Incidents("yard", "gate", IncidentSettings(), schedules=schedules, stored=self.outbox.incidents("gate")),
            self.outbox,
            evidence=EvidenceWriter(settings, CAMERA) if evidence else None,
            ring=self.ring,
            on_decided=self.told.append,
            metrics=self.counts,
            clock=self.clock,
        )


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    outbox = Outbox(tmp_path / "outbox.sqlite3", ("kafka",))
    yield Office(tmp_path, outbox)
    outbox.close()


def test_a_decided_alert_is_in_the_outbox_with_its_incident(office: Office) -> None:
    (alert,) = office.desk().feed(verdict_at(2.0))
    (stored,) = office.outbox.pending("kafka")
    assert (stored.id, stored.key) == (alert.id, "gate")
    assert Alert.model_validate_json(stored.body) == alert
    assert len(office.outbox.incidents("gate")) == 1
    assert office.told == [alert]
    assert office.counts.decided == ["open"]
    assert office.counts.open == 1
    assert len(office.counts.latencies_s) == 1


def test_the_incident_ends_in_the_outbox_too(office: Office) -> None:
    desk = office.desk()
    desk.feed(verdict_at(2.0))
    (resolved,) = desk.feed(verdict_at(8.0, alarm=False))
    assert resolved.data.action == "resolve"
    assert office.outbox.incidents("gate") == ()
    assert office.counts.open == 0


def test_a_desk_after_a_restart_goes_on_with_the_incident(office: Office) -> None:
    (first,) = office.desk().feed(verdict_at(2.0))
    office.clock.advance(3600)
    (resolved,) = office.desk().tick()
    assert resolved.id == f"{first.data.alert_id}-2"
    assert [entry.id for entry in office.outbox.journal()] == [first.id, resolved.id]


def test_what_the_outbox_cannot_store_is_decided_on_the_next_verdict(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = office.desk()

    def full(*_: object) -> None:
        raise SinkError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(office.outbox, "decide", full)
        with pytest.raises(SinkError):
            desk.feed(verdict_at(2.0))
    assert office.told == []
    (alert,) = desk.feed(verdict_at(3.0))
    assert alert.data.action == "open"
    assert alert.data.start == START + timedelta(seconds=3)


def test_the_same_footage_again_is_recognised_and_not_told_twice(office: Office) -> None:
    verdicts = [verdict_at(float(s), alarm=s < 3) for s in range(10)]
    desk = office.desk()
    first = [alert.id for verdict in verdicts for alert in desk.feed(verdict)]
    desk = office.desk()
    again = [alert.id for verdict in verdicts for alert in desk.feed(verdict)]
    assert len(first) == 2
    assert again == []
    assert [entry.id for entry in office.outbox.journal()] == first


def test_missing_evidence_is_said_in_the_alert_which_goes_out(office: Office) -> None:
    (alert,) = office.desk(evidence=True).feed(verdict_at(20.0), PICTURE)
    assert alert.data.evidence.snapshot_uri is not None
    assert alert.data.evidence.clip_uri is None
    assert alert.data.pipeline.degraded == ("no clip: no packets of that time are held",)
    assert office.counts.failed == 1


def test_the_clip_is_cut_from_before_the_incidents_start(office: Office) -> None:
    desk = office.desk(evidence=True)
    for second in range(20, 32, 2):
        desk.feed(verdict_at(float(second)), PICTURE)
    desk.feed(verdict_at(0.5, run=2, captured_at=START + timedelta(seconds=34.5)), PICTURE)
    desk.feed(verdict_at(4.5, run=2, captured_at=START + timedelta(seconds=40.5)), PICTURE)
    assert office.ring.asked == [(1, 15.0, 20.0), (1, 15.0, 30.0), (2, 0.0, 4.5)]


def test_a_resolution_keeps_the_last_picture(office: Office) -> None:
    desk = office.desk(evidence=True)
    (opened,) = desk.feed(verdict_at(20.0), PICTURE)
    (resolved,) = desk.feed(verdict_at(26.0, alarm=False), PICTURE)
    assert resolved.data.evidence.snapshot_uri == opened.data.evidence.snapshot_uri
    assert resolved.data.pipeline.degraded == ()


def test_a_suppressed_alarm_is_told_once_without_evidence(office: Office) -> None:
    desk = office.desk(evidence=True, schedules=(Schedule(hours="20:00-22:00"),))
    (alert,) = desk.feed(verdict_at(2.0), PICTURE)
    assert alert.data.action == "suppress"
    assert alert.data.evidence.snapshot_uri is None
    assert desk.feed(verdict_at(3.0), PICTURE) == []
    assert office.counts.open == 0
    assert desk.finish(START, "The recording ended.") == []
    assert office.outbox.incidents("gate") == ()
