"""Sessions through FFmpeg's demuxers: RTSP, webcams, and recordings in any container."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
import av.logging
from av.container import InputContainer
from av.video.stream import VideoStream

from streamproc.errors import SourceError
from streamproc.secrets import redact
from streamproc.sources.session import Demuxed, RawPacket
from streamproc.sources.translate import translated
from streamproc.types import StreamInfo

# FFmpeg prints addresses, credentials included, and takes the GIL to log; what it has to say is in its errors.
av.logging.set_level(None)

# A camera's description mostly says all there is to know. To look at packets first would cost seconds, and with
# FFmpeg's `nobuffer` those packets, the first keyframe among them, would be thrown away.
_QUICK = {"probesize": "32", "fpsprobesize": "0"}
_MOST_FPS = 240.0


class _Unread:
    """Read when it is asked for, which whoever takes packets does with many in a row: one at a time, as they come, each
    line of Python has left the processor's caches since the packet before, and takes twenty times as long."""

    __slots__ = ("_packet", "_tick_s")

    def __init__(self, packet: av.Packet[VideoStream], tick_s: float) -> None:
        self._packet = packet
        self._tick_s = tick_s

    @property
    def data(self) -> bytes:
        return bytes(self._packet)

    @property
    def pts_s(self) -> float | None:
        return None if self._packet.pts is None else self._packet.pts * self._tick_s

    @property
    def dts_s(self) -> float | None:
        return None if self._packet.dts is None else self._packet.dts * self._tick_s

    @property
    def is_keyframe(self) -> bool:
        return self._packet.is_keyframe


class ContainerSession:
    """A session with one video stream of an open container."""

    def __init__(
        self, container: InputContainer, video: VideoStream, camera_id: str, what: str, live: bool, timeout_s: float
    ) -> None:
        self._container = container
        self._video = video
        self._camera_id = camera_id
        self._what = what
        self._timeout_s = timeout_s
        self.live = live
        self.keeps = False
        self.closed = False
        context = video.codec_context
        self.stream = StreamInfo(
            codec=context.codec.canonical_name,
            width_px=context.width,
            height_px=context.height,
            fps=_fps(video),
            extradata=bytes(context.extradata or b""),
            pix_fmt=context.pix_fmt if context.codec.canonical_name == "rawvideo" else None,
        )

    def __iter__(self) -> Iterator[Demuxed]:
        # No context and no fraction for each packet: they cost as much as a quarter of reading it.
        with translated(self._camera_id, self._what, self._timeout_s) as waiting:
            tick_s = float(self._video.time_base or 0)
            for packet in self._container.demux(self._video):
                if not packet.size:
                    continue
                one = _Unread(packet, tick_s)
                # A webcam's packets lie in memory of its driver's.
                yield one if self.keeps else RawPacket(one.data, one.pts_s, one.dts_s, one.is_keyframe)
                waiting.since_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()
        self.closed = True


def _fps(video: VideoStream) -> float | None:
    for rate in (video.average_rate, video.codec_context.framerate):
        if rate and 0 < rate <= _MOST_FPS:
            return float(rate)
    return None


def open_rtsp(
    url: str, camera_id: str, transport: Literal["tcp", "udp"], timeout_s: float, *, bounded: bool
) -> ContainerSession:
    """A session with a camera on the network; ``url`` holds its credentials. ``bounded``: no packet is waited for
    longer than ``timeout_s``; else, over TCP, no more than each of the socket's operations is bounded."""
    options = {
        "rtsp_transport": transport,
        "timeout": str(int(timeout_s * 1_000_000)),  # of each socket operation, in microseconds
        "allowed_media_types": "video",
    }
    deadline = time.monotonic() + timeout_s
    bounded = bounded or transport == "udp"
    try:
        session = _open(url, camera_id, True, timeout_s, {**options, **_QUICK}, bounded=bounded)
    except _SizeUnknownError:
        # The camera's description leaves the size out; it is in the first packets, which take longer to look at.
        session = _open(url, camera_id, True, max(1.0, deadline - time.monotonic()), options, bounded=bounded)
    session.keeps = transport == "tcp"
    return session


def open_device(path: Path, camera_id: str, timeout_s: float) -> ContainerSession:
    """A session with a webcam."""
    return _open(str(path), camera_id, True, timeout_s, {}, container_format="v4l2")


def open_file(path: Path, camera_id: str, timeout_s: float) -> ContainerSession:
    """A session with a recording; missing presentation times are made up where the container allows it."""
    return _open(str(path), camera_id, False, timeout_s, {"fflags": "+genpts"})


class _SizeUnknownError(SourceError):
    """The video's size was not found in what was looked at."""


def _open(
    address: str,
    camera_id: str,
    live: bool,
    timeout_s: float,
    options: dict[str, str],
    container_format: str | None = None,
    bounded: bool = True,
) -> ContainerSession:
    what = redact(address)
    timeouts = timeout_s, timeout_s if bounded else None
    with translated(camera_id, what, timeout_s):
        container = av.open(address, format=container_format, options=options, timeout=timeouts)
    try:
        if not container.streams.video:
            raise SourceError(camera_id, f"{what}: holds no video")
        video = container.streams.video[0]
        if video.codec_context is None:
            raise SourceError(
                camera_id, f"{what}: its codec is not one that this FFmpeg decodes; set the camera to H.264 or H.265"
            )
        if not (video.width and video.height):
            raise _SizeUnknownError(camera_id, f"{what}: the size of the video cannot be told")
        return ContainerSession(container, video, camera_id, what, live, timeout_s)
    except BaseException:
        container.close()
        raise
