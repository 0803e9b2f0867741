"""Maps are put back over the crop where their pictures came from."""

from __future__ import annotations

import numpy as np

from streamproc.inspection.heat import heat_over_crop
from streamproc.inspection.nouns import Layout

WHOLE = (0.0, 0.0, 1.0, 1.0)


def test_close_ups_lie_row_by_row() -> None:
    maps = np.zeros((7, 4, 4), np.float32)
    maps[1 + 3 + 2] = 1.0  # second row, third column
    heat = heat_over_crop(maps, Layout((40, 60), (2, 3), WHOLE, False))
    assert heat.shape == (8, 12)
    assert heat.dtype == np.float32
    assert (heat[4:, 8:] == 0.5).all()
    heat[4:, 8:] = 0
    assert not heat.any()


def test_margins_are_cut_off() -> None:
    maps = np.zeros((2, 8, 8), np.float32)
    maps[1, :, :2] = maps[1, :, 6:] = 1.0  # nothing but margin
    heat = heat_over_crop(maps, Layout((80, 40), (1, 1), (0.25, 0.0, 0.75, 1.0), False))
    assert heat.shape == (8, 4)
    assert heat.max() == 0.0


def test_the_map_of_the_whole_covers_the_whole_crop() -> None:
    maps = np.zeros((2, 8, 8), np.float32)
    maps[0, :, :4] = 1.0
    heat = heat_over_crop(maps, Layout((80, 40), (1, 1), (0.25, 0.0, 0.75, 1.0), False))
    assert heat[:, 0].min() == 0.5
    assert heat[:, 3].max() == 0.0


def test_a_margin_that_cuts_a_token_in_two() -> None:
    maps = np.ones((2, 5, 5), np.float32)
    heat = heat_over_crop(maps, Layout((50, 11), (1, 1), (0.39, 0.0, 0.61, 1.0), False))
    assert heat.shape == (5, 1)
    np.testing.assert_allclose(heat, 1.0, atol=1e-6)
