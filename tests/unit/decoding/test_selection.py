"""Which packets are decoded, without a codec."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from streamproc.config import SamplingSettings
from streamproc.decoding.selection import Selection
from streamproc.sampling.plan import BurstPlan
from streamproc.testing_sources import packet
from streamproc.types import Packet


@dataclass
class Notebook:
    """A codec that holds back nothing; ``refuses`` are the times of damaged packets, ``hides`` of pictures it keeps."""

    refuses: Sequence[float] = ()
    hides: Sequence[float] = ()
    strips: bool = False
    fed: list[float] = field(default_factory=list)
    skipped: list[float] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    drained: int = 0
    shown: list[float] = field(default_factory=list)
    selection: Selection = field(init=False)

    def feed(self, given: Packet, skippable: bool) -> bool:
        (self.skipped if skippable else self.fed).append(given.pts_s)
        if given.pts_s in self.refuses:
            return False
        if given.is_keyframe:
            self.selection.saw_keyframe(whole=not self.strips)
        if given.pts_s in self.selection.wanted and given.pts_s not in self.hides:
            del self.selection.wanted[given.pts_s]
            self.shown.append(given.pts_s)
        return True

    def claim(self, given: Packet) -> bool:
        return False

    def drain(self) -> None:
        self.drained += 1

    def restart(self) -> None:
        self.restarts.append(len(self.fed) + len(self.skipped))


def run(codec: Notebook, per_s: float, count: int = 60, gop: int = 10, key: bool = True) -> Selection:
    """Ten packets a second."""
    selection = codec.selection = Selection(BurstPlan(SamplingSettings(bursts_per_s=per_s, burst_frames=1)), codec)
    for at in range(count):
        selection.add(packet(at / 10, key=at % gop == 0 and (key or at == 0)))
    selection.end()
    return selection


def test_the_first_group_is_decoded_whole_and_then_keyframes_alone() -> None:
    codec = Notebook()
    selection = run(codec, 1.0)
    assert codec.shown == codec.fed == [0.0, 0.9, 2.0, 3.0, 4.0, 5.0]  # 0.9: nobody knew that 1.0 would be a keyframe
    assert codec.skipped == [*(at / 10 for at in range(1, 9)), 1.0]
    assert selection.keyframe_every_s == 1.0
    assert codec.drained == 0


def test_a_look_in_mid_group_has_what_leads_to_it_and_no_more() -> None:
    codec = Notebook()
    run(codec, 0.4)  # a slot each 2.5 s; keyframes that come later in it are waited for
    assert codec.shown == [0.0, 3.0, 5.0]
    assert [pts_s for pts_s in codec.fed if pts_s > 1.0] == [3.0, 5.0]


def test_while_more_is_expected_packets_are_decoded_as_they_come() -> None:
    codec = Notebook()
    selection = codec.selection = Selection(BurstPlan(SamplingSettings(bursts_per_s=2.0, burst_frames=1)), codec)
    for at in range(23):
        selection.add(packet(at / 10, key=at % 10 == 0))
    assert max(codec.fed + codec.skipped) == 2.2
    for at in range(23, 29):
        selection.add(packet(at / 10, key=False))
    assert codec.shown[-1] == 2.5
    assert max(codec.fed + codec.skipped) == 2.5  # nothing is expected before the keyframe at 3.0


def test_damage_costs_the_rest_of_the_group() -> None:
    codec = Notebook(refuses=[1.2])
    selection = run(codec, 10.0, 30)
    assert codec.shown == [at / 10 for at in [*range(12), *range(20, 30)]]
    assert selection.undecodable == 8


def test_a_picture_that_does_not_come_has_everything_decoded_for_a_while() -> None:
    codec = Notebook(hides=[3.0])
    selection = run(codec, 1.0, 1000)
    assert codec.drained == 1
    fed = set(codec.fed)
    assert {at / 10 for at in range(31, 630)} <= fed
    assert 70.1 not in fed
    assert not selection.wanted


def test_strips_that_pass_for_keyframes_have_everything_decoded_without_an_end() -> None:
    codec = Notebook(strips=True)
    run(codec, 1.0, 200)
    assert len(codec.restarts) == 1
    assert len(codec.fed) + len(codec.skipped) == 200


def test_a_group_without_an_end_is_let_go() -> None:
    codec = Notebook()
    selection = run(codec, 0.01, 4000, 10000)
    assert len(selection._group) == 1
    assert len(codec.restarts) == 1
    assert codec.shown == [0.0, 90.0, 190.0, 290.0, 390.0]


@pytest.mark.parametrize("late", [0.0, 0.1])
def test_reordered_packets_are_asked_about_in_order(late: float) -> None:
    asked: list[float] = []

    class Plan:
        def wants(self, pts_s: float, keyframe_s: float, every_s: float) -> bool:
            asked.append(pts_s)
            return False

        def wants_before(self, keyframe_s: float, every_s: float) -> bool:
            return keyframe_s < math.inf

    codec = Notebook()
    selection = codec.selection = Selection(Plan(), codec)
    order = [0.0, 0.4, 0.2, 0.1, 0.3, 0.8, 0.6, 0.5, 0.7]
    for at, pts_s in enumerate(order):
        each = packet(pts_s, key=not at)
        selection.add(type(each)("gate", 1, pts_s, at / 10 - 0.2 - late, each.received_at, not at, b"x"))
    selection.end()
    assert asked == sorted(order)
