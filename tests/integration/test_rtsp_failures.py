"""What an operator is told when a camera does not give what it should: FFmpeg against a scripted RTSP server."""

from __future__ import annotations

import base64
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import av
import pytest

from streamproc.config import CameraSettings
from streamproc.errors import ConfigError, SourceError, SourceRefused, SourceTimeout
from streamproc.sources.session import Opener, open_session
from streamproc.testing_sources import write_clip

pytestmark = pytest.mark.integration

MARKED = "marked-p@ss/word"


class ScriptedServer:
    """Answers each RTSP request with what ``answer`` makes of its method; None leaves it unanswered."""

    def __init__(self, answer: Callable[[str], str | None]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.played = b""
        """What follows the answer to PLAY."""
        self.requests: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        received = ""
        try:
            while data := connection.recv(4096):
                received += data.decode()
                while "\r\n\r\n" in received:
                    request, _, received = received.partition("\r\n\r\n")
                    self.requests.append(request)
                    answer = self._answer(request.split(" ", 1)[0])
                    number = re.search(r"CSeq: (\d+)", request)
                    if answer is not None and number:
                        status, _, rest = answer.partition("\n")
                        lines = f"RTSP/1.0 {status}\r\nCSeq: {number[1]}\r\n{rest}"
                        connection.sendall(f"{lines}\r\n\r\n".replace("\n\n", "\n").encode())
                        if request.startswith("PLAY"):
                            connection.sendall(self.played)
        except OSError:
            return

    def say(self, data: bytes) -> None:
        """To all who are connected."""
        for one in self._connections:
            with suppress(OSError):
                one.sendall(data)

    def close(self) -> None:
        """Let go of all."""
        for one in (self._listener, *self._connections):
            one.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str], str | None]], ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(answer: Callable[[str], str | None]) -> ScriptedServer:
        servers.append(ScriptedServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Serve = Callable[[Callable[[str], str | None]], ScriptedServer]


def failing(address: str, timeout_s: float = 1.0, transport: str = "tcp") -> SourceError:
    camera = CameraSettings.model_validate(
        {"id": "gate", "main": address, "timeout_s": timeout_s, "transport": transport}
    )
    with pytest.raises(SourceError) as caught:
        open_session(address, camera)
    return caught.value


def by_method(describe: str) -> Callable[[str], str | None]:
    return lambda method: describe if method == "DESCRIBE" else "200 OK\nPublic: DESCRIBE, SETUP, PLAY"


def describing(video: str) -> Callable[[str], str | None]:
    """A camera whose description is ``video``, and that is set up over TCP."""
    answers = {
        "DESCRIBE": f"200 OK\nContent-Type: application/sdp\r\nContent-Length: {len(video) + 4}\r\n\r\n{video}",
        "SETUP": "200 OK\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1",
    }
    return lambda method: answers.get(method, "200 OK\nPublic: DESCRIBE, SETUP, PLAY")


@pytest.mark.parametrize("status", ['401 Unauthorized\nWWW-Authenticate: Basic realm="x"', "403 Forbidden"])
def test_refused_credentials(serve: Serve, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    monkeypatch.setenv("GATE_PASSWORD", MARKED)
    server = serve(by_method(status))
    error = failing(f"rtsp://admin:${{GATE_PASSWORD}}@{server.address}/1")
    assert isinstance(error, SourceRefused)
    assert "refuses the credentials" in error.reason
    assert server.address in error.reason
    assert error.__cause__ is None
    for form in (MARKED, "marked-p%40ss", "word@", "marked"):
        assert form not in str(error)


def test_the_password_reaches_the_camera(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_PASSWORD", MARKED)
    server = serve(by_method('401 Unauthorized\nWWW-Authenticate: Basic realm="x"'))
    failing(f"rtsp://admin:${{GATE_PASSWORD}}@{server.address}/1")
    import base64

    expected = base64.b64encode(f"admin:{MARKED}".encode()).decode()
    assert any(f"Authorization: Basic {expected}" in request for request in server.requests)


def test_a_wrong_path(serve: Serve) -> None:
    server = serve(by_method("404 Not Found"))
    error = failing(f"rtsp://{server.address}/nowhere")
    assert type(error) is SourceError
    assert "no stream at that path (404)" in error.reason


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "connection refused" in failing(f"rtsp://127.0.0.1:{port}/1").reason


@pytest.mark.parametrize("silent", ["OPTIONS", "DESCRIBE"])
def test_a_camera_that_does_not_answer_is_given_up_in_time(serve: Serve, silent: str) -> None:
    server = serve(lambda method: None if method == silent else "200 OK\nPublic: DESCRIBE")
    began = time.monotonic()
    error = failing(f"rtsp://{server.address}/1", timeout_s=0.5)
    assert isinstance(error, SourceTimeout)
    assert time.monotonic() - began < 3 * 0.5 + 2


def test_an_answer_that_describes_no_video(serve: Serve) -> None:
    sound = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n"
    server = serve(
        by_method(f"200 OK\nContent-Type: application/sdp\r\nContent-Length: {len(sound) - 4}\r\n\r\n{sound}")
    )
    error = failing(f"rtsp://{server.address}/1")
    assert type(error) is SourceError or isinstance(error, SourceTimeout)


def test_a_codec_that_is_not_known_says_which_to_set(serve: Serve) -> None:
    video = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 SMOKE/90000"
    server = serve(describing(video))
    error = failing(f"rtsp://{server.address}/1", timeout_s=0.5)
    assert "set the camera to H.264 or H.265" in error.reason


REPORT = b"$\x01\x00\x08\x80\xc9\x00\x01\x00\x00\x00\x01"
"""RTCP, which no FFmpeg makes a packet of."""


def rtp(units: list[bytes]) -> bytes:
    """One picture of small H.264 units, as RTSP over TCP has it (RFC 2326, 10.12; RFC 6184, 5.6)."""
    packets = [
        struct.pack("!BBHII", 0x80, 96 | 0x80 * (number == len(units) - 1), number, 0, 1) + unit
        for number, unit in enumerate(units)
    ]
    return b"".join(b"$\0" + struct.pack("!H", len(packet)) + packet for packet in packets)


def test_one_reader_at_most_is_left_with_a_camera_that_sends_all_but_pictures(serve: Serve, tmp_path: Path) -> None:
    with av.open(str(write_clip(tmp_path / "clip.h264", count=1))) as clip:
        keyframe = bytes(next(clip.demux(video=0)))
    units = [unit.rstrip(b"\0") for unit in keyframe.split(b"\0\0\1") if unit.strip(b"\0")]
    sets = ",".join(base64.b64encode(unit).decode() for unit in units[:2])
    video = (
        "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}"
    )
    server = serve(describing(video))
    server.played = rtp(units)
    address = f"rtsp://{server.address}/1"
    opener = Opener(address, CameraSettings(id="gate", main=address, timeout_s=0.5))
    opened, ended, first_ended = threading.Event(), threading.Event(), threading.Event()

    def watch_first() -> None:
        with suppress(SourceError), opener() as session:
            opened.set()
            list(session)
        first_ended.set()

    def chatter() -> None:
        until_s = time.monotonic() + 10  # so that a session without a bound fails the test instead of hanging it
        while not ended.wait(0.05) and time.monotonic() < until_s:
            server.say(REPORT)

    threads = [threading.Thread(target=one, daemon=True) for one in (watch_first, chatter)]
    threads[0].start()
    assert opened.wait(5)
    threads[1].start()
    try:
        assert not first_ended.wait(1.5)  # three times the camera's timeout
        began_s = time.monotonic()
        for _ in range(2):
            with opener() as following, pytest.raises(SourceTimeout):
                list(following)
        assert time.monotonic() - began_s < 5
        assert not first_ended.is_set()
    finally:
        ended.set()
    assert first_ended.wait(5)  # a silent socket is bounded all the same


@pytest.mark.parametrize("noise", ["nonsense", "HTTP/1.1 200 OK"])
def test_something_that_speaks_no_rtsp(serve: Serve, noise: str) -> None:
    server = serve(lambda _: noise)
    assert isinstance(failing(f"rtsp://{server.address}/1", timeout_s=0.5), SourceError)


def test_a_credential_that_is_not_set_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATE_PASSWORD", raising=False)
    address = "rtsp://admin:${GATE_PASSWORD}@127.0.0.1:1/1"
    with pytest.raises(ConfigError, match="GATE_PASSWORD"):
        open_session(address, CameraSettings(id="gate", main=address))
