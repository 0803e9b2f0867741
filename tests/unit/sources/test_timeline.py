"""Media time and where runs begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.errors import SourceError
from streamproc.sources.session import RawPacket
from streamproc.sources.timeline import KEYFRAME_WAIT_S, Timeline
from streamproc.testing_sources import raw_packets


def test_time_starts_at_zero_and_the_run_at_a_keyframe() -> None:
    timeline = Timeline("gate", 3)
    places = [timeline.place(raw) for raw in raw_packets(7, start_s=100.3, gop=5)[1:]]
    assert places[:4] == [None] * 4
    assert [(p.run, round(p.pts_s, 6)) for p in places[4:] if p] == [(3, 0.0), (3, 0.1)]
    assert timeline.next_run == 4


def test_a_loop_starts_a_new_run_and_the_session_goes_on() -> None:
    timeline = Timeline("gate", 1, fps=10)
    places = [timeline.place(raw) for raw in raw_packets(30) + raw_packets(10)]
    assert [p.run for p in places if p] == [1] * 30 + [2] * 10
    assert places[30] is not None
    assert places[30].pts_s == 0.0
    session = [p.session_s for p in places if p]
    assert session == pytest.approx([i / 10 for i in range(40)])


def test_a_leap_forward_starts_a_new_run_at_the_next_keyframe() -> None:
    timeline = Timeline("gate", 1)
    places = [timeline.place(raw) for raw in raw_packets(10) + raw_packets(10, start_s=60.1, gop=5)[1:]]
    assert places[10:14] == [None] * 4
    assert places[14] is not None
    assert (places[14].run, places[14].pts_s) == (2, 0.0)
    assert places[14].session_s == pytest.approx(60.6)


def test_a_short_step_back_is_smoothed() -> None:
    timeline = Timeline("gate", 1)
    times = [0.0, 0.1, 0.2, 0.15, 0.3]
    places = [timeline.place(RawPacket(b"", t, t, True)) for t in times]
    assert [p.dts_s for p in places if p] == pytest.approx([0.0, 0.1, 0.2, 0.2, 0.3])
    assert {p.run for p in places if p} == {1}


def test_missing_times_are_counted_on() -> None:
    timeline = Timeline("gate", 1, fps=20)
    places = [timeline.place(RawPacket(b"", None, None, i == 0)) for i in range(3)]
    assert [p.pts_s for p in places if p] == pytest.approx([0.0, 0.05, 0.1])


@pytest.mark.parametrize("zero", [0.0, 5000.0, -5000.0])
def test_a_first_packet_without_a_time_belongs_to_the_same_run(zero: float) -> None:
    timeline = Timeline("gate", 1, fps=10)
    times = [None, zero + 0.1, zero + 0.2]
    places = [timeline.place(RawPacket(b"", t, t, i == 0)) for i, t in enumerate(times)]
    assert [p.run for p in places if p] == [1, 1, 1]
    assert [p.pts_s for p in places if p] == pytest.approx([0.0, 0.1, 0.2])
    assert [p.session_s for p in places if p] == pytest.approx([0.0, 0.1, 0.2])


def test_reordered_pictures_keep_their_times() -> None:
    timeline = Timeline("gate", 1)
    order = [(0.0, -0.2), (0.3, -0.1), (0.1, 0.0), (0.2, 0.1)]
    places = [timeline.place(RawPacket(b"", pts, dts, i == 0)) for i, (pts, dts) in enumerate(order)]
    assert [(p.pts_s, p.dts_s) for p in places if p] == order


def test_a_stream_without_keyframes_is_an_error_with_the_remedy() -> None:
    timeline = Timeline("gate", 1)
    for t in range(int(KEYFRAME_WAIT_S) + 1):
        assert timeline.place(RawPacket(b"", t, t, False)) is None
    with pytest.raises(SourceError, match="keyframe interval"):
        timeline.place(RawPacket(b"", KEYFRAME_WAIT_S + 1, KEYFRAME_WAIT_S + 1, False))


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), max_size=200))
def test_time_only_goes_on_within_a_run(steps: list[tuple[float, bool]]) -> None:
    timeline = Timeline("gate", 1)
    now, run, dts_s = 0.0, 0, 0.0
    try:
        for step, key in steps:
            now += step
            place = timeline.place(RawPacket(b"", now, now, key))
            if place is None:
                continue
            assert place.pts_s >= 0
            if place.run == run:
                assert place.dts_s >= dts_s
            else:
                assert place.run == run + 1
                assert (key, place.pts_s) == (True, 0.0)
            run, dts_s = place.run, place.dts_s
    except SourceError:
        pass


def test_pictures_that_are_reordered_at_the_start_of_a_stream_without_decoding_times_all_have_their_place() -> None:
    timeline = Timeline("gate", 1, 10.0)
    told = [(None, True), (0.4, False), (0.2, False), (0.1, False), (0.3, False)]
    places = [timeline.place(RawPacket(b"x", pts_s, None, key)) for pts_s, key in told]
    assert [(place.run, place.pts_s) for place in places if place] == [(1, 0.0), (1, 0.4), (1, 0.2), (1, 0.1), (1, 0.3)]
    assert all(place.dts_s == 0.0 for place in places if place)
