"""What a camera tells in another process is what the site hears: whole, in order, and held up only by its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from streamproc.camera import UnitSettings
from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.errors import ChannelClosed, StageError
from streamproc.normality.calibration import Calibration
from streamproc.shards.hearing import Hearing
from streamproc.shards.telling import RemoteEmit
from streamproc.testing import FakeClock
from streamproc.testing_deduction import observed
from streamproc.testing_shards import FakeChild, FakeLaunch
from streamproc.testing_sources import STREAM, RecordingEmit, packet
from streamproc.testing_wiring import HeldGate
from streamproc.types import CameraPhase, CameraState, ObservedWindow, PacketBatch, StreamInfo

AT = datetime(2026, 1, 1, tzinfo=UTC)


def settings(camera_id: str = "gate", address: str = "rtsp://gate/1") -> UnitSettings:
    camera = CameraSettings(id=camera_id, main=address)
    return UnitSettings(camera, SamplingSettings(), PyavDecoder(), NormalitySettings())


class Joined:
    """A camera in a process that does not exist, and the site's end of it."""

    def __init__(self, site: RecordingEmit | None = None, address: str = "rtsp://gate/1") -> None:
        self.site = site or RecordingEmit()
        self.calibration: object | None = None
        self.clock = FakeClock(AT)
        self.hearing = Hearing(
            settings(address=address), self.site, lambda: cast("Calibration | None", self.calibration), self.clock
        )
        self.hearing.start()
        self.launch = FakeLaunch(self.clock)
        self.child: FakeChild
        self.emit: RemoteEmit
        self.begin()

    def begin(self) -> None:
        """Watch in a new process."""
        self.child = self.launch("shard-1", [self.hearing])
        self.emit = self.child.emits["gate"]

    def die(self) -> None:
        """The process is gone."""
        self.child.reap()
        assert self.hearing.drained(10)

    def state(self, phase: CameraPhase, run: int = 1) -> CameraState:
        return CameraState("gate", run, phase, AT)


@pytest.fixture
def joined() -> Iterator[Joined]:
    one = Joined()
    yield one
    end(one)


def end(one: Joined) -> None:
    one.child.reap()
    one.hearing.finish()
    assert one.hearing.join(10)


def batch(pts_s: float, *, run: int = 1, stream: StreamInfo = STREAM, data: bytes = b"x") -> PacketBatch:
    return PacketBatch(stream, (packet(pts_s, run=run, data=data, at=AT + timedelta(seconds=pts_s)),))


def test_packets_come_some_at_a_time_and_are_what_they_were(joined: Joined) -> None:
    sent = [batch(i / 100, data=bytes([i])) for i in range(24)]
    for one in sent:
        joined.emit.packets(one)
    assert joined.site.arrived(lambda e: len(e.batches) == 2)
    assert [len(one.packets) for one in joined.site.batches] == [12, 12]
    arrived = [one for batches in joined.site.batches for one in batches.packets]
    for before, after in zip((one.packets[0] for one in sent), arrived, strict=True):
        assert all(getattr(before, name) == getattr(after, name) for name in before.__slots__)
    assert {one.stream for one in joined.site.batches} == {STREAM}


@pytest.mark.parametrize(
    "more",
    [
        [batch(0.6)],  # half a second of a slow camera
        [batch(0.01, data=bytes(256_000))],
        [batch(0.01, run=2), batch(0.02, run=3)],
        [batch(0.01, stream=replace(STREAM, width_px=64)), batch(0.02)],
    ],
    ids=["slow", "large", "another run", "another stream"],
)
def test_packets_do_not_wait_for_others_that_are_long_in_coming(joined: Joined, more: list[PacketBatch]) -> None:
    for one in (batch(0.0), *more):
        joined.emit.packets(one)
    assert joined.site.arrived(lambda e: len(e.batches) >= 1)
    for one in joined.site.batches:
        assert len({each.run for each in one.packets}) == 1


