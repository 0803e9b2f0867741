"""Which of a run's packets are decoded, and when: those alone without which a wanted picture could not be.

A picture needs its keyframe, what lies between them in the order of decoding, and nothing else; of what lies between,
pictures on which no other builds can be left out. So a packet is held until the plan was asked about it, which is
possible as soon as no earlier picture can follow: once decoding time has come to its presentation time. Then

- a wanted picture has everything from its keyframe on decoded up to it, unless the decoder is already part of the way;
- while more is expected before the next keyframe, packets are decoded as they come, so that the work is not heaped up;
- otherwise nothing more is, up to the next keyframe, and what the decoder holds back for reordering is drained.

Pictures that come before their keyframe though they follow it in the stream (an open group of pictures) build on the
group before too, which is why that is kept until the first packet that does not.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from itertools import count
from typing import Protocol

from streamproc.decoding.factory import Plan
from streamproc.types import Packet

_REORDERED = 16
"""More pictures than H.264 and HEVC hold back for reordering."""
_HELD = 1500
"""Packets of one group, a minute at 25 a second; a longer one is decoded as it comes, and let go."""
_WHOLE_S = 60.0
"""Media time for which everything is decoded where a wanted picture did not come of its group alone."""


class Codec(Protocol):
    """What decodes. It tells of each picture that ``claim`` it was asked for, or ``wanted`` names, by itself."""

    def feed(self, packet: Packet, skippable: bool) -> bool:
        """Decode; a ``skippable`` one only if others build on it. False where it, or what it builds on, is damaged."""
        ...

    def claim(self, packet: Packet) -> bool:
        """Whether the packet's picture had come already, before it was known to be wanted; then it is taken."""
        ...

    def drain(self) -> None:
        """Give what is held back for reordering; afterwards decoding begins at a keyframe."""
        ...

    def restart(self) -> None:
        """Forget everything; what is fed next is a keyframe."""
        ...


