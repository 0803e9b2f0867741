"""A camera as an endless row of runs, with fake sessions and a fake clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from streamproc.errors import ConfigError, SourceError, SourceRefused, SourceTimeout
from streamproc.secrets import remember
from streamproc.sources.pausing import PAUSE_S
from streamproc.sources.runs import HEALTHY_S, CameraSource
from streamproc.sources.session import Session
from streamproc.testing import FakeClock
from streamproc.testing_sources import FakeOpener, FakeSession, RecordingEmit, raw_packets
from streamproc.types import PacketBatch


class Rig:
    def __init__(self, *sessions: Session | Exception, clock: FakeClock | None = None) -> None:
        self.stop = threading.Event()
        self.clock = clock or FakeClock()
        self.emit = RecordingEmit()
        self.opener = FakeOpener(sessions, self.stop.set)

    def source(self, *, paced: bool = False, start: datetime | None = None) -> CameraSource:
        return CameraSource(
            "gate",
            self.opener,
            self.emit.packets,
            self.emit.state,
            self.clock,
            timeout_s=5.0,
            paced=paced,
            start=start,
            on_dropped=lambda count: self.emit.dropped("gate", "no_keyframe", count),
            on_abandoned=lambda: self.emit.fault("gate", "reader_abandoned"),
        )

    def run(self) -> CameraSource:
        source = self.source()
        source.run(self.stop)
        return source

    def runs(self) -> list[int]:
        return [packet.run for packet in self.emit.packets_kept]


def test_the_end_of_a_live_stream_is_a_disconnect_and_the_next_session_a_new_run() -> None:
    rig = Rig(FakeSession(raw_packets(10)), FakeSession(raw_packets(5)))
    rig.run()
    assert rig.runs() == [1] * 10 + [2] * 5
    assert rig.emit.phases[:5] == ["connecting", "streaming", "lost", "streaming", "lost"]
    assert rig.emit.states[2].detail == "the camera ended the stream"
    assert rig.emit.packets_kept[10].pts_s == 0.0


def test_a_recording_ends() -> None:
    rig = Rig(FakeSession(raw_packets(10), live=False))
    rig.run()
    assert rig.emit.phases == ["connecting", "streaming", "ended"]
    assert rig.opener.opened == 1


def test_a_recording_that_breaks_off_ends_with_the_reason() -> None:
    rig = Rig(FakeSession(raw_packets(10), live=False, error=SourceError("gate", "damaged")))
    rig.run()
    assert (rig.emit.phases[-1], rig.emit.states[-1].detail) == ("ended", "damaged")


def test_packets_before_the_first_keyframe_are_counted() -> None:
    rig = Rig(FakeSession(raw_packets(12, gop=5)[3:]))
    rig.run()
    assert rig.emit.drops == {"no_keyframe": 2}
    assert len(rig.emit.packets_kept) == 7


def test_a_recording_without_a_keyframe_is_an_error() -> None:
    rig = Rig(FakeSession(raw_packets(3)[1:], live=False))
    with pytest.raises(SourceError, match="no keyframe"):
        rig.source().run_once(rig.stop)


def test_a_loop_inside_a_session_is_a_new_run_without_a_lost_camera() -> None:
    rig = Rig(FakeSession(raw_packets(30) + raw_packets(10), live=False))
    rig.run()
    assert rig.runs() == [1] * 30 + [2] * 10
    assert [(s.phase, s.run) for s in rig.emit.states[1:]] == [("streaming", 1), ("streaming", 2), ("ended", 2)]


def test_failures_are_retried_for_ever_with_growing_waits_and_told_once() -> None:
    rig = Rig(*[SourceError("gate", "connection refused")] * 50, FakeSession(raw_packets(3)))
    rig.run()
    assert rig.runs() == [1] * 3
    assert rig.emit.phases[:3] == ["connecting", "lost", "streaming"]
    assert len(rig.clock.waits) >= 51
    assert max(rig.clock.waits[30:50]) > max(rig.clock.waits[:2])


def test_a_healthy_session_makes_the_next_wait_short() -> None:
    class Slow(FakeClock):
        def monotonic(self) -> float:
            self.advance(HEALTHY_S / 10)  # it is looked at for each packet
            return super().monotonic()

    failures = [SourceError("gate", "gone")] * 20
    rig = Rig(*failures, FakeSession(raw_packets(20)), clock=Slow())
    rig.run()
    assert rig.clock.waits[-1] <= 1.0  # pauses between packets are waits, too
    assert max(rig.clock.waits[10:20]) > 1.0


def test_refused_credentials_are_told_and_retried_slowly() -> None:
    rig = Rig(SourceRefused("gate", "401"), ConfigError("environment variable CAMERA_PASSWORD is not set"))
    rig.run()
    assert rig.emit.phases[:3] == ["connecting", "refused", "refused"]
    assert "CAMERA_PASSWORD" in rig.emit.states[2].detail
    assert all(60 <= wait <= 70 for wait in rig.clock.waits[:2])


def test_an_unexpected_exception_is_a_lost_camera_without_credentials() -> None:
    remember("hunter2-marked")
    rig = Rig(RuntimeError("rtsp://admin:hunter2-marked@gate/1 went wrong"))
    rig.run()
    assert rig.emit.phases[1] == "lost"
    assert "hunter2" not in str(rig.emit.states)


def test_packets_are_paced_at_the_recordings_own_speed() -> None:
    rig = Rig(FakeSession(raw_packets(5, fps=10), live=False))
    rig.source(paced=True).run_once(rig.stop)
    assert rig.clock.waits == pytest.approx([0.1] * 4)
    stamps = [batch.packets[0].received_at for batch in rig.emit.batches]
    assert stamps[4] - stamps[0] == timedelta(seconds=0.4)


def test_a_recording_is_stamped_with_its_start_plus_media_time() -> None:
    start = datetime(2026, 11, 21, 8, tzinfo=UTC)
    rig = Rig(FakeSession(raw_packets(20) + raw_packets(5), live=False))
    rig.source(start=start).run_once(rig.stop)
    stamps = [(batch.packets[0].received_at - start).total_seconds() for batch in rig.emit.batches]
    assert stamps == pytest.approx([i / 10 for i in range(25)], abs=1e-5)
    assert rig.clock.waits == []


class Ticking(FakeClock):
    """Each look at the clock takes two seconds, so that silence passes by itself."""

    def monotonic(self) -> float:
        self.advance(2.0)
        return super().monotonic()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_silence_is_frozen_and_a_hung_reader_is_left_behind(release: threading.Event) -> None:
    hung = FakeSession(raw_packets(3), then=lambda: release.wait(20))
    rig = Rig(hung, FakeSession(raw_packets(3)), clock=Ticking())
    rig.run()
    assert rig.emit.phases[:5] == ["connecting", "streaming", "frozen", "frozen", "streaming"]
    assert "5 s" in rig.emit.states[2].detail
    assert "left behind" in rig.emit.states[3].detail
    assert rig.runs() == [1] * 3 + [2] * 3
    assert rig.emit.faults == ["reader_abandoned"]
    assert not hung.closed.is_set()
    release.set()
    assert hung.closed.wait(5)


def test_a_camera_that_hangs_while_it_is_opened_is_left_behind(release: threading.Event) -> None:
    def hang() -> Session:
        release.wait(20)
        raise SourceError("gate", "late")

    rig = Rig(clock=Ticking())
    abandoned: list[None] = []
    source = CameraSource(
        "gate",
        hang,
        rig.emit.packets,
        rig.emit.state,
        rig.clock,
        timeout_s=5.0,
        on_abandoned=lambda: abandoned.append(None),
    )
    with pytest.raises(SourceError, match="hung"):
        source.run_once(rig.stop)
    assert len(abandoned) == 1


def test_packets_that_wait_downstream_are_no_silence() -> None:
    rig = Rig(FakeSession(raw_packets(3), live=False))

    def block(batch: PacketBatch) -> None:
        rig.clock.advance(100.0)
        rig.emit.packets(batch)

    CameraSource("gate", rig.opener, block, rig.emit.state, rig.clock, timeout_s=5.0).run(rig.stop)
    assert rig.emit.phases == ["connecting", "streaming", "ended"]


def test_a_camera_that_falls_silent_is_frozen_and_lost_once_it_cannot_be_opened_again() -> None:
    late = SourceTimeout("gate", "no answer within 5 s")
    rig = Rig(FakeSession(raw_packets(3), error=late), late, FakeSession(raw_packets(3)))
    rig.run()
    assert rig.emit.phases[:5] == ["connecting", "streaming", "frozen", "lost", "streaming"]


def test_stop_ends_a_wait_and_opens_nothing() -> None:
    rig = Rig(FakeSession(raw_packets(3)))
    rig.stop.set()
    rig.run()
    assert rig.opener.opened == 0


@pytest.mark.parametrize(("due_s", "waits"), [(5.0, True), (0.9, False)])
def test_a_camera_is_left_alone_until_something_will_be_looked_at(due_s: float, waits: bool) -> None:
    paused = threading.Event()

    class Pausing(FakeClock):
        def wait(self, event: threading.Event, timeout_s: float) -> bool:
            paused.set()
            return super().wait(event, timeout_s)

    asked: list[bool] = []
    session = FakeSession(raw_packets(10), then=lambda: asked.append(paused.wait(10 if waits else 0.1)))
    rig = Rig(session, clock=Pausing())
    source = CameraSource(
        "gate", rig.opener, rig.emit.packets, rig.emit.state, rig.clock, timeout_s=5.0, due=lambda: due_s
    )
    with pytest.raises(SourceError, match="ended"):
        source.run_once(rig.stop)
    assert asked == [waits]
    assert set(rig.clock.waits) == ({PAUSE_S} if waits else set())


def test_what_came_together_is_handed_on_together_from_each_keyframe_on() -> None:
    batches: list[PacketBatch] = []
    rig = Rig(FakeSession(raw_packets(12, gop=5)))
    source = CameraSource("gate", rig.opener, batches.append, rig.emit.state, rig.clock, timeout_s=5.0)
    with pytest.raises(SourceError, match="ended"):
        source.run_once(rig.stop)
    assert [packet.data for batch in batches for packet in batch.packets] == [b"%d" % at for at in range(12)]
    assert all(not packet.is_keyframe for batch in batches for packet in batch.packets[1:])
    assert len(batches) < 12


def test_no_more_packets_are_handed_on_together_than_half_of_what_waits_to_be_decoded() -> None:
    batches: list[PacketBatch] = []
    rig = Rig(FakeSession(raw_packets(100, gop=100)))
    with pytest.raises(SourceError, match="ended"):
        CameraSource("gate", rig.opener, batches.append, rig.emit.state, rig.clock, timeout_s=5.0).run_once(rig.stop)
    assert sum(len(batch.packets) for batch in batches) == 100
    assert max(len(batch.packets) for batch in batches) <= 32
