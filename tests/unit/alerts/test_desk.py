"""The desk: verdict in, decided alert out; evidence, the outbox, what fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from streamproc.alerts.compose import NOT_READY, Origin
from streamproc.alerts.desk import AlertDesk
from streamproc.alerts.evidence import EvidenceWriter
from streamproc.alerts.evidence_desk import HOLD_RESOLUTION_S, HOLD_S, QUEUE_FULL, EvidenceDesk, Threads
from streamproc.alerts.evidence_threads import Task
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.message import Action, Alert
from streamproc.alerts.outbox import Outbox
from streamproc.config import CameraSettings, EvidenceSettings, IncidentSettings, Schedule, SiteIdentity
from streamproc.errors import SinkError
from streamproc.testing import FakeClock
from streamproc.testing_alerts import START, verdict_at
from streamproc.testing_sources import write_clip
from streamproc.types import Explained, ModelRef, Packet, PacketBatch, StreamInfo

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
class Later:
    """Does tasks when it is told to."""

    room: int = 9
    tasks: list[Task] = field(default_factory=list)
    encodes: list[bool] = field(default_factory=list)
    resolves: list[bool] = field(default_factory=list)
    sizes_bytes: list[int] = field(default_factory=list)

    def put(self, task: Task, *, encodes: bool, resolves: bool, size_bytes: int, camera_id: str) -> bool:
        assert camera_id == CAMERA.id
        if len(self.tasks) >= self.room:
            return False
        self.tasks.append(task)
        self.encodes.append(encodes)
        self.resolves.append(resolves)
        self.sizes_bytes.append(size_bytes)
        return True

    def work(self) -> None:
        while self.tasks:
            self.tasks.pop(0)()


@dataclass
class Office:
    path: Path
    outbox: Outbox
    counts: Counts = field(default_factory=Counts)
    told: list[Alert] = field(default_factory=list)
    ring: NoRing = field(default_factory=NoRing)
    clock: FakeClock = field(default_factory=lambda: FakeClock(START))

    def waiting(self) -> list[Alert]:
        """What a delivery would take now."""
        return [Alert.model_validate_json(one.body) for one in self.outbox.pending("kafka")]

    def desk(
        self,
        *,
        evidence: bool = False,
        schedules: tuple[Schedule, ...] = (),
        threads: Threads | None = None,
        explained: Callable[[], Sequence[Explained]] = tuple,
    ) -> AlertDesk:
        settings = EvidenceSettings(directory=self.path / "evidence", before_s=5)
        writer = EvidenceWriter(settings, CAMERA)
        made = EvidenceDesk(writer, self.outbox, self.ring, threads=threads, metrics=self.counts)
        return AlertDesk(
            Origin(SiteIdentity(id="yard"), CAMERA),
            Incidents("yard", "gate", IncidentSettings(), schedules=schedules, stored=self.outbox.incidents("gate")),
            self.outbox,
            evidence=made if evidence else None,
            on_ready=self.told.append,
            metrics=self.counts,
            clock=self.clock,
            explained=explained,
        )


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock = FakeClock(START)
    outbox = Outbox(tmp_path / "outbox.sqlite3", ("kafka",), clock)
    yield Office(tmp_path, outbox, clock=clock)
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


def test_a_defect_that_is_over_before_its_words_came_has_them_in_its_resolution(office: Office) -> None:
    model = ModelRef("explanation", "vlm", "1")
    said: list[Explained] = []
    desk = office.desk(explained=lambda: said)
    (opened,) = desk.feed(replace(verdict_at(2.0), kind="defect"))
    said += [Explained('The model vlm, shown a valve: "Rust."', model), Explained("", missing="no explanation: busy")]
    desk.feed(replace(verdict_at(3.0), kind="defect"))
    (resolved,) = desk.feed(replace(verdict_at(9.0, alarm=False), kind="defect"))
    assert resolved.data.reason == (
        f'No alarm for 5 s. It was: {opened.data.reason} The model vlm, shown a valve: "Rust."'
    )
    assert [one.name for one in resolved.data.models] == [*(one.name for one in opened.data.models), "vlm"]
    assert "no explanation: busy" in resolved.data.pipeline.degraded


def test_what_the_last_message_said_is_not_said_twice_nor_of_what_people_do(office: Office) -> None:
    words = Explained('The model vlm, shown a valve: "Rust."', ModelRef("explanation", "vlm", "1"))
    missing = Explained("", missing="no explanation: busy")
    desk = office.desk(explained=lambda: [words, missing])
    first = replace(verdict_at(2.0), kind="defect")
    desk.feed(replace(first, reason=f"{first.reason} {words.text}", degraded=(missing.missing,)))
    (resolved,) = desk.feed(replace(verdict_at(9.0, alarm=False), kind="defect"))
    assert resolved.data.reason.count("Rust.") == 1
    assert resolved.data.pipeline.degraded == ()
    desk.feed(verdict_at(10.0))
    (other,) = desk.feed(verdict_at(20.0, alarm=False))
    assert "Rust." not in other.data.reason


def test_what_several_things_have_in_common_is_said_once(office: Office) -> None:
    vlm = ModelRef("explanation", "vlm", "1")  # the same words need not be of the same model
    words = [Explained("Rust."), Explained("Rust.", vlm), Explained("", missing="busy"), Explained("", vlm, "busy")]
    desk = office.desk(explained=lambda: words)
    desk.feed(replace(verdict_at(2.0), kind="defect"))
    (resolved,) = desk.feed(replace(verdict_at(9.0, alarm=False), kind="defect"))
    assert resolved.data.reason.count("Rust.") == 1
    assert resolved.data.pipeline.degraded == ("busy",)


class Words:
    """Is there until it is taken."""

    def __init__(self) -> None:
        self.said: list[Explained] = []

    def take(self) -> list[Explained]:
        said, self.said = self.said, []
        return said


def test_words_are_taken_where_an_incident_begins_and_where_it_ends_and_not_between(office: Office) -> None:
    words = Words()
    desk = office.desk(explained=words.take, schedules=(Schedule(hours="20:00-22:00"),))
    first = replace(verdict_at(2.0), kind="defect")
    words.said.append(Explained("Of before."))
    assert [one.data.action for one in desk.feed(first)] == ["suppress"]
    assert words.said == []
    words.said.append(Explained("Of what was not watched."))
    desk.feed(replace(verdict_at(9.0, alarm=False), kind="defect"))
    assert words.said == []


def test_words_of_a_resolution_that_could_not_be_stored_are_in_it_when_it_can(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = Words()
    desk = office.desk(explained=words.take)
    desk.feed(replace(verdict_at(2.0), kind="defect"))
    words.said.append(Explained("Rust."))

    def full(*_: object) -> None:
        raise SinkError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(office.outbox, "decide", full)
        with pytest.raises(SinkError):
            desk.feed(replace(verdict_at(9.0, alarm=False), kind="defect"))
    (resolved,) = desk.feed(replace(verdict_at(10.0, alarm=False), kind="defect"))
    assert resolved.data.reason.endswith("Rust.")
    desk.feed(replace(verdict_at(20.0), kind="defect"))
    (other,) = desk.feed(replace(verdict_at(29.0, alarm=False), kind="defect"))
    assert "Rust." not in other.data.reason


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
    office.desk(evidence=True).feed(verdict_at(20.0), PICTURE)
    (alert,) = office.told
    assert alert.data.evidence.snapshot_uri is not None
    assert alert.data.evidence.clip_uri is None
    assert alert.data.pipeline.degraded == ("no clip: no packets of that time are held",)
    assert office.counts.failed == 1


def test_a_clip_is_cut_from_before_the_incidents_start_and_for_an_update_there_is_its_window(office: Office) -> None:
    desk = office.desk(evidence=True)
    for second in range(20, 32, 2):
        desk.feed(verdict_at(float(second)), PICTURE)
    desk.feed(verdict_at(0.5, run=2, captured_at=START + timedelta(seconds=34.5)), PICTURE)
    desk.feed(verdict_at(4.5, run=2, captured_at=START + timedelta(seconds=40.5)), PICTURE)
    desk.feed(verdict_at(10.5, run=2, alarm=False, captured_at=START + timedelta(seconds=46.5)), PICTURE)
    assert office.ring.asked == [(1, 15.0, 20.0), (1, 29.0, 30.0), (2, 3.5, 4.5), (2, 0.0, 10.5)]


def test_a_run_that_has_not_seen_the_incident_makes_no_clip_of_it(office: Office) -> None:
    desk = office.desk(evidence=True)
    desk.feed(verdict_at(20.0), PICTURE)
    desk.feed(verdict_at(3.0, run=2, alarm=False, captured_at=START + timedelta(seconds=30)), PICTURE)
    assert office.ring.asked == [(1, 15.0, 20.0)]
    opened, resolved = office.told
    assert resolved.data.evidence == opened.data.evidence


def test_evidence_that_is_less_than_wanted_is_said_and_is_no_failure(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with av.open(str(write_clip(tmp_path / "sub.mp4", count=20, options={"bf": "0"}))) as container:
        video = container.streams.video[0]
        stream = StreamInfo("h264", video.width, video.height, 10.0, bytes(video.codec_context.extradata or b""))
        raw = [(bytes(one), one.is_keyframe) for one in container.demux(video) if one.size]
    packets = tuple(Packet("gate", 1, i / 10, i / 10, START, key, data) for i, (data, key) in enumerate(raw))
    batch = PacketBatch(stream, packets, ("evidence is of the sub-stream",))
    monkeypatch.setattr(office.ring, "clip", lambda *_: batch)
    office.desk(evidence=True).feed(verdict_at(1.5), PICTURE)
    (alert,) = office.told
    assert alert.data.evidence.clip_uri is not None
    assert alert.data.pipeline.degraded == ("evidence is of the sub-stream",)
    assert office.counts.failed == 0


def test_a_resolution_keeps_the_last_picture(office: Office) -> None:
    desk = office.desk(evidence=True)
    desk.feed(verdict_at(20.0), PICTURE)
    desk.feed(verdict_at(26.0, alarm=False), PICTURE)
    opened, resolved = office.told
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


def test_an_alert_is_decided_before_its_evidence_and_goes_out_with_it(office: Office) -> None:
    later = Later()
    (decided,) = office.desk(evidence=True, threads=later).feed(verdict_at(20.0), PICTURE)
    assert [entry.id for entry in office.outbox.journal()] == [decided.id]
    assert (office.waiting(), office.told) == ([], [])
    later.work()
    (alert,) = office.waiting()
    assert office.told == [alert]
    assert alert.data.evidence.snapshot_uri is not None
    assert NOT_READY not in alert.data.pipeline.degraded


def test_messages_of_an_incident_keep_their_order_and_name_what_came_before(office: Office) -> None:
    later = Later()
    desk = office.desk(evidence=True, threads=later)
    desk.feed(verdict_at(20.0), PICTURE)
    desk.feed(verdict_at(21.0, severity="critical"), PICTURE)
    desk.finish(START, "The camera is gone.")
    later.tasks[0]()
    assert [alert.data.action for alert in office.waiting()] == ["open"]
    del later.tasks[0]
    later.work()
    opened, updated, resolved = office.waiting()
    assert opened.data.evidence.snapshot_uri != updated.data.evidence.snapshot_uri
    assert resolved.data.evidence == updated.data.evidence
    assert resolved.data.pipeline.degraded == ()


def test_where_too_much_waits_an_alert_goes_out_at_once_and_says_so(office: Office) -> None:
    office.desk(evidence=True, threads=Later(room=0)).feed(verdict_at(20.0), PICTURE)
    (alert,) = office.waiting()
    assert alert.data.evidence.snapshot_uri is None
    assert alert.data.pipeline.degraded == (QUEUE_FULL,)
    assert office.counts.failed == 1


def test_an_alert_does_not_wait_long_and_what_came_too_late_is_named_by_the_next(office: Office) -> None:
    later = Later()
    desk = office.desk(evidence=True, threads=later)
    desk.feed(verdict_at(20.0), PICTURE)
    office.clock.advance(HOLD_S - 0.1)
    assert office.waiting() == []
    office.clock.advance(0.2)
    (alert,) = office.waiting()
    assert alert.data.pipeline.degraded == (NOT_READY,)
    later.work()
    assert office.waiting() == [alert]
    assert office.counts.failed == 1
    desk.finish(START, "The recording ended.")
    later.work()
    late = office.waiting()[-1].data.evidence.snapshot_uri
    assert late is not None
    assert Path(late.removeprefix("file://")).exists()


def test_a_resolution_waits_longer_but_keeps_no_opening_waiting(office: Office) -> None:
    later = Later()
    desk = office.desk(evidence=True, threads=later)
    desk.feed(verdict_at(20.0), PICTURE)
    later.work()
    desk.feed(verdict_at(26.0, alarm=False), PICTURE)
    office.clock.advance(HOLD_RESOLUTION_S - HOLD_S - 1)
    assert [alert.data.action for alert in office.waiting()] == ["open"]
    desk.feed(verdict_at(30.0), PICTURE)
    office.clock.advance(HOLD_S - 0.1)
    assert [alert.data.action for alert in office.waiting()] == ["open"]
    office.clock.advance(0.2)
    assert [alert.data.action for alert in office.waiting()] == ["open", "resolve", "open"]


def test_what_a_killed_process_held_is_free_and_says_that_its_evidence_is_missing(office: Office) -> None:
    desk = office.desk(evidence=True, threads=Later())
    desk.feed(verdict_at(20.0), PICTURE)
    office.outbox.close()
    office.outbox = Outbox(office.path / "outbox.sqlite3", ("kafka",), office.clock)
    (alert,) = office.waiting()
    assert alert.data.pipeline.degraded == (NOT_READY,)
    (resolved,) = office.desk().finish(START, "Over.")
    assert resolved.data.pipeline.degraded == ()


def test_after_a_restart_a_resolution_names_the_evidence_that_its_opening_went_out_with(office: Office) -> None:
    office.desk(evidence=True).feed(verdict_at(20.0), PICTURE)
    (opened,) = office.told
    (resolved,) = office.desk().finish(START, "Over.")
    assert resolved.data.evidence == opened.data.evidence


def test_what_could_not_be_decided_leaves_no_evidence(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise SinkError("the disk is full")

    later = Later()
    monkeypatch.setattr(office.outbox, "decide", full)
    with pytest.raises(SinkError):
        office.desk(evidence=True, threads=later).feed(verdict_at(20.0), PICTURE)
    assert later.tasks == []
    with pytest.raises(SinkError):
        office.desk(evidence=True).feed(verdict_at(20.0), PICTURE)
    assert not (office.path / "evidence").exists()


@pytest.mark.parametrize("alarm", [True, False])
def test_an_alert_is_decided_though_its_packets_cannot_be_gathered(
    office: Office, monkeypatch: pytest.MonkeyPatch, alarm: bool
) -> None:
    def fails(*_: object) -> PacketBatch:
        raise RuntimeError("a bug")

    desk = office.desk(evidence=True)
    if not alarm:
        desk.feed(verdict_at(10.0), PICTURE)
    monkeypatch.setattr(office.ring, "clip", fails)
    desk.feed(verdict_at(20.0, alarm=alarm), PICTURE)
    alert = office.waiting()[-1]
    assert alert.data.action == ("open" if alarm else "resolve")
    assert alert.data.evidence.snapshot_uri is not None
    assert "no packets could be gathered: RuntimeError" in alert.data.pipeline.degraded


def test_a_body_that_cannot_be_completed_goes_out_as_it_was_stored(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise SinkError("the disk is full")

    monkeypatch.setattr(office.outbox, "complete", full)
    later = Later()
    office.desk(evidence=True, threads=later).feed(verdict_at(20.0), PICTURE)
    later.work()
    assert office.told == []
    assert office.waiting() == []
    office.clock.advance(HOLD_S)
    assert [alert.data.pipeline.degraded for alert in office.waiting()] == [(NOT_READY,)]


def test_the_threads_are_told_of_resolutions_and_of_what_waits_in_memory(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = tuple(Packet("gate", 1, 20.0, 20.0, START, True, bytes(1000)) for _ in range(3))
    held = PacketBatch(StreamInfo("h264", 64, 48, 10.0, b""), packets)
    monkeypatch.setattr(office.ring, "clip", lambda *_: held)
    later = Later()
    desk = office.desk(evidence=True, threads=later)
    desk.feed(verdict_at(20.0), PICTURE)
    desk.feed(verdict_at(26.0, alarm=False))
    assert later.resolves == [False, True]
    assert later.sizes_bytes == [PICTURE.nbytes + 3000, 3000]


def test_a_replay_tells_an_alert_whose_body_cannot_be_completed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise SinkError("the disk is full")

    monkeypatch.setattr(office.outbox, "complete", full)
    office.desk(evidence=True).feed(verdict_at(20.0), PICTURE)
    (alert,) = office.told
    assert alert.data.evidence.snapshot_uri is not None


def test_a_camera_whose_clips_are_encoded_again_stays_with_the_thread_for_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Later()
    desk = office.desk(evidence=True, threads=later)
    desk.feed(verdict_at(20.0), PICTURE)
    for second, codec in ((31, "mjpeg"), (42, "h264")):
        cut = PacketBatch(StreamInfo(codec, 64, 48, 10.0, b""), ())
        monkeypatch.setattr(office.ring, "clip", lambda *_, cut=cut: cut)
        desk.feed(verdict_at(float(second)), PICTURE)
    desk.finish(START, "Over.")
    assert later.encodes == [False, True, True, True, True, True]


def test_nothing_is_kept_of_an_incident_that_was_resolved(office: Office) -> None:
    later = Later()
    exhibits = EvidenceDesk(EvidenceWriter(EvidenceSettings(), CAMERA), office.outbox, None, threads=later)
    desk = AlertDesk(
        Origin(SiteIdentity(id="yard"), CAMERA),
        Incidents("yard", "gate", IncidentSettings()),
        office.outbox,
        evidence=exhibits,
    )
    for room, seconds in ((1, 20.0), (9, 40.0)):
        later.room = room  # with room for one, the resolution goes out at once
        desk.feed(verdict_at(seconds))
        desk.finish(START + timedelta(seconds=seconds + 2), "Over.")
        later.work()
    assert exhibits._made == {}
