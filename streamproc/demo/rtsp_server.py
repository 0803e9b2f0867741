"""A small RTSP server for the demo and the tests: H.264 files, looped, as cameras would send them.

It speaks the part of RFC 2326 that cameras' clients use, over interleaved TCP or UDP, with Digest passwords, and sends
the files' own packets. Why not a library: GStreamer's and MediaMTX need root or a download outside the package
registries; ``rtsp`` encodes every picture anew (a third of a core); ``aio-rtsp-toolkit`` loops files but knows neither
passwords nor UDP, and its timestamps run on across the loop.

Every session begins at the file's beginning, so what a client sees is the same each time. Where the loop starts again
the RTP timestamp goes back to its first value within the same session, and a client that sees media time go back counts
a new run; ``--endless`` has it run on, as a camera's does. Cameras that are asked for at the same moment send their
pictures at the same moments, as real ones do only by chance; ``--apart`` has each begin a while later, by its name.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import random
import re
import secrets
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamproc.demo.rtp import CLOCK_HZ, Clip, RtpSender, load_clip

_REALM = "streamproc demo"
_DRAIN_S = 10.0
"""A client that takes nothing for so long is let go."""
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 454: "Session Not Found",
            461: "Unsupported Transport", 501: "Not Implemented"}  # fmt: skip
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"


@dataclass(frozen=True, slots=True)
class Login:
    """Who may watch."""

    user: str
    password: str

    def accepts(self, authorization: str, method: str, nonce: str) -> bool:
        """Whether an ``Authorization`` header proves the password (Digest without qop, RFC 2617 section 3.2.2)."""
        if not authorization.startswith("Digest "):
            return False
        given = dict(re.findall(r'(\w+)="([^"]*)"', authorization))
        secret = _md5(f"{self.user}:{_REALM}:{self.password}")
        request = _md5(f"{method}:{given.get('uri', '')}")
        wanted = _md5(f"{secret}:{nonce}:{request}")
        return given.get("username") == self.user and given.get("response") == wanted


def _send_each(transport: asyncio.DatagramTransport, packets: Iterable[bytes]) -> None:
    for packet in packets:
        transport.sendto(packet)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its header names in lower case."""

    method: str
    uri: str
    headers: Mapping[str, str]


