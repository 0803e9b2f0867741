"""Cutting a crop into the pictures that an encoder sees (Anomaly-OV, equation 1; the AnyRes of LLaVA-OneVision)."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from streamproc.inspection.nouns import Floats, Layout, Pixels, Views

WHOLE = (0.0, 0.0, 1.0, 1.0)
LONGEST_PX = 1024
"""Before close-ups are cut, larger crops are scaled down to this edge, as the published evaluation does."""


def views_of(crop: Pixels, side_px: int, close_ups: int) -> Views:
    """A crop (h, w, 3) uint8 RGB as an expert sees it that learned from ``close_ups`` by ``close_ups`` at most: AnyRes
    views, or where that is 1 the whole alone.

    Raises:
        ValueError: the crop has no pixels.
    """
    if close_ups == 1:
        return make_plain_views(crop, side_px)
    return make_views(crop, side_px, close_ups, LONGEST_PX)


def make_views(crop: Pixels, side_px: int, most_grid: int = 6, longest_px: int | None = None) -> Views:
    """The AnyRes views of a crop (h, w, 3) uint8 RGB: the whole, squashed to a square, and a grid of close-ups.

    The close-ups come from the crop scaled into the best of the canvases 1 x 1 to ``most_grid`` x ``most_grid``
    pictures (LLaVA-OneVision's pinpoints have 6), centred on black, cut row by row. A square crop with a grid of
    1 x 1 is the same picture twice and is held once. ``longest_px`` first scales a larger crop down to that edge (the
    published evaluation uses 1024).

    Raises:
        ValueError: the crop has no pixels.
    """
    image = _capped(_image(crop), longest_px)
    rows, columns = best_grid(image.height, image.width, side_px, most_grid)
    whole = _resized(image, side_px, side_px)
    canvas_w, canvas_h = columns * side_px, rows * side_px
    width, height = _within(image.width, image.height, canvas_w, canvas_h)
    same = (rows, columns) == (1, 1) and (width, height) == (canvas_w, canvas_h)
    left, top = (canvas_w - width) // 2, (canvas_h - height) // 2
    inside = (left / canvas_w, top / canvas_h, (left + width) / canvas_w, (top + height) / canvas_h)
    layout = Layout((image.height, image.width), (rows, columns), inside, same)
    if same:
        return Views(_stacked([whole]), layout)
    canvas = np.zeros((canvas_h, canvas_w, 3), np.uint8)
    canvas[top : top + height, left : left + width] = _resized(image, width, height)
    return Views(_stacked([whole, *_cut(canvas, rows, columns, side_px)]), layout)


def make_plain_views(crop: Pixels, side_px: int, grid: tuple[int, int] = (1, 1)) -> Views:
    """The crop (h, w, 3) uint8 RGB squashed to one square picture and, where ``grid`` is larger, its cells likewise.

    For small encoders that gain nothing from margins: no black, every pixel of every picture is of the crop.

    Raises:
        ValueError: the crop has no pixels.
    """
    image = _image(crop)
    rows, columns = grid
    layout = Layout((image.height, image.width), grid, WHOLE, same_first=grid == (1, 1))
    whole = _resized(image, side_px, side_px)
    if layout.same_first:
        return Views(_stacked([whole]), layout)
    canvas = _resized(image, columns * side_px, rows * side_px)
    return Views(_stacked([whole, *_cut(canvas, rows, columns, side_px)]), layout)


def best_grid(height: int, width: int, side_px: int, most_grid: int = 6) -> tuple[int, int]:
    """Rows and columns of the canvas that keeps most of the crop's pixels and, of those, wastes fewest of its own."""
    best, best_fit = (1, 1), (-1, 0)
    # Columns outermost, as LLaVA-OneVision lists its pinpoints: the first of equals wins.
    for columns in range(1, most_grid + 1):
        for rows in range(1, most_grid + 1):
            canvas_w, canvas_h = columns * side_px, rows * side_px
            scale = min(canvas_w / width, canvas_h / height)
            kept = min(int(width * scale) * int(height * scale), width * height)
            fit = (kept, kept - canvas_w * canvas_h)
            if fit > best_fit:
                best, best_fit = (rows, columns), fit
    return best


def _within(width: int, height: int, canvas_w: int, canvas_h: int) -> tuple[int, int]:
    across, down = canvas_w / width, canvas_h / height
    if across < down:
        return canvas_w, min(math.ceil(height * across), canvas_h)
    return min(math.ceil(width * down), canvas_w), canvas_h


def _image(crop: Pixels) -> Image.Image:
    if crop.ndim != 3 or crop.shape[2] != 3 or 0 in crop.shape:
        raise ValueError(f"a crop is (height, width, 3) and not empty, this one is {crop.shape}")
    return Image.fromarray(np.ascontiguousarray(crop))


def _capped(image: Image.Image, longest_px: int | None) -> Image.Image:
    longest = max(image.size)
    if longest_px is None or longest <= longest_px:
        return image
    width, height = (max(1, round(edge * longest_px / longest)) for edge in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _resized(image: Image.Image, width: int, height: int) -> Pixels:
    # Pillow's bicubic, because it widens with the reduction (no aliasing) and is what the published weights saw.
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def _cut(canvas: Pixels, rows: int, columns: int, side_px: int) -> list[Pixels]:
    return [
        canvas[row * side_px : (row + 1) * side_px, column * side_px : (column + 1) * side_px]
        for row in range(rows)
        for column in range(columns)
    ]


def _stacked(pictures: list[Pixels]) -> Floats:
    return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2), np.float32) / np.float32(255)
