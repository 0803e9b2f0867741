"""Bicycles and a cart cut out of the UCSD Ped2 test clips by their masks, where these are at hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from streamproc.testing_footage import read_pictures
from streamproc.testing_scenes.cutouts import Sprite, background_of
from streamproc.testing_scenes.scene import to_pixels

_FAINT, _SURE = 14.0, 32.0
"""Difference from the background, of 255: this footage is grey and pale."""


def cyclist_frames(folder: Path) -> list[Sprite]:
    """Someone rides to the right (clip 02), ten pictures a second; without colour, tinted."""
    return _cut(folder, "02", range(122, 160), (150, 160, 215), left_of=360)


def cart_frames(folder: Path) -> list[Sprite]:
    """A small cart drives to the left (clip 04)."""
    return _cut(folder, "04", range(90, 135), (250, 246, 232), left_of=270)


def _cut(folder: Path, clip: str, numbers: range, tint: tuple[int, int, int], left_of: int) -> list[Sprite]:
    pictures = read_pictures(folder / "test" / f"{clip}.mp4")
    background = background_of(pictures)
    # As white, as black, and of the colour that suits: the clips' tones lie between these.
    colour = np.array(tint, np.float32) / max(tint)
    sprites = []
    for number in numbers:
        mask = cv2.imread(str(folder / "masks" / clip / f"{number:03d}.png"), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            continue
        _, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8))
        fitting = [at for at in range(1, len(stats)) if stats[at][0] < left_of]
        if not fitting:
            continue
        chosen = max(fitting, key=lambda at: int(stats[at][cv2.CC_STAT_AREA]))
        inside = cv2.dilate((labels == chosen).astype(np.uint8), np.ones((5, 5), np.uint8))
        differs = cv2.absdiff(pictures[number], background).max(axis=2).astype(np.float32)
        sure = cv2.morphologyEx(
            ((differs > _SURE) & (inside > 0)).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
        )
        sure = cv2.morphologyEx(sure, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        _, pieces, sizes, _ = cv2.connectedComponentsWithStats(sure)
        if len(sizes) < 2:
            continue
        body = (pieces == 1 + int(np.argmax(sizes[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
        near = cv2.dilate(body, np.ones((5, 5), np.uint8)) * inside
        matte = np.maximum(np.clip((differs - _FAINT) / (_SURE - _FAINT), 0, 1) * near, body).astype(np.float32)
        matte = cv2.GaussianBlur(matte, (0, 0), 0.5)
        rows, columns = np.nonzero(matte > 0.3)
        part = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        stretched = (pictures[number][part].astype(np.float32) - 30.0) * (255.0 / 205.0)
        # What is dark takes the colour, what is pale (paint, spokes, the ground between them) stays grey.
        pale = np.clip(stretched / 140.0, 0, 1) ** 2
        paint = stretched * (colour + (1.0 - colour) * pale)
        sprites.append(Sprite(to_pixels(paint), np.ascontiguousarray(matte[part])))
    return sprites
