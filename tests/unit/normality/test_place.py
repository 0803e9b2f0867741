"""The normal speed of a place, from what was seen and where nothing was."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.normality.place import RowPlace, fit_rows
from streamproc.normality.speed import SpeedSample

GRID = (72, 96)


def sample(rows: range, speed_at: float, slope: float, spread: float = 0.0, seed: int = 0) -> SpeedSample:
    """Speeds ``speed_at + slope * row``, give or take, in all columns of ``rows``."""
    cells = np.array([row * GRID[1] + column for row in rows for column in range(0, 96, 4)], np.uint32)
    at = (cells // GRID[1]).astype(float)
    speeds = speed_at + slope * at + np.random.default_rng(seed).normal(0, spread, len(cells))
    vectors = np.stack([speeds, np.zeros(len(cells))], axis=1).astype(np.float16)
    return SpeedSample(1, seed / 10, 0.1, GRID, cells, vectors)


def test_perspective_is_learned_and_carried_on_to_where_nobody_walked() -> None:
    place = fit_rows([sample(range(20, 50), 10, 1.5, seed=seed) for seed in range(40)])
    assert place is not None
    normal = place.normal(GRID)
    assert normal.shape == GRID
    assert normal[35, 0] == pytest.approx(10 + 1.5 * 35, rel=0.05)
    assert normal[70, 50] == pytest.approx(10 + 1.5 * 70, rel=0.05)


def test_it_is_the_upper_end_and_not_the_mean() -> None:
    place = fit_rows([sample(range(72), 50, 0, spread=10, seed=seed) for seed in range(40)])
    assert place is not None
    assert place.normal(GRID)[36, 0] == pytest.approx(50 + 2.33 * 10, rel=0.05)


def test_no_place_has_a_normal_speed_of_zero() -> None:
    place = fit_rows([sample(range(40, 60), -78, 2, seed=seed) for seed in range(40)])
    assert place is not None
    assert place.normal(GRID).min() == pytest.approx(place.least_px_s)
    assert place.least_px_s > 1
    assert place.top_px_s < 0


def test_one_band_gives_one_speed_everywhere() -> None:
    place = fit_rows([sample(range(30, 33), 40, 0, seed=seed) for seed in range(20)])
    assert place is not None
    assert np.ptp(place.normal(GRID)) == 0


def test_too_little_gives_nothing() -> None:
    assert fit_rows([]) is None
    assert fit_rows([sample(range(2), 10, 0)]) is None


def test_another_grid_of_the_same_picture() -> None:
    place = RowPlace(top_px_s=0, bottom_px_s=100, least_px_s=10)
    assert place.normal((10, 4))[9, 0] == pytest.approx(95)
    assert place.normal((100, 40))[95, 0] == pytest.approx(95.5)
