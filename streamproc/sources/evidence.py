"""Where a camera's evidence is cut from: its only stream, or its main stream beside the sub-stream that is analysed.

The two streams of a camera are two sessions, and each has a media time of its own. What they share is our clock: media
time 0 of a run lies at the least of (time of receipt - media time) over the packets held. So a network's jitter does
not count; what is left is how much longer the camera takes for one stream than for the other, some tenths of a second.
Packets of the main stream are handed out in the media time of the sub-stream, in which everything was decided.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from streamproc.sources.ring import PacketRing
from streamproc.types import PacketBatch, StreamInfo

log = structlog.get_logger(__name__)

SLACK_S = 1.0
"""The main stream's packets may begin so much later, and end so much earlier, than what is asked for."""
_MAIN_SHARE = 0.75
"""Of the memory; a sub-stream's packets are much smaller."""
_SHAPE_TOLERANCE = 0.02
AWAY = "evidence is of the sub-stream: the main stream's packets of that time are not held"
OTHER_SHAPE = (
    "evidence is of the sub-stream: the main stream has another shape, and privacy masks could miss their place"
)


class EvidenceRing:
    """A camera's packets for evidence; any thread may call it. Both streams together keep within ``megabytes``."""

    def __init__(self, seconds: float, megabytes: float, *, with_main: bool, masked: bool = False) -> None:
        """``with_main``: evidence is cut from a stream of its own; ``masked``: the camera has privacy masks."""
        share = 1.0 - _MAIN_SHARE if with_main else 1.0
        self._analysed = PacketRing(seconds, share * megabytes)
        self._main = PacketRing(seconds, _MAIN_SHARE * megabytes) if with_main else None
        self._masked = masked
        self._shapes_told = False

    @property
    def size_bytes(self) -> int:
        """Bytes of packets held."""
        return self._analysed.size_bytes + (self._main.size_bytes if self._main is not None else 0)

    def append(self, batch: PacketBatch) -> int:
        """Keep packets of the stream that is analysed; how many groups of pictures had to go before their time."""
        return self._analysed.append(batch)

    def append_main(self, batch: PacketBatch) -> int:
        """The same of the main stream."""
        return self._main.append(batch) if self._main is not None else 0

    def clip(self, run: int, start_s: float, end_s: float) -> PacketBatch | None:
        """Packets from the keyframe at or before ``start_s`` to ``end_s``, media time of the analysed stream's ``run``.

        Of the main stream where it has all that the analysed one has, or where both are cut short by what a ring holds;
        else of the analysed one, and ``degraded`` says so. None if nothing of that time is held.
        """
        analysed = self._analysed.clip(run, start_s, end_s)
        zero_s = self._analysed.zero_s(run)
        if self._main is None or analysed is None or zero_s is None:
            return analysed
        first_s = max(start_s, analysed.packets[0].pts_s)
        main = _shifted(self._main, zero_s, first_s, end_s, cut_short=first_s > start_s)
        if main is None:
            return replace(analysed, degraded=(AWAY,))
        if not _same_shape(main.stream, analysed.stream):
            if self._masked:
                return replace(analysed, degraded=(OTHER_SHAPE,))
            self._tell_shapes(main)
        return main

    def _tell_shapes(self, main: PacketBatch) -> None:
        if not self._shapes_told:
            self._shapes_told = True
            log.warning(
                "streams_differ_in_shape",
                camera=main.packets[0].camera_id,
                hint="boxes fit where both streams show the same view; if one is cropped, give both the same shape",
            )


def _shifted(ring: PacketRing, zero_s: float, start_s: float, end_s: float, *, cut_short: bool) -> PacketBatch | None:
    """The ring's packets of a time told on another clock, whose zero is at ``zero_s``; None if not all are held.

    ``cut_short``: what had to go of the beginning is not missed, as the other ring has not all that was wanted either.
    """
    for run in ring.runs():
        own_s = ring.zero_s(run)
        if own_s is None:
            continue  # It went meanwhile.
        shift_s = own_s - zero_s
        batch = ring.clip(run, start_s - shift_s, end_s - shift_s)
        if batch is None:
            continue
        packets = tuple(
            replace(packet, pts_s=packet.pts_s + shift_s, dts_s=packet.dts_s + shift_s) for packet in batch.packets
        )
        last_s = max(packet.pts_s for packet in packets)
        begins = packets[0].pts_s <= start_s + SLACK_S or (cut_short and ring.was_cut(run))
        if begins and last_s >= end_s - SLACK_S:
            return replace(batch, packets=packets)
    return None


def _same_shape(one: StreamInfo, other: StreamInfo) -> bool:
    ratio = one.width_px * other.height_px / (one.height_px * other.width_px)
    return abs(ratio - 1.0) <= _SHAPE_TOLERANCE
