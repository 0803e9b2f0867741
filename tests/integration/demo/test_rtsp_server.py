"""The demo's RTSP server as PyAV sees it."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from streamproc.testing_rtsp import RtspServer, make_h264

pytestmark = pytest.mark.integration

FRAMES, FPS = 12, 20


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """0.6 s, its pictures large enough to be sent in fragments."""
    return make_h264(tmp_path_factory.mktemp("clip") / "a.mp4", frames=FRAMES, fps=FPS, gop=FPS)


@pytest.fixture(scope="module")
def server(clip: Path) -> Iterator[RtspServer]:
    with RtspServer({"one": clip, "two": clip}, user="viewer", password="p:w@rd/1") as running:
        yield running


def watch(url: str, count: int, transport: str = "tcp") -> list[av.Packet[av.VideoStream]]:
    options = {"rtsp_transport": transport, "probesize": "50000", "analyzeduration": "0"}
    with av.open(url, options=options, timeout=(5, 5)) as container:
        return list(itertools.islice(container.demux(container.streams.video[0]), count))


def media_s(packets: list[av.Packet[av.VideoStream]]) -> list[float | None]:
    return [None if p.pts is None or p.time_base is None else round(float(p.pts * p.time_base), 3) for p in packets]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_the_file_plays_from_its_beginning_and_media_time_goes_back_where_it_loops(
    server: RtspServer, transport: str
) -> None:
    packets = watch(server.url("one", "viewer", "p:w@rd/1"), 2 * FRAMES + 3, transport)
    once = [index / FPS for index in range(FRAMES)]
    # FFmpeg gives the first packet of a session no time
    assert media_s(packets) == [None, *once[1:], *once, *once[:3]]
    assert [index for index, p in enumerate(packets) if p.is_keyframe] == [0, FRAMES, 2 * FRAMES]


def test_the_pictures_are_the_files_own(server: RtspServer, clip: Path) -> None:
    with av.open(str(clip)) as container:
        wanted = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    with av.open(server.url("two", "viewer", "p:w@rd/1"), options={"rtsp_transport": "tcp"}, timeout=(5, 5)) as live:
        got = [f.to_ndarray(format="gray") for f in itertools.islice(live.decode(video=0), FRAMES)]
    assert all((a == b).all() for a, b in zip(got, wanted, strict=True))


def test_it_plays_at_the_files_own_speed(server: RtspServer) -> None:
    with av.open(
        server.url("one", "viewer", "p:w@rd/1"), options={"rtsp_transport": "tcp", "probesize": "32"}, timeout=(5, 5)
    ) as container:
        packets = container.demux(container.streams.video[0])
        next(packets)
        began = time.monotonic()
        list(itertools.islice(packets, 2 * FRAMES))
        took_s = time.monotonic() - began
    assert 2 * FRAMES / FPS - 0.5 < took_s < 2 * FRAMES / FPS + 1.5


def test_an_unknown_camera_is_not_found(server: RtspServer) -> None:
    with pytest.raises(av.error.HTTPNotFoundError):
        watch(server.url("three", "viewer", "p:w@rd/1"), 1)


@pytest.mark.parametrize("login", [("viewer", "wrong"), ("someone", "p:w@rd/1"), (None, None)])
def test_a_wrong_login_is_unauthorized(server: RtspServer, login: tuple[str | None, str | None]) -> None:
    with pytest.raises(av.error.HTTPUnauthorizedError):
        watch(server.url("one", *login), 1)


def test_two_clients_see_the_whole_file_each(server: RtspServer) -> None:
    options = {"rtsp_transport": "tcp", "probesize": "50000", "analyzeduration": "0"}
    urls = [server.url(name, "viewer", "p:w@rd/1") for name in ("one", "one")]
    opened = [av.open(url, options=options, timeout=(5, 5)) for url in urls]
    try:
        streams = [container.demux(container.streams.video[0]) for container in opened]
        pairs = list(itertools.islice(zip(*streams, strict=True), FRAMES))
    finally:
        for container in opened:
            container.close()
    assert [bytes(a) for a, _ in pairs] == [bytes(b) for _, b in pairs]


def test_killed_the_stream_ends_and_restarted_it_is_at_the_same_address(clip: Path) -> None:
    with RtspServer({"one": clip}) as server:
        url = server.url("one")
        with av.open(url, options={"rtsp_transport": "tcp"}, timeout=(5, 5)) as container:
            packets = container.demux(container.streams.video[0])
            next(packets)
            server.kill()
            assert len(list(packets)) < 5 * FPS
        with pytest.raises(av.error.ConnectionRefusedError):
            watch(url, 1)
        server.restart()
        assert server.url("one") == url
        assert len(watch(url, 3)) == 3


def test_frozen_it_says_nothing_until_it_thaws(clip: Path) -> None:
    with RtspServer({"one": clip}) as server:
        options = {"rtsp_transport": "tcp", "timeout": "500000"}
        with av.open(server.url("one"), options=options, timeout=(5, 5)) as container:
            packets = container.demux(container.streams.video[0])
            next(packets)
            server.freeze()
            with pytest.raises(av.error.FFmpegError):
                list(packets)
        server.thaw()
        assert len(watch(server.url("one"), 3)) == 3


def test_garbage_from_one_client_harms_no_other(clip: Path) -> None:
    with RtspServer({"one": clip}) as server:
        for garbage in (
            b"\x00" * 100_000,
            b"GET / HTTP/1.1\r\n\r\n",
            b"X\r\n\r\n",
            b"A B C\r\nContent-Length: -x\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                connection.sendall(garbage)
        assert len(watch(server.url("one"), 3)) == 3


def test_sigterm_ends_it(clip: Path) -> None:
    argv = [sys.executable, "-m", "streamproc.demo.rtsp_server", "--camera", f"one={clip}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"ready rtsp://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--camera", "one=/nowhere.mp4"], "No such file"),
        (["--camera", "one=CLIP", "--user", "viewer"], "go together"),
        (["--camera", "one=TEXT"], "Invalid data"),
    ],
)
def test_a_mistake_on_the_command_line_is_said(clip: Path, tmp_path: Path, flags: list[str], said: str) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    flags = [flag.replace("CLIP", str(clip)).replace("TEXT", str(text)) for flag in flags]
    argv = [sys.executable, "-m", "streamproc.demo.rtsp_server", *flags]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert said in done.stderr
