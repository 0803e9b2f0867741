"""What is cut out of a picture, what stays black, and which cut counts as sharper."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamproc.config import Area
from streamproc.inspection.live.crops import Thing, covered, cut_object, cut_region, sharpness
from streamproc.testing_defects import checked


def test_a_region_is_cut_by_its_box_and_black_beside_its_outline() -> None:
    picture = np.full((100, 200, 3), 90, np.uint8)
    triangle = Area(name="valve", polygon=((0.5, 0.2), (0.9, 0.8), (0.5, 0.8)))
    crop = cut_region(picture, triangle)
    assert crop.shape == (60, 80, 3)
    assert crop[55, 5].tolist() == [90, 90, 90]
    assert crop[5, 70].tolist() == [0, 0, 0]
    crop[:] = 1
    assert picture.min() == 90


def test_what_a_mask_blacked_stays_black() -> None:
    picture = np.full((100, 200, 3), 90, np.uint8)
    picture[:50] = 0
    crop = cut_region(picture, Area(name="door", polygon=((0.1, 0.3), (0.3, 0.3), (0.3, 0.7), (0.1, 0.7))))
    assert crop[:19].max() == 0
    assert crop[25:, 5:35].min() == 90


def test_a_region_without_width_is_empty() -> None:
    line = Area(name="line", polygon=((1.0, 0.1), (1.0, 0.5), (1.0, 0.9)))
    assert cut_region(np.ones((10, 10, 3), np.uint8), line).size == 0


def test_an_object_is_cut_with_a_margin_within_the_picture() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    assert cut_object(picture, (0.2, 0.2, 0.7, 0.7)).shape == (58, 58, 3)
    assert cut_object(picture, (0.5, 0.5, 1.0, 1.0)).shape == (54, 54, 3)


def test_a_blurred_and_a_small_crop_are_less_sharp() -> None:
    sharp = checked(96, 96)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2.0)
    small = cv2.resize(sharp, (24, 24), interpolation=cv2.INTER_AREA)
    assert sharpness(sharp) > 4 * sharpness(blurred.astype(np.uint8))
    assert sharpness(sharp) > 4 * sharpness(small.astype(np.uint8))


@pytest.mark.parametrize(
    ("other", "share"), [((0.0, 0.0, 0.5, 1.0), 0.5), ((0.6, 0.0, 1.0, 1.0), 0.4), ((1.0, 0.0, 1.2, 1.0), 0.0)]
)
def test_how_much_of_a_region_is_covered(other: tuple[float, float, float, float], share: float) -> None:
    assert covered((0.0, 0.0, 1.0, 1.0), other) == pytest.approx(share)


def test_a_thing_has_a_key_and_words() -> None:
    thing = Thing("region", "main-valve")
    assert (thing.key, thing.words) == ("region main-valve", "main valve")
