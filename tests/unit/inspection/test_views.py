"""A crop becomes the pictures that the published method cuts it into."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.inspection.nouns import Layout, Pixels
from streamproc.inspection.spans import span_of
from streamproc.inspection.views import LONGEST_PX, best_grid, make_plain_views, make_views, views_of


def crop(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "grid", "views", "image", "suspicious", "total"),
    [
        (384, 384, (1, 1), 2, 1485, 11, 1502),
        (200, 200, (1, 1), 2, 1485, 11, 1502),
        (128, 64, (1, 1), 2, 1107, 11, 1124),
        (400, 400, (2, 2), 5, 3699, 25, 3730),
        (768, 768, (2, 2), 5, 3699, 25, 3730),
        (900, 900, (3, 3), 10, 7371, 47, 7424),
        (1024, 1024, (3, 3), 10, 7371, 47, 7424),
        (1080, 1920, (2, 3), 7, 4501, 33, 4540),
    ],
)
def test_views_and_tokens_are_those_of_the_published_code(
    height: int, width: int, grid: tuple[int, int], views: int, image: int, suspicious: int, total: int
) -> None:
    layout = make_views(crop(height, width), 384, longest_px=1024).layout
    span = span_of(layout, 27)
    assert (layout.grid, layout.views) == (grid, views)
    assert (span.image, span.suspicious, span.total) == (image, suspicious, total)


def test_more_close_ups_than_nine_are_scaled_down_to_the_tokens_of_nine() -> None:
    span = span_of(Layout((2304, 2304), (6, 6), (0.0, 0.0, 1.0, 1.0), same_first=False), 27)
    assert (span.rows, span.columns) == (81, 81)


def test_the_same_picture_is_not_held_twice() -> None:
    views = make_views(crop(100, 100), 32, most_grid=1)
    assert views.same_first
    assert views.pictures.shape == (1, 3, 32, 32)
    assert views.layout.views == 2


def test_view_0_is_squashed_and_the_close_up_has_black_margins() -> None:
    white = np.full((20, 10, 3), 255, np.uint8)
    views = make_views(white, 32, most_grid=1)
    assert not views.same_first
    assert views.pictures[0].min() == 1.0
    close = views.pictures[1]
    assert close[:, :, 8:24].min() == 1.0
    assert close[:, :, :8].max() == 0.0
    assert close[:, :, 24:].max() == 0.0
    assert views.layout.inside == (0.25, 0.0, 0.75, 1.0)


def test_close_ups_go_row_by_row_and_hold_rgb_between_0_and_1() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, 32:, 0] = 255
    picture[32:, :32, 1] = 255
    views = make_views(picture, 32)
    assert views.grid == (2, 2)
    assert views.pictures.shape == (5, 3, 32, 32)
    assert views.pictures.dtype == np.float32
    means = views.pictures[1:].mean((2, 3)).round(1).tolist()
    assert means == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_the_grid_keeps_most_pixels_then_wastes_fewest() -> None:
    assert best_grid(50, 300, 100) == (1, 3)
    assert best_grid(300, 50, 100) == (3, 1)
    assert best_grid(5000, 5000, 100) == (6, 6)
    assert best_grid(5000, 5000, 100, most_grid=1) == (1, 1)


def test_a_large_crop_is_first_scaled_down_where_that_is_asked() -> None:
    assert make_views(crop(50, 200), 16, longest_px=100).layout.crop_px == (25, 100)
    assert make_views(crop(50, 200), 16).layout.crop_px == (50, 200)


def test_plain_views_have_no_margins() -> None:
    white = np.full((20, 90, 3), 255, np.uint8)
    assert make_plain_views(white, 16).pictures.shape == (1, 3, 16, 16)
    gridded = make_plain_views(white, 16, grid=(1, 3))
    assert gridded.pictures.shape == (4, 3, 16, 16)
    assert gridded.pictures.min() == 1.0
    assert gridded.layout.pictures == 4


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (5, 5), (5, 5, 4)])
def test_what_is_no_crop_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a crop is"):
        make_views(np.zeros(shape, np.uint8), 16)
    with pytest.raises(ValueError, match="a crop is"):
        make_plain_views(np.zeros(shape, np.uint8), 16)


def test_an_expert_gets_the_views_that_it_learned_from() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (40, 80, 3), np.uint8)
    np.testing.assert_array_equal(views_of(crop, 16, 1).pictures, make_plain_views(crop, 16).pictures)
    np.testing.assert_array_equal(views_of(crop, 16, 6).pictures, make_views(crop, 16, 6).pictures)
    large = np.zeros((200, 2 * LONGEST_PX, 3), np.uint8)
    assert views_of(large, 256, 6).layout.crop_px == (100, LONGEST_PX)
