"""A camera unit against a real RTSP server: well, killed, frozen, refused, looping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from tenacity.wait import wait_fixed

from streamproc.camera import CameraUnit, UnitSettings
from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.errors import SourceError
from streamproc.probe import probe
from streamproc.runtime.clock import SystemClock
from streamproc.sources.backoff import Backoff
from streamproc.sources.session import open_session
from streamproc.testing_rtsp import RtspServer, make_h264
from streamproc.testing_sources import FakeObserver, RecordingEmit

pytestmark = pytest.mark.integration

PASSWORD = "marked-p@ss/word"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_h264(tmp_path_factory.mktemp("clips") / "gate.mp4", frames=40, fps=10, gop=10)


@pytest.fixture
def server(clip: Path) -> Iterator[RtspServer]:
    with RtspServer({"gate": clip}) as server:
        yield server


def settings(address: str, transport: str = "tcp", timeout_s: float = 1.0) -> UnitSettings:
    camera = CameraSettings.model_validate(
        {"id": "gate", "main": address, "transport": transport, "timeout_s": timeout_s}
    )
    return UnitSettings(camera, SamplingSettings(), PyavDecoder(), NormalitySettings())


def quick() -> Backoff:
    return Backoff(wait_fixed(0.2))


@contextmanager
def watching(address: str, transport: str = "tcp", backoff: Callable[[], Backoff] = quick) -> Iterator[RecordingEmit]:
    emit = RecordingEmit()
    unit = CameraUnit(settings(address, transport), emit, SystemClock(), lambda _: FakeObserver(), backoff=backoff)
    unit.start()
    try:
        yield emit
    finally:
        assert unit.stop(5)


def phase(name: str, count: int = 1) -> Callable[[RecordingEmit], bool]:
    return lambda emit: emit.phases.count(name) >= count


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_windows_arrive_and_a_loop_is_a_new_run_without_a_lost_camera(server: RtspServer, transport: str) -> None:
    with watching(server.url("gate"), transport) as emit:
        assert emit.arrived(lambda e: e.batches[-1:] != [] and e.batches[-1].packets[0].run == 2)
        assert emit.arrived(lambda e: len(e.windows) >= 5)
    assert emit.phases[:3] == ["connecting", "streaming", "streaming"]
    assert "lost" not in emit.phases
    assert emit.drops.get("corrupt", 0) == 0
    packets = emit.packets_kept
    first = [packet for packet in packets if packet.run == 1]
    assert [round(packet.pts_s, 2) for packet in first] == [i / 10 for i in range(40)]
    assert all(b.received_at >= a.received_at for a, b in pairwise(packets))
    assert [(o.window.index, round(o.window.end_s, 1)) for o in emit.windows[:3]] == [(0, 0.9), (1, 1.9), (2, 2.9)]
    assert emit.batches[0].stream.codec == "h264"
    assert (emit.batches[0].stream.width_px, emit.batches[0].stream.height_px) == (320, 240)
    assert emit.windows[0].window.last.picture.shape == (240, 320, 3)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_reordered_pictures_keep_their_times_and_an_endless_clip_is_one_run(tmp_path: Path, transport: str) -> None:
    reordered = make_h264(tmp_path / "b.mp4", frames=30, fps=10, gop=10, b_frames=3)
    with RtspServer({"gate": reordered}, endless=True) as server, watching(server.url("gate"), transport) as emit:
        assert emit.arrived(lambda e: len(e.windows) >= 5)
    assert {observed.window.run for observed in emit.windows} == {1}
    received = [round(packet.pts_s * 10) for packet in emit.packets_kept]
    assert received != sorted(received)
    assert set(range(40)) <= set(received)
    ends = [observed.window.end_s for observed in emit.windows[:5]]
    assert ends == pytest.approx([0.9, 1.9, 2.9, 3.9, 4.9], abs=1e-3)
    assert emit.drops.get("corrupt", 0) == 0


def test_cameras_may_begin_at_different_times_the_same_each_time(clip: Path) -> None:
    begin_s = {}
    for apart_s in (0.0, 0.5):
        with (
            RtspServer({"gate": clip, "door": clip}, apart_s=apart_s) as server,
            watching(server.url("gate")) as gate,
            watching(server.url("door")) as door,
        ):
            assert all(emit.arrived(lambda e: e.packets_kept != []) for emit in (gate, door))
        first, second = (emit.packets_kept[0] for emit in (gate, door))
        assert first.pts_s == second.pts_s == 0.0
        begin_s[apart_s] = (second.received_at - first.received_at).total_seconds()
    assert begin_s[0.5] - begin_s[0.0] == pytest.approx(0.44, abs=0.2)  # as their names have it


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_server_that_is_killed_and_started_again_is_a_new_run(server: RtspServer, transport: str) -> None:
    with watching(server.url("gate"), transport) as emit:
        assert emit.arrived(phase("streaming"))
        server.kill()
        assert emit.arrived(phase("lost"))
        server.start()
        assert emit.arrived(lambda e: e.phases[-1] == "streaming")
        assert emit.arrived(lambda e: e.windows != [] and e.windows[-1].window.run >= 2)
    runs = [packet.run for packet in emit.packets_kept]
    assert runs == sorted(runs)
    assert max(runs) == 2
    assert next(packet for packet in emit.packets_kept if packet.run == 2).pts_s == 0.0


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_frozen_server_is_told_and_comes_back(server: RtspServer, transport: str) -> None:
    with watching(server.url("gate"), transport) as emit:
        assert emit.arrived(phase("streaming"))
        server.freeze()
        began = time.monotonic()
        assert emit.arrived(phase("frozen"))
        assert time.monotonic() - began < 2.5
        assert emit.arrived(phase("lost"))
        assert time.monotonic() - began < 6
        server.thaw()
        assert emit.arrived(lambda e: e.phases[-1] == "streaming")
    assert emit.batches[-1].packets[0].run >= 2


def test_a_frozen_camera_does_not_stall_another(clip: Path, server: RtspServer) -> None:
    with RtspServer({"gate": clip}) as other, watching(server.url("gate")) as one, watching(other.url("gate")) as two:
        assert one.arrived(phase("streaming"))
        assert two.arrived(phase("streaming"))
        server.freeze()
        assert one.arrived(phase("frozen"))
        assert one.arrived(phase("lost"))
        before = len(two.batches)
        assert two.arrived(lambda e: len(e.batches) >= before + 20)
        stamps = [batch.packets[0].received_at for batch in two.batches]
        assert max((b - a).total_seconds() for a, b in pairwise(stamps)) < 0.8
        server.thaw()


def test_wrong_password_and_path_are_told_apart_and_nothing_leaks(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATE_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", PASSWORD + "-wrong")
    with RtspServer({"gate": clip}, user="admin", password=PASSWORD) as server:
        host = f"127.0.0.1:{server.port}"
        with watching(f"rtsp://admin:${{GATE_PASSWORD}}@{host}/gate") as well:
            assert well.arrived(phase("streaming"))
        with watching(f"rtsp://admin:${{WRONG_PASSWORD}}@{host}/gate") as refused:
            assert refused.arrived(phase("refused"))
        with watching(f"rtsp://admin:${{GATE_PASSWORD}}@{host}/nowhere") as astray:
            assert astray.arrived(phase("lost"))
        report = probe(f"rtsp://admin:${{GATE_PASSWORD}}@{host}/gate", seconds=0.5)
        with pytest.raises(SourceError, match="401") as caught:
            probe(f"rtsp://admin:${{WRONG_PASSWORD}}@{host}/gate")
    assert "refuses the credentials" in refused.states[-1].detail
    assert "no stream at that path (404)" in astray.states[-1].detail
    out = "".join(capfd.readouterr())
    said = out + repr((well.states, refused.states, astray.states, report, caught.value))
    assert host in said
    for secret in ("marked", "p%40ss", "word"):
        assert secret not in said.lower().replace("gate_password", "").replace("wrong_password", "")


def test_an_address_may_come_whole_from_the_environment_and_nothing_of_it_leaks(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with RtspServer({"gate": clip}, user="admin", password=PASSWORD) as server:
        monkeypatch.setenv("GATE_ADDRESS", server.url("gate", "admin", PASSWORD))
        with watching("${GATE_ADDRESS}") as well:
            assert well.arrived(phase("streaming"))
            server.kill()
            assert well.arrived(phase("lost"))
        server.start()
        report = probe("${GATE_ADDRESS}", seconds=0.5)
    assert report.transport == "tcp"
    said = "".join(capfd.readouterr()) + repr((well.states, report))
    for secret in ("marked", "p%40ss"):
        assert secret not in said


def test_refused_credentials_are_not_hammered(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG_PASSWORD", "wrong-one")
    waits: list[float] = []

    class Watched(Backoff):
        def next_s(self, error: Exception) -> float:
            waits.append(super().next_s(error))
            return waits[-1]

    with RtspServer({"gate": clip}, user="admin", password="right-one") as server:
        address = f"rtsp://admin:${{WRONG_PASSWORD}}@127.0.0.1:{server.port}/gate"
        with watching(address, backoff=Watched) as emit:
            assert emit.arrived(lambda _: bool(waits))
    assert emit.phases[-1] == "refused"
    assert waits[0] >= 60


def test_a_probe_says_what_the_camera_sends(server: RtspServer, tmp_path: Path) -> None:
    report = probe(server.url("gate"), tmp_path / "frame.png", seconds=2.5)
    assert (report.codec, report.width_px, report.height_px, report.transport) == ("h264", 320, 240, "tcp")
    assert report.fps == pytest.approx(10, abs=0.5)
    assert report.keyframe_interval_s == pytest.approx(1.0)
    assert report.bitrate_kbps is not None
    assert report.frame == tmp_path / "frame.png"
    assert report.frame.stat().st_size > 1000
    assert "320x240" in str(report)


def test_a_session_ends_silently_where_the_server_is_killed(server: RtspServer) -> None:
    camera = settings(server.url("gate")).camera
    with open_session(camera.main, camera) as session:
        assert session.live
        power_cut = threading.Timer(0.3, server.kill)
        power_cut.start()
        packets = list(session)
        power_cut.join()
    assert packets[0].is_keyframe
