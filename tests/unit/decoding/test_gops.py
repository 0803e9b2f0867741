"""Packets to groups that can be decoded by themselves."""

from __future__ import annotations

import math

import pytest

from streamproc.decoding.gops import Gop, GopCutter
from streamproc.testing_sources import packet
from streamproc.types import Packet


class Told:
    """Wants what it is told to; remembers what it was asked."""

    def __init__(self, *wanted: float) -> None:
        self._wanted = wanted
        self.asked: list[tuple[float, float, float]] = []

    def wants(self, pts_s: float, keyframe_s: float, every_s: float) -> bool:
        self.asked.append((pts_s, keyframe_s, every_s))
        return not self._wanted or pts_s in self._wanted

    def wants_before(self, keyframe_s: float, every_s: float) -> bool:
        raise AssertionError("nothing is decoded before a group is whole")


def times(packets: tuple[Packet, ...]) -> list[float]:
    return [p.pts_s for p in packets]


def cut(cutter: GopCutter, *given: tuple[float, bool]) -> list[Gop | None]:
    return [cutter.add(packet(pts_s, key=key)) for pts_s, key in given]


K, P = True, False


def test_a_group_is_whole_at_the_packet_after_the_next_keyframe() -> None:
    cutter = GopCutter(Told())
    gops = cut(cutter, (0, K), (1, P), (2, P), (3, K), (4, P))
    assert gops[:4] == [None] * 4
    assert gops[4] is not None
    assert times(gops[4].packets) == [0, 1, 2]
    assert times(gops[4].wanted) == [0, 1, 2]
    assert [p.pts_s for p in cutter.held] == [3, 4]
    assert cutter.every_s == 3


def test_the_plan_is_asked_once_in_order_and_told_of_keyframes() -> None:
    plan = Told()
    cutter = GopCutter(plan)
    cut(cutter, (0, K), (2, P), (1, P), (3, K), (5, P), (4, P), (6, K), (7, P))
    assert plan.asked == [(0, 0, 3), (1, 3, 3), (2, 3, 3), (3, 3, 3), (4, 6, 3), (5, 6, 3)]
    cutter.end()
    assert plan.asked[6:] == [(6, 6, 3), (7, 9, 3)]


def test_a_keyframe_that_nobody_can_expect_is_infinitely_far() -> None:
    plan = Told()
    cutter = GopCutter(plan)
    cut(cutter, (0, K), (1, P))
    cutter.end()
    assert plan.asked == [(0, 0, math.inf), (1, math.inf, math.inf)]


def test_nothing_is_kept_after_the_last_that_is_wanted() -> None:
    gops = cut(GopCutter(Told(1)), (0, K), (3, P), (1, P), (2, P), (4, K), (5, P))
    assert gops[5] is not None
    assert times(gops[5].packets) == [0, 3, 1]
    assert times(gops[5].wanted) == [1]
    assert gops[5].numbers == (1,)


def test_a_group_of_which_nothing_is_wanted_is_none() -> None:
    cutter = GopCutter(Told(99))
    assert cut(cutter, (0, K), (1, P), (2, K), (3, P)) == [None] * 4
    assert cutter.end() == []


def test_pictures_shown_before_the_keyframe_that_they_follow_belong_to_the_group_before() -> None:
    cutter = GopCutter(Told())
    gops = cut(cutter, (0, K), (1, P), (4, K), (2, P), (3, P), (5, P))
    assert gops[:5] == [None] * 5
    assert gops[5] is not None
    assert times(gops[5].packets) == [0, 1, 4, 2, 3]
    assert times(gops[5].wanted) == [0, 1, 2, 3]
    (last,) = cutter.end()
    assert times(last.packets) == [4, 5]
    assert times(last.wanted) == [4, 5]
    assert cutter.undecodable == 0


def test_what_builds_on_nothing_that_is_there_is_counted() -> None:
    cutter = GopCutter(Told())
    assert cut(cutter, (0, P), (1, P), (4, K), (2, P), (5, P)) == [None] * 5
    assert cutter.undecodable == 3
    (gop,) = cutter.end()
    assert times(gop.packets) == [4, 5]


def test_keyframes_alone_are_groups_of_one() -> None:
    cutter = GopCutter(Told())
    gops = cut(cutter, (0, K), (1, K), (2, K))
    assert [times(gop.packets) for gop in gops if gop] == [[0]]
    assert [times(gop.packets) for gop in cutter.end()] == [[1], [2]]


def test_the_end_gives_what_waits_behind_the_next_keyframe_too() -> None:
    cutter = GopCutter(Told())
    cut(cutter, (0, K), (1, P), (4, K), (2, P))
    first, last = cutter.end()
    assert times(first.wanted) == [0, 1, 2]
    assert times(last.wanted) == [4]
    assert cutter.end() == []


@pytest.mark.parametrize("shown", [0.0, 1.0])
def test_a_time_that_was_shown_already_is_not_asked_for_again(shown: float) -> None:
    plan = Told()
    cutter = GopCutter(plan)
    cut(cutter, (0, K), (1, P), (shown, P), (2, K), (3, P))
    assert [pts_s for pts_s, _, _ in plan.asked] == [0, 1]


def test_a_keyframe_at_which_decoding_cannot_begin_is_a_packet_like_others() -> None:
    cutter = GopCutter(Told(), begins=lambda keyframe: keyframe.pts_s != 2)
    gops = cut(cutter, (2, K), (3, K), (4, P), (2.5, P), (2, K), (6, K), (7, P))
    assert gops[:6] == [None] * 6
    assert gops[6] is not None
    assert times(gops[6].packets) == [3, 4]
