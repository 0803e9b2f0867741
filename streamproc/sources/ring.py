"""The last seconds of a camera's packets, kept encoded, so that evidence can be cut without having been decoded."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from streamproc.types import Packet, PacketBatch, StreamInfo


@dataclass(slots=True)
class _Gop:
    """A keyframe and what builds on it."""

    stream: StreamInfo
    packets: list[Packet] = field(default_factory=list)
    size_bytes: int = 0


class PacketRing:
    """Holds at least ``seconds`` of packets, and never more than ``megabytes``; whole groups of pictures come and go.

    Any thread may call it. Time is ``received_at``, so that runs follow one another.
    """

    def __init__(self, seconds: float, megabytes: float) -> None:
        self._seconds = seconds
        self._limit_bytes = int(megabytes * 1_000_000)
        self._gops: deque[_Gop] = deque()
        self._size_bytes = 0
        self._dropped_run: int | None = None
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Bytes of packets held."""
        return self._size_bytes

    def append(self, batch: PacketBatch) -> int:
        """Keep the batch's packets; those that build on a keyframe which is not here are not kept.

        How many groups of pictures had to go for ``megabytes`` before they were ``seconds`` old.
        """
        with self._lock:
            return sum(self._append(batch.stream, packet) for packet in batch.packets)

    def _append(self, stream: StreamInfo, packet: Packet) -> int:
        newest = self._gops[-1] if self._gops else None
        if packet.is_keyframe:
            newest = _Gop(stream)
            self._gops.append(newest)
        elif newest is None or newest.packets[0].run != packet.run:
            return 0
        newest.packets.append(packet)
        newest.size_bytes += len(packet.data)
        self._size_bytes += len(packet.data)
        while len(self._gops) > 1 and self._age_s(packet, self._gops[1]) >= self._seconds:
            self._drop_oldest()
        cut_short = 0
        while self._size_bytes > self._limit_bytes:
            self._drop_oldest()
            cut_short += 1
        return cut_short

    @staticmethod
    def _age_s(newest: Packet, gop: _Gop) -> float:
        return (newest.received_at - gop.packets[0].received_at).total_seconds()

    def _drop_oldest(self) -> None:
        oldest = self._gops.popleft()
        self._size_bytes -= oldest.size_bytes
        self._dropped_run = oldest.packets[0].run

    def runs(self) -> tuple[int, ...]:
        """The runs of which packets are held, the newest first."""
        with self._lock:
            return tuple(dict.fromkeys(gop.packets[0].run for gop in reversed(self._gops)))

    def was_cut(self, run: int) -> bool:
        """Whether the run began with packets that were held once, and had to go."""
        with self._lock:
            return self._dropped_run == run

    def zero_s(self, run: int) -> float | None:
        """Wall-clock time, in seconds since 1970, of the run's media time 0; None if nothing of the run is held.

        By the packet that came with the least delay of those held.
        """
        with self._lock:
            packets = [packet for gop in self._gops if gop.packets[0].run == run for packet in gop.packets]
        return min((packet.received_at.timestamp() - packet.pts_s for packet in packets), default=None)

    def clip(self, run: int, start_s: float, end_s: float) -> PacketBatch | None:
        """Packets of ``run`` from the keyframe at or before ``start_s`` to ``end_s``, both media time.

        Starts at the oldest keyframe held where an earlier one is gone; None if nothing of that time is held.
        """
        with self._lock:
            gops = [gop for gop in self._gops if gop.packets[0].run == run and gop.packets[0].pts_s <= end_s]
            while len(gops) > 1 and gops[1].packets[0].pts_s <= start_s:
                gops.pop(0)
            packets = tuple(packet for gop in gops for packet in gop.packets if packet.dts_s <= end_s)
        if not packets or max(packet.pts_s for packet in packets) < start_s:
            return None
        return PacketBatch(gops[0].stream, packets)
