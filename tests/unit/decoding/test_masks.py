"""Privacy masks."""

from __future__ import annotations

import numpy as np

from streamproc.config import Area
from streamproc.decoding.masks import mask_picture

LEFT = Area(name="left", polygon=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))


def white() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((100, 200, 3), 255, np.uint8)


def test_the_polygon_and_its_edge_are_black_and_the_rest_stays() -> None:
    picture = mask_picture(white(), [LEFT])
    assert not picture[:, :101].any()
    assert (picture[:, 103:] == 255).all()


def test_a_mask_over_everything_leaves_nothing() -> None:
    whole = Area(name="whole", polygon=((0, 0), (1, 0), (1, 1), (0, 1)))
    assert not mask_picture(white(), [whole]).any()


def test_a_read_only_picture_is_copied() -> None:
    picture = white()
    picture.flags.writeable = False
    masked = mask_picture(picture, [LEFT])
    assert not masked[:, :100].any()
    assert picture.all()


def test_without_masks_it_is_the_same_picture() -> None:
    picture = white()
    assert mask_picture(picture, []) is picture