def test_what_is_told_stands_in_the_order_in_which_it_happened(joined: Joined) -> None:
    joined.emit.state(joined.state("streaming"))
    joined.emit.packets(batch(0.0))
    joined.emit.dropped("gate", "decoder", 2)
    joined.emit.dropped("gate", "decoder", 1)
    joined.emit.decoded("gate", 3, None)
    joined.emit.decoded("gate", 4, 2.0)
    joined.emit.main_packets(batch(0.0, run=4))
    joined.emit.main_state(joined.state("streaming", run=4))
    joined.emit.fault("gate", "reader_abandoned")
    joined.emit.state(joined.state("frozen"))
    assert joined.site.arrived(lambda e: e.phases == ["streaming", "frozen"])
    assert joined.site.drops == {"decoder": 3}
    assert (joined.site.pictures, joined.site.keyframe_every_s) == (7, 2.0)
    assert joined.site.faults == ["reader_abandoned"]
    assert [one.packets[0].run for one in joined.site.main_batches] == [4]
    assert [one.run for one in joined.site.main_states] == [4]
    assert len(joined.site.batches) == 1


def test_a_loss_without_packets_is_told_with_what_comes_next(joined: Joined) -> None:
    joined.emit.dropped("gate", "no_keyframe", 5)
    joined.emit.state(joined.state("lost"))
    assert joined.site.arrived(lambda e: e.phases == ["lost"])
    assert joined.site.drops == {"no_keyframe": 5}


