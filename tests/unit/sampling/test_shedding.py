"""Who looks away, and for how long."""

from __future__ import annotations

import pytest

from streamproc.config import SamplingSettings
from streamproc.sampling.plan import BurstPlan
from streamproc.sampling.shedding import CALM_S, PERSISTS_S, RESTS_S, STEP_S, SUSPECT_S, Shedding
from streamproc.testing import FakeClock


class Rig:
    def __init__(self, *cameras: str) -> None:
        self.clock = FakeClock()
        self.shedding = Shedding(self.clock)
        self.cameras = cameras
        for camera in cameras:
            self.shedding.watch(camera)

    def lose(self, camera: str, times: int = 1) -> None:
        for _ in range(times):
            for apart_s in (STEP_S, PERSISTS_S):
                self.clock.advance(apart_s)
                self.shedding.lost(camera)

    def rests(self) -> list[float]:
        return [self.shedding.rest_s(camera) for camera in self.cameras]


def test_where_nothing_is_lost_nobody_rests() -> None:
    rig = Rig("a", "b")
    rig.shedding.seen("a", standing_out=False)
    assert rig.rests() == [0, 0]


def test_cameras_rest_in_turn_beginning_with_the_one_that_lost() -> None:
    rig = Rig("a", "b", "c")
    rig.lose("b")
    assert rig.rests() == [0, 1, 0]
    rig.lose("b", 2)
    assert rig.rests() == [1, 1, 1]
    rig.lose("c")
    assert rig.rests() == [1, 1, 3]
    rig.lose("a", 100)
    assert rig.rests() == [RESTS_S[-1]] * 3


def test_a_moments_hiccup_has_nobody_rest() -> None:
    rig = Rig("a")
    for _ in range(3):
        rig.clock.advance(2 * STEP_S)
        for _ in range(10):
            rig.clock.advance(PERSISTS_S / 11)
            rig.shedding.lost("a")
    assert rig.rests() == [0]
    rig.clock.advance(PERSISTS_S / 5)
    rig.shedding.lost("a")
    assert rig.rests() == [1]


def test_losses_that_come_together_are_one_reason() -> None:
    rig = Rig("a", "b")
    rig.lose("a")
    for _ in range(50):
        rig.shedding.lost("a")
    assert rig.rests() == [1, 0]


def test_one_at_which_something_stands_out_is_watched_while_others_can_rest_more() -> None:
    rig = Rig("a", "b")
    rig.shedding.seen("a", standing_out=True)
    rig.lose("a", 2)
    assert rig.rests() == [0, 3]
    rig.clock.advance(SUSPECT_S)
    rig.lose("a")
    assert rig.rests() == [1, 3]
    rig.shedding.seen("a", standing_out=True)
    assert rig.rests() == [0, 3]
    rig.lose("a")
    assert rig.rests() == [1, 7]  # nobody else can rest more


def test_after_a_calm_while_rests_get_shorter_one_at_a_time() -> None:
    rig = Rig("a", "b")
    rig.lose("a", 3)
    assert rig.rests() == [3, 1]
    rig.clock.advance(CALM_S - 1)
    rig.shedding.seen("b", standing_out=False)
    assert rig.rests() == [3, 1]
    for expected in ([1, 1], [0, 1], [0, 0], [0, 0]):
        rig.clock.advance(CALM_S)
        rig.shedding.seen("b", standing_out=False)
        assert rig.rests() == expected


def test_if_that_was_too_early_longer_is_waited() -> None:
    rig = Rig("a")
    rig.lose("a")
    rig.clock.advance(CALM_S)
    rig.shedding.seen("a", standing_out=False)
    assert rig.rests() == [0]
    rig.lose("a")
    rig.clock.advance(CALM_S)
    rig.shedding.seen("a", standing_out=False)
    assert rig.rests() == [1]
    rig.clock.advance(CALM_S)
    rig.shedding.seen("a", standing_out=False)
    assert rig.rests() == [0]


def test_a_plan_watches_whole_seconds_between_rests() -> None:
    plan = BurstPlan(SamplingSettings(bursts_per_s=5, burst_frames=1), lambda: 2.0)
    jitter = [(-1) ** t * 0.003 for t in range(100)]
    taken = [t for t in range(100) if plan.wants(t / 10 + jitter[t])]
    assert taken == [*range(0, 10, 2), *range(30, 40, 2), *range(60, 70, 2), *range(90, 100, 2)]
    assert plan.rested == 6


def test_a_rest_is_broken_off_where_something_stands_out() -> None:
    rests = [7.0]
    plan = BurstPlan(SamplingSettings(bursts_per_s=5, burst_frames=1), lambda: rests[0])
    taken = []
    for t in range(60):
        rests[0] = 7.0 if t < 25 else 0.0
        if plan.wants(t / 10):
            taken.append(t)
    assert taken == [*range(0, 10, 2), *range(25, 60, 2)] or taken == [*range(0, 10, 2), 25, *range(26, 60, 2)]
    assert plan.rested == 2


def test_while_it_rests_nothing_is_due() -> None:
    plan = BurstPlan(SamplingSettings(bursts_per_s=5, burst_frames=1), lambda: 3.0)
    for t in range(12):
        plan.wants(t / 10)
    assert plan.due_s == pytest.approx(4.0, abs=0.03)  # a frame may come a little early
    assert not plan.wants_before(3.9, 10.0)
    assert plan.wants_before(4.5, 10.0)
