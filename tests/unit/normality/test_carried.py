"""Evidence goes where its thing goes, begins from nothing, and fades with its own time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from streamproc.normality.carried import Carried
from streamproc.normality.speed import STRIDE_PX, SpeedSample

GRID = (20, 30)
_STEP_S = 0.1


def sample(index: int, cells: list[tuple[int, int]], across_cells: float = 0.0) -> SpeedSample:
    """Things at ``cells`` (row, column) that move ``across_cells`` to the right from one sample to the next."""
    vectors = np.tile(np.array([across_cells * STRIDE_PX / _STEP_S, 0.0], np.float16), (len(cells), 1))
    numbers = np.array([row * GRID[1] + column for row, column in cells], np.uint32)
    return SpeedSample(1, index * _STEP_S, _STEP_S, GRID, numbers, vectors)


def column(*values: float) -> npt.NDArray[np.float32]:
    return np.array([[value] for value in values], np.float32)


def test_what_goes_on_is_believed_with_its_time_constant() -> None:
    carried = Carried([0.28])
    seen = [float(carried.add(sample(i, [(5, 5)]), column(2.0))[0, 0]) for i in range(1, 12)]
    assert seen[0] == pytest.approx(2.0 * (1 - math.exp(-0.1 / 0.28)))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(2.0, rel=0.03)


def test_the_first_moment_after_a_pause_counts_as_any_other_does() -> None:
    carried = Carried([0.28])
    carried.add(sample(1, [(5, 5)]), column(0.0))
    assert carried.add(sample(9, [(5, 5)]), column(2.0))[0, 0] == pytest.approx(2.0 * (1 - math.exp(-0.1 / 0.28)))


def test_what_is_measured_now_and_then_counts_at_first_for_no_more_than_its_constant() -> None:
    assert Carried([0.28], sparse=[0]).add(sample(1, [(5, 5)]), column(2.0))[0, 0] == pytest.approx(
        2.0 * (1 - math.exp(-1.0))
    )


def test_a_glitch_counts_little() -> None:
    carried = Carried([0.28])
    for i in range(1, 11):
        carried.add(sample(i, [(5, 5)]), column(0.0))
    assert carried.add(sample(11, [(5, 5)]), column(2.0))[0, 0] == pytest.approx(2.0 * (1 - math.exp(-0.1 / 0.28)))


def test_a_single_moment_raises_it_by_so_much_and_lowers_it_by_any() -> None:
    carried = Carried([0.28], [0.8])
    seen = [float(carried.add(sample(i, [(5, 5)]), column(50.0))[0, 0]) for i in range(1, 4)]
    assert seen == pytest.approx([0.8, 1.6, 2.4])
    assert carried.add(sample(4, [(5, 5)]), column(-50.0))[0, 0] < 0.0


def test_it_goes_where_its_thing_goes_and_not_where_others_are() -> None:
    carried = Carried([10.0], sparse=[0])
    carried.add(sample(1, [(5, 5), (15, 5)]), column(4.0, 0.0))
    for i in range(2, 6):
        at = 5 + 2 * (i - 1)
        means = carried.add(sample(i, [(5, at), (15, at)], across_cells=2.0), column(math.nan, math.nan))
    assert means[0, 0] == pytest.approx(4.0 * (1 - math.exp(-1.0)))
    assert means[1, 0] == 0.0


def test_what_leaves_takes_it_along() -> None:
    carried = Carried([10.0])
    carried.add(sample(1, [(5, 5)]), column(4.0))
    carried.add(sample(2, []), np.empty((0, 1), np.float32))
    assert carried.add(sample(3, [(5, 5)]), column(math.nan))[0, 0] == 0.0


def test_what_is_measured_now_and_then_stays_in_between() -> None:
    carried = Carried([0.28, 0.72], sparse=[1])
    both = np.array([[1.0, 3.0]], np.float32)
    first = carried.add(sample(1, [(5, 5)]), both)[0, 1]
    between = carried.add(sample(2, [(5, 5)]), np.array([[1.0, math.nan]], np.float32))[0, 1]
    assert between == pytest.approx(first)
    again = carried.add(sample(6, [(5, 5)]), both)[0, 1]
    assert again == pytest.approx(first + (1 - math.exp(-0.5 / 0.72)) * (3.0 - first))


def test_another_size_of_picture_or_a_new_run_begins_anew() -> None:
    carried = Carried([10.0])
    carried.add(sample(1, [(5, 5)]), column(4.0))
    carried.reset()
    assert carried.add(sample(2, [(5, 5)]), column(math.nan))[0, 0] == 0.0
    carried.add(sample(3, [(5, 5)]), column(4.0))
    smaller = SpeedSample(1, 0.4, 0.1, (10, 15), np.array([80], np.uint32), np.zeros((1, 2), np.float16))
    assert carried.add(smaller, column(math.nan))[0, 0] == 0.0


def test_more_places_than_one_row_of_a_look_up_holds_are_carried() -> None:
    grid, count = (240, 200), 40_000
    cells = np.arange(count, dtype=np.uint32)
    everywhere = SpeedSample(1, 0.1, _STEP_S, grid, cells, np.zeros((count, 2), np.float16))
    carried = Carried([0.28])
    fresh = np.linspace(1.0, 2.0, count, dtype=np.float32)[:, None]
    first = carried.add(everywhere, fresh)
    unseen = np.full((count, 1), np.nan, np.float32)
    assert carried.add(everywhere, unseen) == pytest.approx(first, rel=1e-3)


def test_after_frames_that_were_passed_by_a_moment_counts_for_what_it_saw_and_goes_all_the_way() -> None:
    carried = Carried([0.28])
    carried.add(sample(1, [(5, 5)]), column(2.0))
    before = carried.add(sample(2, [(5, 5)]), column(2.0))[0, 0]
    seldom = replace(sample(7, [(5, 15)], across_cells=2.0), elapsed_s=5 * _STEP_S, gap_s=_STEP_S)
    assert carried.add(seldom, column(2.0))[0, 0] == pytest.approx(
        before + (2.0 - before) * (1 - math.exp(-0.1 / 0.28))
    )