class Held(RecordingEmit):
    """Takes no window until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = HeldGate()

    def window(self, window: ObservedWindow) -> None:
        self.gate.hold()
        super().window(window)


def aside(work: Callable[[], Any]) -> tuple[threading.Thread, threading.Event]:
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, done


def test_a_window_waits_for_the_site_and_nothing_else_waits_for_it() -> None:
    joined = Joined(site := Held())
    thread, done = aside(lambda: joined.emit.window(observed(1.0)))
    assert site.gate.reached.wait(10)
    for number in range(60):
        joined.emit.packets(batch(number / 25))
    joined.emit.state(joined.state("streaming"))
    assert site.arrived(lambda e: e.phases == ["streaming"] and sum(len(b.packets) for b in e.batches) == 60)
    assert not done.is_set()
    assert site.windows == []
    site.gate.release.set()
    assert done.wait(10)
    assert [one.window.end_s for one in site.windows] == [1.0]
    thread.join(10)
    end(joined)


def test_a_window_comes_after_the_packets_that_it_was_made_from(joined: Joined) -> None:
    for number in range(5):
        joined.emit.packets(batch(number / 100))
        joined.emit.window(observed(number + 1.0))
        assert sum(len(one.packets) for one in joined.site.batches) == number + 1


def test_a_site_that_takes_no_more_ends_the_camera(joined: Joined) -> None:
    joined.site.closed = True
    with pytest.raises(ChannelClosed):
        joined.emit.window(observed(1.0))


def test_a_site_that_fails_at_a_window_is_the_cameras_error_and_the_next_one_is_taken() -> None:
    class Fails(RecordingEmit):
        def window(self, window: ObservedWindow) -> None:
            if window.window.end_s == 1.0:
                raise ValueError("no such camera")
            super().window(window)

    joined = Joined(site := Fails())
    with capture_logs() as logs, pytest.raises(StageError, match="failed at a window"):
        joined.emit.window(observed(1.0))
    assert [one["event"] for one in logs] == ["camera_window_failed"]
    joined.emit.window(observed(2.0))
    assert [one.window.end_s for one in site.windows] == [2.0]
    end(joined)


def test_an_event_that_the_site_fails_at_is_logged_and_the_next_one_is_taken() -> None:
    class Fails(RecordingEmit):
        def fault(self, camera_id: str, fault: object) -> None:
            raise ValueError("no such camera")

    joined = Joined(site := Fails())
    with capture_logs() as logs:
        joined.emit.fault("gate", "restarted")
        joined.emit.state(joined.state("streaming"))
        assert site.arrived(lambda e: e.phases == ["streaming"])
    assert [one["event"] for one in logs] == ["camera_event_failed"]
    end(joined)


def test_a_calibration_that_was_exchanged_arrives_with_the_answer(joined: Joined) -> None:
    measures_by: list[object] = [joined.emit.calibration]
    another = SimpleNamespace(sha256="0123456789abcdef")
    for second, calibration in enumerate((None, another, another, None)):
        joined.calibration = calibration
        joined.emit.window(observed(second + 1.0))
        measures_by.append(joined.emit.calibration)
    assert measures_by == [None, None, another, another, None]
    assert measures_by[2] is measures_by[3]  # sent once: whoever measures by it does not begin anew


def test_the_next_process_counts_on_from_the_runs_that_were_heard_of(joined: Joined) -> None:
    orders = joined.hearing.orders()
    assert (orders.first_run, orders.first_main_run, orders.calibration) == (1, 1, None)
    joined.emit.state(joined.state("streaming", run=2))
    joined.emit.packets(batch(0.0, run=3))
    joined.emit.main_packets(batch(0.0, run=7))
    joined.emit.state(joined.state("frozen", run=3))
    joined.calibration = {"a": "calibration"}
    joined.die()
    orders = joined.hearing.orders()
    assert (orders.first_run, orders.first_main_run) == (4, 8)
    assert cast(object, orders.calibration) == {"a": "calibration"}


def test_a_loss_is_told_after_all_that_the_process_told_and_before_what_the_next_one_does(joined: Joined) -> None:
    joined.emit.state(joined.state("streaming", run=2))
    joined.emit.main_state(joined.state("streaming", run=5))
    joined.clock.advance(3)
    joined.die()
    joined.hearing.lost("its process ended: killed by SIGKILL")
    joined.begin()
    joined.emit.state(joined.state("connecting", run=2))
    assert joined.site.arrived(lambda e: e.phases == ["streaming", "lost", "connecting"])
    lost = joined.site.states[1]
    assert (lost.run, lost.detail) == (2, "its process ended: killed by SIGKILL")
    assert lost.at == AT + timedelta(seconds=3)
    assert [(one.phase, one.run) for one in joined.site.main_states] == [("streaming", 5), ("lost", 5)]
    assert joined.site.faults == ["restarted"]


def test_a_camera_without_a_main_stream_loses_none(joined: Joined) -> None:
    joined.die()
    joined.hearing.lost("gone")
    assert joined.site.arrived(lambda e: e.phases == ["lost"])
    assert joined.site.main_states == []


def test_it_is_over_when_its_last_word_was_heard() -> None:
    joined = Joined()
    assert not joined.hearing.join(0.0)
    joined.emit.window(observed(1.0))
    joined.emit.over()
    assert joined.hearing.join(10)
    assert joined.hearing.ended
    assert not joined.hearing.dead
    for thread in joined.hearing._threads:
        thread.join(10)
        assert not thread.is_alive()
    joined.child.reap()
    joined.emit.over()  # nobody hears, and that is no error


def test_a_recording_that_ended_is_over_although_its_process_dies_before_it_says_so() -> None:
    class Settles(RecordingEmit):
        """As a site does that decides about the last windows first."""

        def __init__(self) -> None:
            super().__init__()
            self.gate = HeldGate()

        def state(self, state: CameraState) -> None:
            if state.phase == "ended":
                self.gate.hold()
            super().state(state)

    joined = Joined(site := Settles(), address="clip.mp4")
    joined.emit.state(joined.state("ended"))
    assert site.gate.reached.wait(10)
    joined.child.reap()
    assert joined.hearing.drained(10)  # nobody needs to wait for it
    assert joined.hearing.ended
    assert not joined.hearing.join(0.0)
    site.gate.release.set()
    assert joined.hearing.join(10)
    assert site.phases == ["ended"]


def test_windows_of_a_process_that_is_gone_are_taken_before_those_of_the_next() -> None:
    joined = Joined(site := Held())

    def tell() -> None:
        with pytest.raises(ChannelClosed):
            joined.emit.window(observed(1.0))

    thread, _ = aside(tell)
    assert site.gate.reached.wait(10)
    joined.die()
    thread.join(10)
    joined.begin()
    second, done = aside(lambda: joined.emit.window(observed(2.0, run=2)))
    assert not done.wait(0.05)
    site.gate.release.set()
    assert done.wait(10)
    second.join(10)
    assert [one.window.run for one in site.windows] == [1, 2]
    end(joined)
