"""What H.264's and HEVC's keyframes say of themselves, read from their units.

The numbers are those of Rec. ITU-T H.264, table 7-1, and H.265, table 7-1.
"""

from __future__ import annotations

from collections.abc import Iterator

from streamproc.annexb import length_size, units
from streamproc.types import Packet, StreamInfo

_START = b"\0\0\1"
_PICTURES = {"h264": range(1, 6), "hevc": range(32)}
_BEGINNINGS = {"h264": range(5, 6), "hevc": range(16, 22)}
"""Pictures on which nothing builds that is before them: IDR, and HEVC's other random access points."""
_SETS = {"h264": (7, 8), "hevc": (32, 33, 34)}
_SEQUENCE = {"h264": 7, "hevc": 33}


def begins(packet: Packet, stream: StreamInfo) -> bool:
    """Whether a decoder that begins at the keyframe ``packet`` shows right pictures from then on, as far as it tells.

    Demuxers also call those keyframes with which a camera begins to refresh its picture bit by bit, and H.264's at
    which an open group of pictures begins; what begins there is right some pictures later, and wrong until then.
    """
    if stream.codec not in _PICTURES:
        return True
    try:
        data = units(packet.data, length_size(stream))
    except ValueError:
        return True  # It is damaged, which a decoder finds out.
    kinds = (kind for kind, _, _ in _units(data, stream.codec) if kind in _PICTURES[stream.codec])
    return next(kinds, None) in (None, *_BEGINNINGS[stream.codec])


def leading_sets(data: bytes, codec: str) -> bytes:
    """The parameter sets at the head of a keyframe with start codes; empty where it brings no sequence's."""
    sets, found = bytearray(), set()
    for kind, begin, end in _units(data, codec):
        if kind in _PICTURES[codec]:
            break
        if kind in _SETS[codec]:
            found.add(kind)
            sets += data[begin:end]
    return bytes(sets) if _SEQUENCE[codec] in found else b""


def _units(data: bytes, codec: str) -> Iterator[tuple[int, int, int]]:
    """Kind, beginning and end of each unit."""
    begin = data.find(_START)
    while 0 <= begin < len(data) - 3:
        kind = data[begin + 3] & 0x1F if codec == "h264" else data[begin + 3] >> 1 & 0x3F
        following = data.find(_START, begin + 3)
        yield kind, begin, following if following >= 0 else len(data)
        begin = following
