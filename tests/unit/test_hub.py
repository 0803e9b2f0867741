"""What camera units emit goes where it belongs: rings, lanes, metrics, incidents, the health topic."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from streamproc.alerts.delivery import Delivery
from streamproc.alerts.desk import AlertDesk
from streamproc.errors import ChannelClosed, SinkError
from streamproc.observability.metrics import Metrics
from streamproc.pipeline import Hub
from streamproc.sources.evidence import EvidenceRing
from streamproc.testing import FakeClock
from streamproc.testing_deduction import observed
from streamproc.testing_sources import STREAM, packet
from streamproc.testing_wiring import FakeDelivery
from streamproc.types import CameraPhase, CameraState, PacketBatch

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)


class Desk:
    def __init__(self) -> None:
        self.states: list[str] = []
        self.fails: Exception | None = None

    def camera_changed(self, state: CameraState) -> list[object]:
        self.states.append(state.phase)
        if self.fails is not None:
            raise self.fails
        return []


class Wired:
    """A hub with a camera ``gate``, its ring and desk, and one delivery."""

    def __init__(self) -> None:
        self.metrics = Metrics(["gate"])
        self.clock = FakeClock(AT)
        self.hub = Hub("site", self.metrics, self.clock)
        self.ring = EvidenceRing(30.0, 8.0, with_main=True)
        self.desk = Desk()
        self.delivery = FakeDelivery([])
        self.hub.connect({"gate": self.ring}, {"gate": cast(AlertDesk, self.desk)}, [cast(Delivery, self.delivery)])

    def phases(self, *phases: CameraPhase | tuple[CameraPhase, int]) -> None:
        """Tell the camera's conditions, of run 1 unless said otherwise."""
        for one in phases:
            phase, run = one if isinstance(one, tuple) else (one, 1)
            self.hub.state(CameraState("gate", run, phase, AT))

    def value(self, sample: str) -> float:
        """A line of the metrics page."""
        page = generate_latest(self.metrics.registry).decode().splitlines()
        return float(next(row for row in page if row.startswith(f"streamproc_{sample} ")).split()[-1])


def test_packets_go_to_the_ring_and_are_counted() -> None:
    wired = Wired()
    wired.hub.packets(PacketBatch(STREAM, tuple(packet(i / 10, data=b"12345") for i in range(3))))
    clip = wired.ring.clip(1, 0.0, 1.0)
    assert clip is not None
    assert len(clip.packets) == 3
    assert wired.value('packets_total{camera="gate"}') == 3
    assert wired.value('packet_bytes_total{camera="gate"}') == 15


def test_what_was_decoded_is_a_metric() -> None:
    wired = Wired()
    wired.hub.decoded("gate", 3, None)
    wired.hub.decoded("gate", 4, 2.0)
    assert wired.value('pictures_decoded_total{camera="gate"}') == 7
    assert wired.value('keyframe_interval_seconds{camera="gate"}') == 2.0


def test_packets_of_the_main_stream_go_to_the_ring_and_its_state_is_a_metric() -> None:
    wired = Wired()
    wired.hub.main_state(CameraState("gate", 0, "connecting", AT))
    assert wired.value('main_stream_up{camera="gate"}') == 0
    wired.hub.main_packets(PacketBatch(STREAM, (packet(0.0, data=b"12345"),)))
    wired.hub.main_state(CameraState("gate", 1, "streaming", AT))
    assert wired.ring.size_bytes == 5
    assert wired.value('main_stream_up{camera="gate"}') == 1
    assert wired.value('packets_total{camera="gate"}') == 0
    assert wired.hub.phases == {}  # the camera's condition is that of the stream that is analysed


@pytest.mark.parametrize("trouble", ["lost", "refused", "frozen"])
def test_a_camera_that_comes_back_is_restored_though_it_connects_in_between(trouble: CameraPhase) -> None:
    wired = Wired()
    wired.phases("connecting", "streaming", trouble, "connecting", ("streaming", 2), ("streaming", 3))
    assert wired.delivery.states == ["connecting", "streaming", trouble, "connecting", "restored", "streaming"]
    assert wired.delivery.said[4].data.previous == trouble
    assert wired.desk.states[-1] == "streaming"
    assert wired.hub.phases == {"gate": "streaming"}
    assert wired.value('camera_phase{camera="gate",streamproc_camera_phase="streaming"}') == 1


def test_further_sessions_are_counted_as_reconnects_and_nothing_else_is() -> None:
    wired = Wired()
    wired.phases(("lost", 0), ("streaming", 1))  # not there at first
    assert wired.value('reconnects_total{camera="gate"}') == 0
    wired.phases("frozen", "streaming")  # silent for a while, in one session
    wired.phases(("streaming", 2))  # a break in the media time
    assert wired.value('reconnects_total{camera="gate"}') == 0
    wired.phases(("lost", 2), ("streaming", 3), ("refused", 3), ("refused", 3), "connecting", ("streaming", 4))
    assert wired.value('reconnects_total{camera="gate"}') == 2