class Selection:
    """Feeds one run's packets to ``codec``, given them in order of arrival."""

    def __init__(self, plan: Plan, codec: Codec) -> None:
        self._plan, self._codec = plan, codec
        self.wanted: dict[float, Packet] = {}
        """By presentation time, wanted packets whose pictures have not come."""
        self.undecodable = 0
        """Packets that gave no frame because they, or one they build on, were damaged."""
        self._undecided: list[tuple[float, int, Packet]] = []
        self._number = count()
        self._asked_s = -math.inf
        self._group: list[Packet] = []
        """The present group of pictures, behind the one before while pictures may build on both."""
        self._key = 0
        """Place of the present keyframe in it."""
        self._fed = 0
        """How many of it the decoder has had."""
        self._begun_s = -math.inf
        """Presentation time of the keyframe at which the decoder began."""
        self._restarts = False
        self._lost = True
        self._more = True
        self._spans: deque[float] = deque(maxlen=4)
        self._whole_until_s = -math.inf
        self._keyframes = 0
        """Keyframes whose pictures came, up to two."""
        self._endless = False
        """Whether the present group is longer than what is kept, so that it cannot be begun anew."""

    @property
    def keyframe_every_s(self) -> float | None:
        """The longest of the last distances between keyframes."""
        return max(self._spans, default=None)

    @property
    def undecided(self) -> set[float]:
        """Presentation times about which the plan was not asked yet."""
        return {pts_s for pts_s, _, _ in self._undecided}

    def add(self, packet: Packet) -> None:
        """The next packet."""
        if packet.is_keyframe:
            self._begin(packet)
        elif self._lost:
            self.undecodable += 1
            return
        else:
            self._let_go(packet)
        self._group.append(packet)
        heapq.heappush(self._undecided, (packet.pts_s, next(self._number), packet))
        while self._undecided and (self._undecided[0][0] <= packet.dts_s or len(self._undecided) > _REORDERED):
            self._decide(heapq.heappop(self._undecided)[2])
        self._work()

    def end(self) -> None:
        """The run is over."""
        while self._undecided:
            self._decide(heapq.heappop(self._undecided)[2])
        self._work(over=True)

    def saw_keyframe(self, whole: bool) -> None:
        """The picture of a packet that is called a keyframe came; ``whole`` where it builds on no other.

        Where a camera refreshes its picture strip by strip, each beginning of that counts as a keyframe, and the
        pictures from there on are wrong in a decoder that has not had those before. So a run's second is awaited,
        which tells, and the decoder of such a stream is given everything and never begins anew.
        """
        self._keyframes = min(2, self._keyframes + 1)
        if not whole:
            self._whole_until_s = math.inf

    # ---- what is wanted

    def _decide(self, packet: Packet) -> None:
        if packet.pts_s <= self._asked_s:
            return
        self._asked_s = packet.pts_s
        every_s = self.keyframe_every_s or math.inf
        wanted = self._plan.wants(packet.pts_s, self._keyframe_after(packet), every_s)
        if wanted and not self._codec.claim(packet):
            self.wanted[packet.pts_s] = packet
        if wanted or packet.is_keyframe or self._more:
            self._more = self._plan.wants_before(self._end_after(packet), every_s)

    def _keyframe_after(self, packet: Packet) -> float:
        return packet.pts_s if packet.is_keyframe else self._end_after(packet)

    def _end_after(self, packet: Packet) -> float:
        """When the keyframe after ``packet`` is expected, which may be here already; infinity where nobody knows."""
        keyframe_s = self._group[self._key].pts_s
        if packet.pts_s < keyframe_s:
            return keyframe_s
        end_s = keyframe_s + max(self._spans, default=math.inf)
        return end_s if end_s > packet.pts_s else math.inf

    # ---- what is decoded for it

    def _begin(self, keyframe: Packet) -> None:
        self._endless = False
        if self._lost:
            self._group, self._key, self._fed, self._restarts, self._lost = [], 0, 0, True, False
        else:
            begun_s = self._group[self._key].pts_s
            if self._key:  # Nothing can come any more before the present keyframe, as another follows it.
                while self._undecided and self._undecided[0][0] < begun_s:
                    self._decide(heapq.heappop(self._undecided)[2])
                if not self._work():
                    self._begin(keyframe)
                    return
            self._spans.append(keyframe.pts_s - begun_s)
            self._forget(self._key)
            self._key = len(self._group)

    def _let_go(self, packet: Packet) -> None:
        """Forget the group before, once nothing that is still to come can build on it."""
        if not self._key:
            return
        keyframe_s = self._group[self._key].pts_s
        waits = self._undecided and self._undecided[0][0] < keyframe_s
        if packet.pts_s > keyframe_s and not waits and not self._needed(before=keyframe_s):
            self._forget(self._key)

    def _forget(self, upto: int) -> None:
        """Drop the first ``upto`` packets; if the decoder has not had them all, it begins anew."""
        if not upto:
            return
        self._restarts = self._restarts or self._fed < upto
        del self._group[:upto]
        self._fed = max(0, self._fed - upto)
        self._key -= upto

    def _needed(self, before: float) -> bool:
        unfed = self._group[self._fed :] if self.wanted else []
        return any(packet.pts_s < before and self.wanted.get(packet.pts_s) is packet for packet in unfed)

    def _work(self, over: bool = False) -> bool:
        """Feed what can be fed; False where the rest of the group is lost."""
        if self._lost:
            return False
        newest_s = self._group[-1].pts_s
        self._endless = self._endless or len(self._group) - self._key > _HELD
        whole = self._endless or newest_s < self._whole_until_s
        more = not over and (self._more or whole or self._keyframes < 2)
        keyframe_s = self._group[self._key].pts_s
        decided = self._asked_s >= keyframe_s and not self._needed(before=keyframe_s)
        if decided and self._fed < self._key < self._goal(more):
            self._fed, self._restarts = self._key, True
        while self._fed < self._goal(more):
            if not self._feed(self._group[self._fed], whole):
                return False
        if self._endless:
            del self._group[self._key + 1 : self._fed]
            self._fed = min(self._fed, self._key + 1)
        if self.wanted and not more:
            self._codec.drain()
            self._fed, self._restarts = 0, True
        if len(self.wanted) > (2 * _REORDERED if more else 0):  # Nothing was damaged, and yet they are not there.
            self._whole_until_s = max(self._whole_until_s, newest_s + _WHOLE_S)
            self.wanted.clear()
        return True

    def _goal(self, more: bool) -> int:
        """How many packets of the group are to be fed.

        What is wanted needs, and where ``more`` are expected all that were asked about: of the others nobody knows yet
        whether they can be left out.
        """
        if more and self.wanted:
            return len(self._group)
        if more:
            unasked = (at for at in range(self._fed, len(self._group)) if self._group[at].pts_s > self._asked_s)
            return next(unasked, len(self._group))
        if not self.wanted:
            return self._fed
        for at in range(len(self._group), self._fed, -1):
            if self.wanted.get(self._group[at - 1].pts_s) is self._group[at - 1]:
                return at
        return self._fed

    def _feed(self, packet: Packet, whole: bool) -> bool:
        """Feed the next; False where the rest of the group is lost."""
        at = self._fed
        self._fed += 1
        if self._restarts:
            self._codec.restart()
            self._restarts, self._begun_s = False, packet.pts_s
        if packet.pts_s < self._begun_s:
            return True  # It builds on what the decoder has not had.
        asked = packet.pts_s <= self._asked_s
        if self._codec.feed(packet, skippable=asked and packet.pts_s not in self.wanted and not whole):
            return True
        if at < self._key:  # The damage ends with the group before.
            keyframe_s = self._group[self._key].pts_s
            self.wanted = {pts_s: wanted for pts_s, wanted in self.wanted.items() if pts_s >= keyframe_s}
            self.undecodable += self._key - at
            self._forget(self._key)
            self._restarts = True
            return True
        self.undecodable += len(self._group) - at
        self.wanted.clear()
        self._undecided.clear()
        self._lost = True
        return False
