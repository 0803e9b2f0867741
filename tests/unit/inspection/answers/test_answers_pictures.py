from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from streamproc.inspection.answers.pictures import as_uri, hottest, outlined, scaled


def test_the_box_is_around_the_hottest_place_and_what_is_connected_to_it() -> None:
    heat = np.full((20, 40), 0.1, np.float32)
    heat[5, 10:14] = 0.9, 0.6, 0.5, 0.2  # 0.2 is below half
    heat[15, 30] = 0.8  # another place
    assert hottest(heat) == pytest.approx((10 / 40 - 0.05, 5 / 20 - 0.05, 13 / 40 + 0.05, 6 / 20 + 0.05))


def test_the_margin_stays_within_the_crop() -> None:
    heat = np.zeros((10, 10), np.float32)
    heat[0, 9] = 1.0
    assert hottest(heat) == pytest.approx((0.85, 0.0, 1.0, 0.15))


@pytest.mark.parametrize("value", [0.0, 0.7, float("nan")])
def test_a_heat_map_without_a_hottest_place_has_no_box(value: float) -> None:
    assert hottest(np.full((4, 4), value, np.float32)) is None


def test_the_outline_is_drawn_on_a_copy_and_leaves_what_it_marks() -> None:
    crop = np.full((100, 200, 3), 50, np.uint8)
    drawn = outlined(crop, (0.25, 0.2, 0.75, 0.8))
    assert (crop == 50).all()
    rows, columns = np.nonzero((drawn != 50).any(-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 79, 50, 149)
    assert (drawn[30:70, 60:140] == 50).all()


def test_larger_crops_are_scaled_down_and_smaller_ones_kept() -> None:
    assert scaled(np.zeros((100, 400, 3), np.uint8), 200).shape == (50, 200, 3)
    small = np.zeros((30, 20, 3), np.uint8)
    assert scaled(small, 200) is small


def test_colours_stay() -> None:
    crop = np.zeros((16, 16, 3), np.uint8)
    crop[..., 0] = 200  # red in RGB
    head, _, data = as_uri(crop).partition(",")
    assert head == "data:image/jpeg;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded[8, 8, 2] > 190
    assert decoded[8, 8, 0] < 10
