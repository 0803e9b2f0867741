"""H.264 files as RTP payloads (RFC 6184): demuxed once, never re-encoded, shared by all clients."""

from __future__ import annotations

import base64
import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

CLOCK_HZ = 90_000
PAYLOAD_TYPE = 96
FIRST_TIMESTAMP = CLOCK_HZ
"""RTP timestamp of a clip's first picture. Not 0, which FFmpeg's RTP reader takes for "not known yet"."""
_MAX_PAYLOAD = 1400
_FU_A = 28


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded picture, ready to be sent; a clip's are in the order in which they are decoded."""

    due: int
    """Decoding time since the clip's beginning, in 1/90000 s: when it is sent."""
    ticks: int
    """Presentation time since the clip's beginning, in 1/90000 s; not in order where there are B-frames."""
    payloads: tuple[bytes, ...]
    """RTP payloads, at most 1400 bytes each; the last one takes the marker bit."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A file's video stream."""

    pictures: tuple[Picture, ...]
    duration_s: float
    """Until the picture after the last one would be due."""
    sps: bytes
    pps: bytes

    def sdp(self) -> str:
        """Session description of this clip (RFC 4566, RFC 6184 section 8.2.1)."""
        sets = ",".join(base64.b64encode(unit).decode("ascii") for unit in (self.sps, self.pps))
        lines = (
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=streamproc demo",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "a=range:npt=now-",
            f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
            f"a=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_HZ}",
            f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={self.sps[1:4].hex()};"
            f"sprop-parameter-sets={sets}",
            "a=control:track0",
        )
        return "\r\n".join(lines) + "\r\n"


def load_clip(path: Path) -> Clip:
    """Read an H.264 file (mp4 or mkv) into memory.

    Raises:
        ValueError: the file holds no such video.
        OSError: it cannot be read.
    """
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError(f"{path}: no video in it")
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata or b""
        if stream.codec_context.name != "h264" or extradata[:1] != b"\x01":
            raise ValueError(f"{path}: only H.264 in mp4 or mkv can be served")
        length_size, sps, pps = _parameter_sets(extradata)
        pictures: list[Picture] = []
        for packet in container.demux(stream):
            if packet.pts is None or packet.dts is None or packet.time_base is None:
                continue  # the demuxer's last, empty packet
            units = list(_units(bytes(packet), length_size))
            if packet.is_keyframe:
                units = [sps, pps, *units]
            due, ticks = (round(time * packet.time_base * CLOCK_HZ) for time in (packet.dts, packet.pts))
            pictures.append(Picture(due, ticks, tuple(p for unit in units for p in payloads(unit))))
    if len(pictures) < 2:
        raise ValueError(f"{path}: fewer than two pictures in it")
    first, last = pictures[0], pictures[-1]
    if any(b.due <= a.due for a, b in itertools.pairwise(pictures)):
        raise ValueError(f"{path}: pictures are not in the order of their decoding times")
    shifted = tuple(Picture(p.due - first.due, p.ticks - first.ticks, p.payloads) for p in pictures)
    return Clip(shifted, (last.due - first.due) / (len(pictures) - 1) * len(pictures) / CLOCK_HZ, sps, pps)


def payloads(unit: bytes) -> Iterator[bytes]:
    """One NAL unit as RTP payloads: whole, or cut into FU-A fragments (RFC 6184 section 5.8)."""
    if len(unit) <= _MAX_PAYLOAD:
        yield unit
        return
    indicator, kind, body = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F, unit[1:]
    step = _MAX_PAYLOAD - 2
    for start in range(0, len(body), step):
        begins = 0x80 if start == 0 else 0
        ends = 0x40 if start + step >= len(body) else 0
        yield bytes((indicator, begins | ends | kind)) + body[start : start + step]


class RtpSender:
    """Numbers the packets of one session and stamps them (RFC 3550 section 5.1)."""

    def __init__(self, ssrc: int) -> None:
        self._ssrc = ssrc
        self._sequence = 0

    def packets(self, picture: Picture, since_ticks: int = 0) -> Iterator[bytes]:
        """The picture's RTP packets, stamped with its clip's time, to which ``since_ticks`` are added."""
        timestamp = (FIRST_TIMESTAMP + since_ticks + picture.ticks) & 0xFFFFFFFF
        last = len(picture.payloads) - 1
        for index, payload in enumerate(picture.payloads):
            kind = PAYLOAD_TYPE | (0x80 if index == last else 0)
            yield struct.pack("!BBHII", 0x80, kind, self._sequence, timestamp, self._ssrc) + payload
            self._sequence = (self._sequence + 1) & 0xFFFF


def _parameter_sets(avcc: bytes) -> tuple[int, bytes, bytes]:
    """Length-field size, first SPS and first PPS of an ``avcC`` record (ISO/IEC 14496-15)."""
    size = int.from_bytes(avcc[6:8], "big")
    sps, rest = avcc[8 : 8 + size], avcc[8 + size :]
    return (avcc[4] & 3) + 1, sps, rest[3 : 3 + int.from_bytes(rest[1:3], "big")]


def _units(data: bytes, length_size: int) -> Iterator[bytes]:
    at = 0
    while at + length_size < len(data):
        size = int.from_bytes(data[at : at + length_size], "big")
        yield data[at + length_size : at + length_size + size]
        at += length_size + size
