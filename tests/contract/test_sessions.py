"""Every kind of session keeps the same promises; the RTSP one runs in the integration tests with a server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamproc.config import CameraSettings, PyavDecoder
from streamproc.decoding.factory import make_decoder
from streamproc.errors import SourceError
from streamproc.sources.session import RawPacket, Session, open_session
from streamproc.testing_sources import FakeSession, write_clip, write_pictures
from streamproc.types import Packet

Opener = Callable[[Path], Session]


def opened(address: str) -> Session:
    return open_session(address, CameraSettings(id="gate", main=address))


def fake(folder: Path) -> Session:
    with opened(str(write_clip(folder / "a.mov", "mjpeg", count=8))) as session:
        return FakeSession(list(session), stream=session.stream, live=False)


OPENERS: dict[str, Opener] = {
    "h264 in mp4": lambda folder: opened(str(write_clip(folder / "a.mp4", count=8))),
    "mjpeg in mov": lambda folder: opened(f"file://{write_clip(folder / 'a.mov', 'mjpeg', count=8)}"),
    "folder of png": lambda folder: opened(f"{write_pictures(folder / 'png', count=8)}?fps=10"),
    "folder of jpeg": lambda folder: opened(f"{write_pictures(folder / 'jpg', '.jpg', count=8)}?fps=10"),
    "fake": fake,
}


@pytest.fixture(params=list(OPENERS))
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Session:
    return OPENERS[request.param](tmp_path)


def test_the_stream_is_described(session: Session) -> None:
    with session:
        assert session.stream.codec in {"h264", "mjpeg", "png"}
        assert session.stream.width_px in {64, 320}
        assert session.stream.height_px in {48, 240}
        assert session.stream.fps == pytest.approx(10)
        assert not session.live


def test_packets_come_with_a_keyframe_first_and_decoding_times_that_go_on(session: Session) -> None:
    with session:
        packets = list(session)
    assert len(packets) == 8
    assert packets[0].is_keyframe
    times = [p.dts_s for p in packets if p.dts_s is not None]
    assert times == sorted(times)
    assert all(isinstance(p, RawPacket) and isinstance(p.data, bytes) and p.data for p in packets)
    presented = sorted(p.pts_s for p in packets if p.pts_s is not None)
    assert [t - presented[0] for t in presented] == pytest.approx([i / 10 for i in range(8)], abs=0.002)


def test_what_was_described_is_enough_to_decode(session: Session) -> None:
    class Every:
        def wants(self, pts_s: float) -> bool:
            return True

    with session:
        decoder = make_decoder(session.stream, PyavDecoder(), Every(), (), 640)
        frames = []
        for raw in session:
            pts_s, dts_s = raw.pts_s or 0.0, raw.dts_s or 0.0
            at = datetime(2026, 1, 1, tzinfo=UTC)
            frames += decoder.decode(Packet("gate", 1, pts_s, dts_s, at, raw.is_keyframe, raw.data))
        frames += decoder.flush()
    assert len(frames) == 8


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "missing.mp4", "no such file or folder"),
        (lambda folder: folder, "no .png, .jpg or .jpeg"),
        (lambda folder: text(folder / "notes.mp4"), "not a video"),
        (lambda folder: text(folder / "f" / "a.png").parent, "picture|video"),
        (lambda folder: mixed(folder / "mixed"), "mixes"),
        (lambda folder: sound(folder / "a.wav"), "holds no video"),
    ],
)
def test_what_cannot_be_opened_says_why_and_names_itself(
    tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(SourceError, match=reason) as caught:
        opened(str(path))
    assert path.name in str(caught.value)
    assert caught.value.camera_id == "gate"
    assert caught.value.__cause__ is None


def test_a_webcam_that_is_missing_says_so() -> None:
    with pytest.raises(SourceError, match="/dev/video99: not found"):
        opened("device:/dev/video99")


def text(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("not a picture " * 50)
    return path


def mixed(folder: Path) -> Path:
    write_pictures(folder, ".png", 1)
    return write_pictures(folder, ".jpg", 1)


def sound(path: Path) -> Path:
    import wave

    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(16000))
    return path