def test_a_recording_has_ended_once_its_last_window_was_decided_about() -> None:
    wired = Wired()
    wired.hub.window(observed(1.0))
    wired.phases("streaming")
    thread = threading.Thread(target=wired.phases, args=("ended",), daemon=True)
    thread.start()
    with wired.hub.lanes.take(5) as item:
        assert item is not None
        thread.join(0.05)
        assert wired.desk.states == ["streaming"]
    thread.join(5)
    assert wired.desk.states == ["streaming", "ended"]


def test_a_disk_that_fails_does_not_end_the_camera() -> None:
    wired = Wired()
    wired.desk.fails = SinkError("the disk is full")
    wired.phases("connecting")
    assert wired.delivery.states == ["connecting"]


def test_only_windows_are_told_as_dropped_and_only_once() -> None:
    wired = Wired()
    for cause, count in (
        ("busy", 2),
        ("inference", 1),
        ("decoder", 50),
        ("corrupt", 7),
        ("stopping", 3),
        ("unobserved", 1),
    ):
        wired.hub.dropped("gate", cause, count)  # type: ignore[arg-type]
    assert wired.hub.take_dropped("gate") == 3
    assert wired.hub.take_dropped("gate") == 0
    assert wired.value('windows_dropped_total{camera="gate",cause="busy"}') == 2
    assert wired.value('packets_dropped_total{camera="gate",cause="decoder"}') == 50


def test_faults_and_a_ring_that_is_too_small_are_metrics() -> None:
    wired = Wired()
    wired.hub.fault("gate", "reader_abandoned")
    assert wired.value('camera_faults_total{camera="gate",fault="reader_abandoned"}') == 1
    for second in range(4):  # the main stream may take 24 MB, the other 8 MB
        at = AT + timedelta(seconds=second)
        wired.hub.packets(PacketBatch(STREAM, (packet(float(second), data=bytes(1_500_000), at=at),)))
        wired.hub.main_packets(PacketBatch(STREAM, (packet(float(second), data=bytes(3_500_000), at=at),)))
    assert wired.value('ring_cut_short_total{camera="gate"}') == 6


def test_a_window_on_its_way_knows_how_long_it_took_so_far() -> None:
    wired = Wired()
    window = observed(1.0)
    wired.clock = FakeClock(window.window.captured_at + timedelta(milliseconds=40))
    hub = Hub("site", wired.metrics, wired.clock)
    hub.window(window)
    with hub.lanes.take(0) as item:
        assert item is not None
        assert item.observed is window
        assert item.decode_ms == pytest.approx(40.0)
    assert wired.value('windows_total{camera="gate"}') == 1
    assert wired.value('frames_total{camera="gate"}') == 2


def test_a_full_lane_has_its_camera_wait_until_there_is_room() -> None:
    hub = Wired().hub
    hub.window(observed(1.0))
    waited = threading.Event()

    def second() -> None:
        hub.window(observed(2.0))
        waited.set()

    thread = threading.Thread(target=second, daemon=True)
    thread.start()
    assert not waited.wait(0.05)
    with hub.lanes.take(0) as first:
        assert first is not None
    assert waited.wait(5)
    thread.join(5)
    assert len(hub.lanes) == 1


def test_a_camera_that_waits_for_a_full_lane_is_let_go_when_the_lanes_close() -> None:
    hub = Wired().hub
    hub.window(observed(1.0))
    ended: list[BaseException] = []

    def second() -> None:
        try:
            hub.window(observed(2.0))
        except ChannelClosed as error:
            ended.append(error)

    thread = threading.Thread(target=second, daemon=True)
    thread.start()
    hub.lanes.close()
    thread.join(5)
    assert not thread.is_alive()
    assert len(ended) == 1
    with hub.lanes.take(0) as left:  # what was there is still worked on
        assert left is not None


def test_a_drift_is_logged_once_counted_while_it_lasts_and_told_with_what_is_not_judged() -> None:
    wired = Wired()
    as_learned = observed(not_judged=("speed: the picture is too dark",))
    faster, much_faster = replace(as_learned, drift=("1.4 times",)), replace(observed(), drift=("2.5 times",))
    found = []
    with capture_logs() as logs:
        for window in (as_learned, faster, faster, much_faster, observed()):
            wired.hub.window(window)
            with wired.hub.lanes.take(0.0) as taken:
                assert taken is not None
            found.append((wired.value('normal_drifted{camera="gate"}'), wired.hub.said["gate"]))
    dark = "speed: the picture is too dark"
    assert found == [(0, (dark,)), *[(1, (dark, "1.4 times"))] * 2, (1, ("2.5 times",)), (0, ())]
    said = [one for one in logs if one["event"] == "drifted_from_normal"]
    assert [(one["log_level"], one["camera"], one["says"]) for one in said] == [
        ("warning", "gate", "1.4 times"),
        ("warning", "gate", "2.5 times"),
    ]


def test_windows_that_were_passed_by_are_counted() -> None:
    wired = Wired()
    for passed_by in (4, 0, 3):
        wired.hub.window(replace(observed(), passed_by=passed_by))
        with wired.hub.lanes.take(0.0) as taken:
            assert taken is not None
    assert wired.value('windows_skipped_total{camera="gate",cause="calm"}') == 7
    assert wired.value('windows_total{camera="gate"}') == 3
