"""Packets to groups of pictures, each of which can be decoded by itself.

A group goes from a keyframe to the last picture that is wanted of it. It is known to be whole at the first packet that
no longer belongs to it: the one after the next keyframe, because pictures that are shown before that keyframe may
follow it in the stream, and build on both groups. Those are put behind the first group, with the keyframe between.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamproc.decoding.factory import Plan
from streamproc.types import Packet


@dataclass(frozen=True, slots=True, eq=False)
class Gop:
    """Pictures that build on nothing else."""

    packets: tuple[Packet, ...]
    """In the order of decoding, the keyframe first; none after the last that is wanted."""
    wanted: tuple[Packet, ...]
    """Those of them whose pictures will be looked at, in the order of presentation."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Which pictures are wanted, counted from 0 in the order of presentation."""
        places = {id(packet): place for place, packet in enumerate(sorted(self.packets, key=_when))}
        return tuple(places[id(packet)] for packet in self.wanted)


class GopCutter:
    """Cuts one run's packets, given in order of arrival."""

    def __init__(self, plan: Plan, begins: Callable[[Packet], bool] = lambda _: True) -> None:
        """``begins`` tells of a keyframe whether decoding can begin there; if not, it is a packet like others."""
        self._plan, self._begins = plan, begins
        self._held: list[Packet] = []
        self._next: list[Packet] = []
        """The next keyframe, and what follows it and is shown before it."""
        self._spans: deque[float] = deque(maxlen=4)
        self._asked_s = -math.inf
        self.undecodable = 0
        """Packets that gave no picture because what they build on never came."""

    @property
    def every_s(self) -> float | None:
        """How far apart keyframes are, the most of the last few; None while nobody knows."""
        return max(self._spans, default=None)

    @property
    def held(self) -> Sequence[Packet]:
        """Packets of the group that is not whole yet, from its keyframe on."""
        return self._held + self._next

    def add(self, packet: Packet) -> Gop | None:
        """The group that ``packet`` shows to be whole; None where none is, or nothing of it is wanted."""
        begins = packet.is_keyframe and self._begins(packet)
        if not self._held:
            if begins:
                self._held = [packet]
            else:
                self.undecodable += 1
            return None
        if self._next and packet.pts_s >= self._next[0].pts_s:
            gop = self._whole()
            self._next = [packet] if begins else []
            if not self._next:
                self._held.append(packet)
            return gop
        if self._next:
            self._next.append(packet)
        elif begins:
            self._next = [packet]
        elif packet.pts_s < self._held[0].pts_s:
            self.undecodable += 1  # It builds on a group that is not there, or is gone already.
        else:
            self._held.append(packet)
        return None

    def end(self) -> list[Gop]:
        """What is left; the run is over."""
        before = self._whole() if self._next else None
        last = self._group(self._held, None) if self._held else None
        self._held = []
        return [gop for gop in (before, last) if gop is not None]

    def _whole(self) -> Gop | None:
        keyframe = self._next[0]
        self._spans.append(max(0.0, keyframe.pts_s - self._held[0].pts_s))
        gop = self._group(self._held + (self._next if len(self._next) > 1 else []), keyframe.pts_s)
        self._held, self._next = [keyframe], []
        return gop

    def _group(self, packets: list[Packet], keyframe_s: float | None) -> Gop | None:
        """``keyframe_s`` is the next keyframe's time; None where none came."""
        every_s = max(self._spans, default=math.inf)
        wanted = []
        for packet in sorted(packets, key=_when):
            # Where a container tells no presentation times, reordered pictures seem to go back in time.
            if packet.pts_s <= self._asked_s or (keyframe_s is not None and packet.pts_s >= keyframe_s):
                continue
            self._asked_s = packet.pts_s
            expected_s = packets[0].pts_s + every_s if keyframe_s is None else keyframe_s
            expected_s = expected_s if expected_s > packet.pts_s else math.inf
            if self._plan.wants(packet.pts_s, packet.pts_s if packet is packets[0] else expected_s, every_s):
                wanted.append(packet)
        chosen = set(map(id, wanted))
        last = max((place for place, packet in enumerate(packets) if id(packet) in chosen), default=-1)
        return Gop(tuple(packets[: last + 1]), tuple(wanted)) if wanted else None


def _when(packet: Packet) -> float:
    return packet.pts_s
