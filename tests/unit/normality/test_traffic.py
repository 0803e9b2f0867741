"""Where things move: the share of the time, by place."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.normality.place import RowPlace
from streamproc.normality.speed import SpeedSample
from streamproc.normality.traffic import PLACES, fit_traffic

GRID = (72, 96)
PLACE = RowPlace(top_px_s=100.0, bottom_px_s=100.0, least_px_s=10.0)


def sample(speed: float, elapsed_s: float, *cells: int) -> SpeedSample:
    vectors = np.tile(np.array([[speed, 0.0]], np.float16), (len(cells), 1))
    return SpeedSample(1, 0.0, elapsed_s, GRID, np.array(cells, np.uint32), vectors)


def test_it_is_the_share_of_the_time_in_which_something_moved_there() -> None:
    last = GRID[0] * GRID[1] - 1
    samples = [sample(80, 1.0, 0, 1, last), sample(80, 2.0, 0), sample(80, 1.0)]
    field = fit_traffic(samples, PLACE).array
    assert field.shape == (PLACES[1], PLACES[0])
    assert field[0, 0] == pytest.approx(0.75, abs=1e-3)  # two cells of one place are one thing that moves
    assert field[-1, -1] == pytest.approx(0.25, abs=1e-3)
    assert np.count_nonzero(field) == 2


def test_what_hardly_moves_does_not_count() -> None:
    assert not fit_traffic([sample(20, 1.0, 0)], PLACE).array.any()


def test_nothing_observed_is_no_traffic() -> None:
    assert not fit_traffic([], PLACE).array.any()
