"""What is common at each place of a thing."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.inspection.places import commonly


def test_alike_everywhere_is_one_everywhere() -> None:
    assert commonly([np.full(16, 0.3, np.float32)] * 2, 4) == pytest.approx(1)
    assert commonly([np.zeros(16, np.float32)] * 2, 4) == pytest.approx(1)


def test_a_place_is_averaged_with_its_neighbours_and_mirror_images() -> None:
    one = np.zeros((6, 6), np.float32)
    one[0, 1] = 9.0
    common = commonly([one.reshape(-1)], 6).reshape(6, 6)
    np.testing.assert_allclose(common, common[::-1], rtol=1e-6)
    np.testing.assert_allclose(common, common[:, ::-1], rtol=1e-6)
    assert common[0, 1] > 1 > common[2, 2]
    assert common.min() == pytest.approx(0.1)  # never ten times as strange


def test_close_ups_keep_their_own_places() -> None:
    maps = np.ones((2, 4, 4), np.float32)
    maps[1] = 3.0
    common = commonly([maps.reshape(-1)], 4).reshape(2, 16)
    assert common[0] == pytest.approx(0.5)
    assert common[1] == pytest.approx(1.5)
