"""Windows by media time."""

from __future__ import annotations

from streamproc.config import SamplingSettings
from streamproc.sampling.windows import WindowBuilder
from streamproc.testing_sources import frame


def test_ten_frames_a_second_make_windows_of_five_pairs() -> None:
    builder = WindowBuilder(SamplingSettings())
    windows = [w for i in range(30) for w in builder.add(frame(i / 10))]
    assert [(w.index, w.start_s, w.end_s) for w in windows] == [(0, 0.0, 0.9), (1, 1.0, 1.9), (2, 2.0, 2.9)]
    assert [len(burst) for burst in windows[0].bursts] == [2] * 5


def test_lengths_that_floating_point_does_not_divide_evenly() -> None:
    settings = SamplingSettings(window_s=1.1, bursts_per_s=30, burst_frames=1)
    builder = WindowBuilder(settings)
    windows = [w for i in range(330) for w in builder.add(frame(i / 30))]
    assert [len(w.bursts) for w in windows] == [33] * 10


def test_a_window_is_handed_on_with_its_last_frame_and_not_one_later() -> None:
    builder = WindowBuilder(SamplingSettings())
    done = [bool(builder.add(frame(i / 10))) for i in range(10)]
    assert done == [False] * 9 + [True]


def test_runs_are_never_mixed_and_count_anew() -> None:
    builder = WindowBuilder(SamplingSettings())
    windows = [w for i in range(5) for w in builder.add(frame(i / 10, run=1))]
    windows += [w for i in range(10) for w in builder.add(frame(i / 10, run=2))]
    assert [(w.run, w.index, w.end_s) for w in windows] == [(1, 0, 0.4), (2, 0, 0.9)]
    assert all(f.run == w.run for w in windows for burst in w.bursts for f in burst)


def test_one_frame_a_second_makes_windows_of_one_frame() -> None:
    builder = WindowBuilder(SamplingSettings())
    windows = [w for i in range(4) for w in builder.add(frame(float(i)))] + builder.flush()
    assert [[len(burst) for burst in w.bursts] for w in windows] == [[1]] * 4


def test_a_gap_leaves_out_windows_and_what_is_held_comes_at_the_end() -> None:
    builder = WindowBuilder(SamplingSettings())
    windows = [w for t in (0.0, 0.1, 5.0, 5.1) for w in builder.add(frame(t))]
    assert [(w.index, w.start_s) for w in windows] == [(0, 0.0)]
    assert [(w.index, w.start_s) for w in builder.flush()] == [(1, 5.0)]
    assert builder.flush() == []
