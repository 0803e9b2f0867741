"""H.264 and HEVC as a recording keeps them (length before each unit) to the form cameras send (start codes)."""

from __future__ import annotations

from streamproc.types import StreamInfo

_START = b"\x00\x00\x00\x01"


def length_size(stream: StreamInfo) -> int | None:
    """How many bytes tell each unit's length, 1 to 4; None where units have start codes already."""
    extra = stream.extradata
    if stream.codec not in ("h264", "hevc") or len(extra) < 7 or extra[0] != 1:
        return None
    return (extra[4 if stream.codec == "h264" else 21] & 3) + 1


def parameter_sets(stream: StreamInfo) -> bytes:
    """The codec configuration with start codes; the extradata itself where it has that form.

    Raises:
        ValueError: the configuration is cut short.
    """
    if length_size(stream) is None:
        return stream.extradata
    try:
        return _from_avcc(stream.extradata) if stream.codec == "h264" else _from_hvcc(stream.extradata)
    except IndexError:
        raise ValueError(f"the {stream.codec} configuration is cut short") from None


def units(data: bytes, size: int | None) -> bytes:
    """A packet's units with start codes; ``data`` itself where ``size`` is None.

    Raises:
        ValueError: a unit is longer than its packet.
    """
    if size is None:
        return data
    out, at = bytearray(), 0
    while at < len(data):
        length = int.from_bytes(data[at : at + size], "big")
        at += size
        if at + length > len(data):
            raise ValueError("a unit is longer than its packet")
        out += _START + data[at : at + length]
        at += length
    return bytes(out)


def _from_avcc(extra: bytes) -> bytes:
    out, at = bytearray(), 5
    for mask in (0x1F, 0xFF):  # sequence parameter sets, then picture parameter sets
        count = extra[at] & mask
        at = _copy(extra, at + 1, count, out)
    return bytes(out)


def _from_hvcc(extra: bytes) -> bytes:
    out, at = bytearray(), 23
    for _ in range(extra[22]):
        count = int.from_bytes(extra[at + 1 : at + 3], "big")
        at = _copy(extra, at + 3, count, out)
    return bytes(out)


def _copy(extra: bytes, at: int, count: int, out: bytearray) -> int:
    for _ in range(count):
        length = int.from_bytes(extra[at : at + 2], "big")
        if at + 2 + length > len(extra):
            raise IndexError
        out += _START + extra[at + 2 : at + 2 + length]
        at += 2 + length
    return at
