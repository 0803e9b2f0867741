"""When to look, at any frame rate."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.config import SamplingSettings
from streamproc.sampling.plan import NEIGHBOUR_S, BurstPlan
from streamproc.sampling.windows import WindowBuilder
from streamproc.testing_sources import frame
from streamproc.types import Window

PTS = st.lists(st.floats(min_value=0.001, max_value=3.0), min_size=1, max_size=120).map(
    lambda gaps: [sum(gaps[:i]) for i in range(len(gaps))]
)
SETTINGS = st.builds(
    SamplingSettings,
    window_s=st.floats(min_value=0.1, max_value=8.0),
    bursts_per_s=st.floats(min_value=0.2, max_value=30.0),
    burst_frames=st.integers(min_value=1, max_value=8),
)


def steps(plan: BurstPlan, times: list[float]) -> str:
    return "".join({"start": "S", "join": "j", "skip": "."}[plan.step(t)] for t in times)


def at(fps: float, count: int) -> list[float]:
    return [i / fps for i in range(count)]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (10, "SjSjSjSjSj"),
        (25, "Sj...Sj...Sj...Sj..."),
        (30, "Sj....Sj....Sj...."),
        (5, "SjSjSj"),
        (1, "SSSS"),
        (1.9, "SjSjSj"),
    ],
)
def test_bursts_at_steady_rates(fps: float, expected: str) -> None:
    assert steps(BurstPlan(SamplingSettings()), at(fps, len(expected))) == expected


def test_a_camera_whose_clock_jitters_loses_no_burst() -> None:
    early = [t - 0.015 if i % 2 == 0 and i else t for i, t in enumerate(at(10, 20))]
    assert steps(BurstPlan(SamplingSettings()), early) == "Sj" * 10


def test_a_gap_ends_a_burst() -> None:
    assert steps(BurstPlan(SamplingSettings()), [0.0, 5.0, 5.04, 5.08]) == "SSj."


def built(settings: SamplingSettings, times: list[float]) -> list[Window]:
    builder = WindowBuilder(settings)
    return [window for t in times for window in builder.add(frame(t))] + builder.flush()


@given(SETTINGS, PTS)
def test_windows_hold_each_wanted_frame_once_and_in_order(settings: SamplingSettings, times: list[float]) -> None:
    plan = BurstPlan(settings)
    wanted = [t for t in times if plan.wants(t)]
    windows = built(settings, wanted)
    assert [f.pts_s for w in windows for burst in w.bursts for f in burst] == wanted
    assert [w.index for w in windows] == list(range(len(windows)))
    # Whether the frames in between are there or not, the windows are the same.
    again = [[f.pts_s for burst in w.bursts for f in burst] for w in built(settings, times)]
    assert again == [[f.pts_s for burst in w.bursts for f in burst] for w in windows]


@given(SETTINGS, PTS)
def test_bursts_are_neighbouring_frames(settings: SamplingSettings, times: list[float]) -> None:
    place = {t: i for i, t in enumerate(times)}
    for window in built(settings, times):
        for burst in window.bursts:
            assert len(burst) <= settings.burst_frames
            numbers = [place[f.pts_s] for f in burst]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert all(b.pts_s - a.pts_s <= NEIGHBOUR_S for a, b in pairwise(burst))


@given(SETTINGS, PTS)
def test_windows_span_no_more_than_their_length(settings: SamplingSettings, times: list[float]) -> None:
    tolerance_s = 1.0 / settings.bursts_per_s
    for window in built(settings, times):
        starts = [burst[0].pts_s for burst in window.bursts]
        assert starts[-1] - starts[0] <= settings.window_s + tolerance_s


@given(SETTINGS, st.floats(min_value=0.5, max_value=60.0))
def test_bursts_come_as_often_as_asked_where_the_camera_is_fast_enough(settings: SamplingSettings, fps: float) -> None:
    times = at(fps, 200)
    plan = BurstPlan(settings)
    starts = [t for t in times if plan.step(t) == "start"]
    most = times[-1] * settings.bursts_per_s + 2
    assert 1 <= len(starts) <= most
    if fps >= 2 * settings.bursts_per_s * settings.burst_frames and settings.burst_frames / fps < 0.5 * NEIGHBOUR_S:
        assert len(starts) >= times[-1] * settings.bursts_per_s * 0.99 - 1


def offered(plan: BurstPlan, times: list[float], every_s: float) -> list[float]:
    """What is taken of ``times`` where keyframes are ``every_s`` apart, as is known."""
    taken = []
    for t in times:
        begun = int(t / every_s + 1e-6) * every_s
        keyframe_s = t if t - begun < 1e-6 else begun + every_s
        if plan.wants(t, keyframe_s, every_s):
            taken.append(round(t, 3))
    return taken


@pytest.mark.parametrize(
    ("per_s", "every_s", "expected"),
    [
        (0.5, 2.0, [0, 2, 4, 6, 8]),  # not 1.84, though it would be early enough
        (0.5, 1.5, [0, 3, 4.52, 6, 9]),  # each slot waits for its keyframe
        (0.5, 1.0, [0, 2, 4, 6, 8]),
        (1.0, 2.0, [0, 0.92, 2, 2.92, 4, 4.92, 6, 6.92, 8, 8.92]),
        (1.0, 2.5, [0, 0.92, 1.92, 2.92, 3.92, 5, 5.92, 6.92, 7.92, 8.92]),  # 2.5 is too late for 2.0
    ],
)
def test_keyframes_are_waited_for_where_they_come_in_time(per_s: float, every_s: float, expected: list[float]) -> None:
    plan = BurstPlan(SamplingSettings(bursts_per_s=per_s, burst_frames=1))
    assert offered(plan, at(25, 240), every_s) == pytest.approx(expected, abs=0.03)


def test_whether_anything_is_wanted_before_the_next_keyframe() -> None:
    plan = BurstPlan(SamplingSettings(bursts_per_s=1.0, burst_frames=2))
    assert plan.wants_before(0.5, 2.0)
    plan.step(0.0)
    assert plan.wants_before(0.5, 2.0)  # the burst's second frame
    plan.step(0.04)
    assert not plan.wants_before(0.8, 2.0)
    assert not plan.wants_before(1.0, 2.0)  # that keyframe will do
    assert plan.wants_before(2.0, 2.0)


def test_nothing_is_due_before_a_keyframe_that_is_waited_for() -> None:
    plan = BurstPlan(SamplingSettings(bursts_per_s=0.5, burst_frames=1))
    plan.step(0.0)
    assert plan.due_s == pytest.approx(1.8)
    assert plan.due_by(2.0, 2.0) == 2.0
    assert plan.due_by(10.0, 10.0) == plan.due_s  # too late for the slot
    assert plan.due_by(1.0, 1.0) == plan.due_s  # not due even then


def test_a_burst_whose_first_frame_never_came_leaves_the_next_ones_as_they_were_planned() -> None:
    settings = SamplingSettings()
    plan, builder = BurstPlan(settings), WindowBuilder(settings)
    wanted = [t for t in at(25, 100) if plan.wants(t)]
    lost = wanted[4]  # a burst's first
    windows = [window for t in wanted if t != lost for window in builder.add(frame(t), plan.told(t))] + builder.flush()
    bursts = [[each.pts_s for each in burst] for window in windows for burst in window.bursts]
    assert bursts.pop(2) == [wanted[5]]
    assert all(len(burst) == 2 and burst[1] - burst[0] == pytest.approx(0.04) for burst in bursts)
