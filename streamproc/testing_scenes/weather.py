"""Footage in rain and in snow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.testing_footage import Pixels
from streamproc.testing_scenes.scene import to_pixels


def rain(pictures: Iterable[Pixels], *, drops: int = 450, seed: int = 8) -> Iterator[Pixels]:
    """Streaks, other ones in each picture as at 10 pictures/s, the near ones long and faint; grey light, wet ground."""
    random = np.random.default_rng(seed)
    for picture in pictures:
        height, width = picture.shape[:2]
        unit = height / 480
        streaks = np.zeros((height, width), np.uint8)
        near = random.random(drops) ** 2
        ends = np.stack([random.random(drops) * width, random.random(drops) * height], axis=1)
        for (x, y), close in zip(ends.tolist(), near.tolist(), strict=True):
            length = (8 + 42 * close) * unit
            tip = (round(x + 0.12 * length), round(y + length))
            thick = max(1, round((1 + close) * unit))
            cv2.line(streaks, (round(x), round(y)), tip, int(130 - 60 * close), thick, cv2.LINE_AA)
        veil = cv2.GaussianBlur(streaks, (0, 0), 0.7 * unit).astype(np.float32)[..., None] / 255.0
        dull = picture * np.float32(0.8) + 14.0
        yield to_pixels(dull * (1.0 - 0.6 * veil) + 205.0 * 0.6 * veil)


def snow(pictures: Iterable[Pixels], *, flakes: int = 500, seed: int = 9) -> Iterator[Pixels]:
    """Flakes sink and drift in the wind, the near ones larger and faster, each followed from picture to picture."""
    random = np.random.default_rng(seed)
    near = random.random(flakes).astype(np.float32) ** 2.5
    place: npt.NDArray[np.float32] = random.random((flakes, 2)).astype(np.float32)
    phase = random.random(flakes).astype(np.float32) * 6.28
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        unit = height / 480
        wind = 0.006 * np.sin(index / 31.0) + 0.004 * np.sin(index / 5.0 + phase)
        place[:, 0] = (place[:, 0] + wind * (0.5 + 2 * near)) % 1.0
        place[:, 1] = (place[:, 1] + 0.012 + 0.05 * near) % 1.0
        layer = np.zeros((height, width), np.uint8)
        for (x, y), close in zip(place.tolist(), near.tolist(), strict=True):
            radius = max(1, round((0.8 + 3.5 * close) * unit))
            cv2.circle(layer, (round(x * width), round(y * height)), radius, int(230 - 90 * close), -1, cv2.LINE_AA)
        veil = cv2.GaussianBlur(layer, (0, 0), 0.9 * unit).astype(np.float32)[..., None] / 255.0
        yield to_pixels((picture * np.float32(0.85) + 22.0) * (1.0 - veil) + 242.0 * veil)
