"""Every kind of session keeps the same promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from streamproc.config import CameraSettings, PyavDecoder
from streamproc.decoding.factory import Everything, make_decoder
from streamproc.errors import SourceError
from streamproc.sources.folder import pictures_in
from streamproc.sources.session import Session, open_session
from streamproc.sources.timeline import Timeline
from streamproc.testing_rtsp import RtspServer, make_h264
from streamproc.testing_sources import FakeSession, write_clip, write_pictures
from streamproc.types import Packet

Opener = Callable[[Path, ExitStack], Session]


def opened(address: str) -> Session:
    return open_session(address, CameraSettings(id="gate", main=address))


def fake(folder: Path, _: ExitStack) -> Session:
    with opened(str(write_clip(folder / "a.mov", "mjpeg", count=8))) as session:
        return FakeSession(list(session), stream=session.stream, live=False)


def rtsp(folder: Path, stack: ExitStack) -> Session:
    server = stack.enter_context(RtspServer({"gate": make_h264(folder / "a.mp4", frames=20)}))
    return opened(server.url("gate"))


OPENERS: dict[str, Opener] = {
    "h264 in mp4": lambda folder, _: opened(str(write_clip(folder / "a.mp4", count=8))),
    "mjpeg in mov": lambda folder, _: opened(f"file://{write_clip(folder / 'a.mov', 'mjpeg', count=8)}"),
    "folder of png": lambda folder, _: opened(f"{write_pictures(folder / 'png', count=8)}?fps=10"),
    "folder of jpeg": lambda folder, _: opened(f"{write_pictures(folder / 'jpg', '.jpg', count=8)}?fps=10"),
    "folder of tiff": lambda folder, _: opened(f"{write_pictures(folder / 'tif', '.tif', count=8)}?fps=10"),
    "fake": fake,
    "rtsp": rtsp,
}
KINDS = [pytest.param(kind, marks=pytest.mark.integration if kind == "rtsp" else ()) for kind in OPENERS]


@pytest.fixture(params=KINDS)
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    with ExitStack() as stack:
        yield OPENERS[request.param](tmp_path, stack)


def test_the_stream_is_described(session: Session, request: pytest.FixtureRequest) -> None:
    with session:
        assert session.stream.codec in {"h264", "mjpeg", "png", "tiff"}
        assert session.stream.width_px in {64, 320}
        assert session.stream.height_px in {48, 240}
        assert session.stream.fps == pytest.approx(10)
        assert session.live == ("rtsp" in request.node.name)
        assert session.keeps or not session.live  # these are over TCP


def test_packets_come_with_a_keyframe_first_and_decoding_times_that_go_on(session: Session) -> None:
    with session:
        packets = list(islice(session, 8))
    assert len(packets) == 8
    assert packets[0].is_keyframe
    assert all(isinstance(p.data, bytes) and p.data for p in packets)
    timeline = Timeline("gate", 1, session.stream.fps)
    places = [place for place in map(timeline.place, packets) if place]
    assert [place.run for place in places] == [1] * 8
    assert sorted(place.pts_s for place in places) == pytest.approx([i / 10 for i in range(8)], abs=0.002)
    assert [place.dts_s for place in places] == sorted(place.dts_s for place in places)


def test_what_was_described_is_enough_to_decode(session: Session) -> None:

    timeline = Timeline("gate", 1, session.stream.fps)
    with session:
        decoder = make_decoder(session.stream, PyavDecoder(), Everything(), (), 640)
        frames = []
        for raw in islice(session, 8):
            place = timeline.place(raw)
            assert place is not None
            at = datetime(2026, 1, 1, tzinfo=UTC)
            frames += decoder.decode(Packet("gate", 1, place.pts_s, place.dts_s, at, raw.is_keyframe, raw.data))
        frames += decoder.flush()
    assert len(frames) == 8
    assert decoder.undecodable == 0


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "missing.mp4", "no such file or folder"),
        (lambda folder: folder, "no .png, .jpg, .jpeg, .tif or .tiff"),
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


def test_a_folders_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write_pictures(tmp_path, ".png", 1)
    (tmp_path / "000.png").rename(tmp_path / "frame_10.png")
    for name in ("frame_9.png", "frame_2.png", "frame_02.png"):
        (tmp_path / name).write_bytes((tmp_path / "frame_10.png").read_bytes())
    (tmp_path / "._1.png").write_text("left by a Mac")

    assert [path.name for path in pictures_in(tmp_path)] == [
        "frame_02.png",
        "frame_2.png",
        "frame_9.png",
        "frame_10.png",
    ]
    with opened(f"{tmp_path}?fps=2") as session:
        assert len(list(session)) == 4


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
