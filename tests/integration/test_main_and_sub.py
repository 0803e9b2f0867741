"""A camera with two streams of different size over RTSP: the small one is watched, evidence is of the large one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from tenacity.wait import wait_fixed

from streamproc.alerts.clip import Pixels, decode_at
from streamproc.alerts.evidence import EvidenceWriter
from streamproc.camera import CameraUnit, UnitSettings
from streamproc.config import CameraSettings, EvidenceSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.runtime.clock import SystemClock
from streamproc.sources.backoff import Backoff
from streamproc.sources.evidence import AWAY, EvidenceRing
from streamproc.testing_alerts import verdict_at
from streamproc.testing_rtsp import RtspServer, make_h264
from streamproc.testing_sources import FakeObserver, RecordingEmit
from streamproc.types import PacketBatch, Window, on_host

pytestmark = pytest.mark.integration

FPS = 25
SUB_PX, MAIN_PX = (320, 240), (1280, 720)


class Kept(RecordingEmit):
    """Keeps packets for evidence too, as a site does."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = EvidenceRing(30, 16, with_main=True)

    def packets(self, batch: PacketBatch) -> None:
        self.ring.append(batch)
        super().packets(batch)

    def main_packets(self, batch: PacketBatch) -> None:
        self.ring.append_main(batch)
        super().main_packets(batch)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same view in two sizes: the box is at the same share of the width at the same time."""
    folder = tmp_path_factory.mktemp("clips")
    small, large = (
        make_h264(folder / f"{size[0]}.mp4", frames=500, fps=FPS, size=size, gop=FPS, speed_px=speed)
        for size, speed in ((SUB_PX, 1.0), (MAIN_PX, 1.0 * (MAIN_PX[0] - 32) / (SUB_PX[0] - 32)))
    )
    return {"sub": small, "main": large}


@pytest.fixture
def servers(clips: dict[str, Path]) -> Iterator[tuple[RtspServer, RtspServer]]:
    """One for each stream, so that one of them can go away."""
    with RtspServer({"sub": clips["sub"]}) as sub, RtspServer({"main": clips["main"]}) as main:
        yield sub, main


def box_left(picture: Pixels) -> float:
    """Where the white box begins, as a share of the way it goes."""
    wide_px = int(picture.shape[1])
    white = np.flatnonzero((picture[picture.shape[0] // 3 + 20] > 200).all(axis=1))
    return int(white[0]) / (wide_px - 32)


def test_evidence_is_of_the_main_stream_at_the_same_moment_and_of_the_sub_stream_while_it_is_away(
    servers: tuple[RtspServer, RtspServer], tmp_path: Path
) -> None:
    sub, main = servers
    camera = CameraSettings(id="gate", main=main.url("main"), sub=sub.url("sub"), timeout_s=1.0)
    emit = Kept()
    unit = CameraUnit(
        UnitSettings(camera, SamplingSettings(), PyavDecoder(), NormalitySettings()),
        emit,
        SystemClock(),
        lambda _: FakeObserver(),
        backoff=lambda: Backoff(wait_fixed(0.2)),
    )
    unit.start()
    try:
        assert emit.arrived(lambda e: len(e.windows) >= 4)
        seen = emit.windows[3].window
        assert seen.last.picture.shape == (240, 320, 3)
        clip = emit.ring.clip(seen.run, seen.end_s - 2.0, seen.end_s)
        assert clip is not None
        assert (clip.stream.width_px, clip.stream.height_px, clip.degraded) == (*MAIN_PX, ())
        # What both streams show at the window's last moment is the same, to within two pictures.
        apart_s = abs(box_left(decode_at(clip, seen.end_s, None)) - box_left(on_host(seen.last.picture)))
        apart_s *= (SUB_PX[0] - 32) / 1.0 / FPS
        print(f"pictures of the two streams are {apart_s * 1e3:.0f} ms apart")
        assert apart_s <= 2 / FPS + 0.02

        made = written(tmp_path, camera, emit, seen)
        assert made == ()
        (path,) = tmp_path.rglob("*.mp4")
        with av.open(str(path)) as container:
            assert (container.streams.video[0].width, container.streams.video[0].height) == MAIN_PX
            assert len(list(container.decode(video=0))) >= 2 * FPS

        main.kill()
        assert emit.arrived(lambda e: e.main_states[-1].phase == "lost")
        assert emit.arrived(lambda e: e.windows[-1].window.end_s > seen.end_s + 4)
        last = emit.windows[-1].window
        away = emit.ring.clip(last.run, last.end_s - 2.0, last.end_s)
        assert away is not None
        assert (away.stream.width_px, away.degraded) == (SUB_PX[0], (AWAY,))
        assert emit.phases[-1] == "streaming"

        main.start()
        assert emit.arrived(lambda e: e.main_states[-1].phase == "streaming", 15)
        back_at = len(emit.windows)
        assert emit.arrived(lambda e: len(e.windows) >= back_at + 5, 15)
        last = emit.windows[-1].window
        again = emit.ring.clip(last.run, last.end_s - 2.0, last.end_s)
        assert again is not None
        assert (again.stream.width_px, again.packets[0].run, again.degraded) == (MAIN_PX[0], 2, ())
    finally:
        assert unit.stop(5)
    assert not any(thread.name.endswith("-gate") for thread in threading.enumerate())


def written(folder: Path, camera: CameraSettings, emit: Kept, seen: Window) -> tuple[str, ...]:
    """Write evidence of what was seen; what is missing of it."""
    writer = EvidenceWriter(EvidenceSettings(directory=folder), camera)
    packets = emit.ring.clip(seen.run, seen.end_s - 2.0, seen.end_s)
    verdict = verdict_at(seen.end_s)
    made = writer.write("a", 1, verdict, "warning", verdict.captured_at, picture=seen.last.picture, packets=packets)
    assert made.ref.snapshot_uri is not None
    return made.degraded