class Session:
    """One client's connection."""

    def __init__(
        self,
        clips: Mapping[str, Clip],
        login: Login | None,
        endless: bool,
        apart_s: float,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """``endless``: media time runs on where a clip begins anew; ``apart_s``: at most so much later, by its name,
        does a camera begin."""
        self._clips, self._login, self._endless, self._apart_s = clips, login, endless, apart_s
        self._reader, self._writer = reader, writer
        self._nonce, self._id = secrets.token_hex(16), secrets.token_hex(8)
        self._clip: Clip | None = None
        self._later_s = 0.0
        self._send: Callable[[Iterable[bytes]], None] | None = None
        """Takes the RTP packets of a picture."""
        self._playing: asyncio.Task[None] | None = None
        self._sockets: list[asyncio.DatagramTransport] = []

    async def run(self) -> None:
        """Answer until the client leaves."""
        try:
            while request := await self._request():
                await self._answer(request)
                await self._writer.drain()
                if request.method == "TEARDOWN":
                    return
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # it hung up, or does not speak RTSP
        finally:
            if self._playing:
                self._playing.cancel()
            for transport in self._sockets:
                transport.close()
            self._writer.close()

    async def _request(self) -> Request | None:
        while (first := await self._reader.read(1)) == b"$":  # the client's RTCP, interleaved
            header = await self._reader.readexactly(3)
            await self._reader.readexactly(int.from_bytes(header[1:], "big"))
        if not first:
            return None
        text = (first + await self._reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = text.strip().split("\r\n")
        method, uri, _ = start.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if int(headers.get("content-length", "0")):
            await self._reader.readexactly(int(headers["content-length"]))
        return Request(method, uri, headers)

    async def _answer(self, request: Request) -> None:
        def reply(code: int, headers: Mapping[str, str] | None = None, body: str = "") -> None:
            told = {"CSeq": request.headers.get("cseq", "0"), **(headers or {})}
            if body:
                told["Content-Length"] = str(len(body))
            lines = [f"RTSP/1.0 {code} {_REASONS[code]}", *(f"{name}: {value}" for name, value in told.items())]
            self._writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

        url = urlsplit(request.uri)
        name = unquote(url.path).strip("/").partition("/")[0]
        session = {"Session": f"{self._id};timeout=60"}
        if request.method == "OPTIONS":
            return reply(200, {"Public": _METHODS})
        if self._login and not self._login.accepts(
            request.headers.get("authorization", ""), request.method, self._nonce
        ):
            return reply(401, {"WWW-Authenticate": f'Digest realm="{_REALM}", nonce="{self._nonce}"'})
        match request.method:
            case "DESCRIBE" | "SETUP" if name not in self._clips:
                reply(404)
            case "DESCRIBE":
                base = f"rtsp://{url.netloc.rpartition('@')[2]}/{name}/"
                reply(200, {"Content-Base": base, "Content-Type": "application/sdp"}, self._clips[name].sdp())
            case "SETUP":
                transport = await self._transport(request.headers.get("transport", ""))
                if transport is None:
                    return reply(461)
                self._clip = self._clips[name]
                self._later_s = self._apart_s * random.Random(name).random()  # noqa: S311 - the same each time
                reply(200, {**session, "Transport": transport})
            case "PLAY":
                if self._clip is None or self._send is None:
                    return reply(454)
                reply(200, session)
                if self._playing is None:
                    self._playing = asyncio.create_task(self._play(self._clip, self._send))
            case "GET_PARAMETER" | "SET_PARAMETER" | "TEARDOWN":
                reply(200, session)
            case _:
                reply(501)
        return None

    async def _transport(self, wanted: str) -> str | None:
        """Agree on how to send; the answer's ``Transport`` header, or None if we cannot."""
        if found := re.search(r"RTP/AVP/TCP.*interleaved=(\d+)-(\d+)", wanted):
            channel = int(found[1])
            if channel > 255:
                return None
            mark = b"$" + bytes((channel,))
            self._send = lambda packets: self._writer.write(  # at once: a call of the system for each costs most of all
                b"".join(part for packet in packets for part in (mark, len(packet).to_bytes(2, "big"), packet))
            )
            return f"RTP/AVP/TCP;unicast;interleaved={found[1]}-{found[2]}"
        if found := re.search(r"RTP/AVP(?:/UDP)?;unicast.*client_port=(\d+)-(\d+)", wanted):
            loop, peer = asyncio.get_running_loop(), self._writer.get_extra_info("peername")[0]
            for port in found.groups():  # RTP, and a socket that swallows the client's RTCP
                transport, _ = await loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, remote_addr=(peer, int(port))
                )
                self._sockets.append(transport)
            ports = [transport.get_extra_info("sockname")[1] for transport in self._sockets[-2:]]
            self._send = partial(_send_each, self._sockets[-2])
            return f"RTP/AVP;unicast;client_port={found[1]}-{found[2]};server_port={ports[0]}-{ports[1]}"
        return None

    async def _play(self, clip: Clip, send: Callable[[Iterable[bytes]], None]) -> None:
        loop, sender = asyncio.get_running_loop(), RtpSender(secrets.randbits(32))
        began, since_ticks = loop.time() + self._later_s, 0
        with contextlib.suppress(OSError, TimeoutError):
            while True:
                for picture in clip.pictures:
                    await asyncio.sleep(max(0.0, began + picture.due / CLOCK_HZ - loop.time()))
                    if self._writer.is_closing():
                        return  # the client hung up
                    send(sender.packets(picture, since_ticks))
                    async with asyncio.timeout(_DRAIN_S):
                        await self._writer.drain()
                began += clip.duration_s
                since_ticks += round(clip.duration_s * CLOCK_HZ) if self._endless else 0
        self._writer.close()


async def serve(
    clips: Mapping[str, Clip], host: str, port: int, login: Login | None, *, endless: bool, apart_s: float
) -> None:
    """Serve until cancelled; prints one ``ready`` line with the addresses."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await Session(clips, login, endless, apart_s, reader, writer).run()

    server = await asyncio.start_server(connected, host, port)
    bound = server.sockets[0].getsockname()[1]
    print("ready", *(f"rtsp://{host}:{bound}/{name}" for name in clips), flush=True)  # noqa: T201 - its parent reads it
    await asyncio.Event().wait()


def main(argv: list[str] | None = None) -> int:
    """Command line; 2 for a mistake in it."""
    parser = argparse.ArgumentParser(prog="python -m streamproc.demo.rtsp_server", description="Serve files over RTSP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--camera", action="append", required=True, metavar="NAME=FILE.mp4")
    parser.add_argument("--user", help="ask clients for this user and a password")
    parser.add_argument("--password-env", metavar="NAME", help="environment variable that holds the password")
    parser.add_argument("--endless", action="store_true", help="media time runs on where a file begins anew")
    parser.add_argument(
        "--apart",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="each begins up to so much later, by its name",
    )
    flags = parser.parse_args(argv)
    login = None
    if flags.user or flags.password_env:
        password = os.environ.get(flags.password_env or "", "")
        if not (flags.user and password):
            parser.error("--user and --password-env go together, and the variable must be set")
        login = Login(flags.user, password)
    try:
        pairs = [camera.partition("=") for camera in flags.camera]
        loaded = {file: load_clip(Path(file)) for file in {file for _, _, file in pairs}}
        clips = {name: loaded[file] for name, _, file in pairs}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(clips, flags.host, flags.port, login, endless=flags.endless, apart_s=flags.apart))
    return 0


if __name__ == "__main__":
    sys.exit(main())
