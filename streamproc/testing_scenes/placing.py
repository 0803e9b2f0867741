"""A thing put into a picture: where it is, how large, how it is turned, and the shadow under it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.testing_scenes.cutouts import Matte, Sprite
from streamproc.types import Box

_LEAST_SEEN = 0.3
"""Share of a thing that must be within the picture for the truth to hold it there."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A thing in one picture."""

    sprite: Sprite
    foot: tuple[float, float]
    """Where the middle of its lower edge stands, px."""
    scale: float
    """Pixels of the picture for one of the sprite."""
    degrees: float = 0.0
    """Turned about its foot, clockwise."""
    lean_px: float = 0.0
    """How far its top is pushed sideways, px."""
    shadow: float = 0.12
    """Depth of the shadow under it, 0..1: little under a cloudy sky."""


def _way(one: Placed, scale: float) -> npt.NDArray[np.float64]:
    """From the sprite, already scaled, to the picture."""
    width, height = one.sprite.size[0] * scale, one.sprite.size[1] * scale
    turn = np.deg2rad(one.degrees)
    cos, sin = np.cos(turn), np.sin(turn)
    lean = -one.lean_px / max(1.0, height)
    about = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1.0, lean], [0.0, 1.0]])
    shift = np.array(one.foot) - about @ np.array([width / 2, height])
    return np.hstack([about, shift[:, None]])


def _corners(one: Placed) -> npt.NDArray[np.float64]:
    width, height = one.sprite.size[0] * one.scale, one.sprite.size[1] * one.scale
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    return corners @ _way(one, one.scale).T


def box_of(one: Placed, size: tuple[int, int]) -> Box | None:
    corners = _corners(one)
    x0, y0 = corners.min(axis=0) / size
    x1, y1 = corners.max(axis=0) / size
    seen = (max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1))
    if seen[2] <= seen[0] or seen[3] <= seen[1]:
        return None
    share = (seen[2] - seen[0]) * (seen[3] - seen[1]) / ((x1 - x0) * (y1 - y0))
    return (float(seen[0]), float(seen[1]), float(seen[2]), float(seen[3])) if share >= _LEAST_SEEN else None


def warped(
    one: Placed, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], Matte, Matte, tuple[int, int, int, int]]:
    """Colours, matte, depth of the shadow, and the part of the picture (left, top, right, bottom) that they are for."""
    corners = _corners(one)
    reach = 0.2 * one.scale * max(one.sprite.size) + 6
    left, top = (int(max(0, np.floor(edge - reach))) for edge in corners.min(axis=0))
    right, bottom = (int(np.ceil(edge + reach)) for edge in corners.max(axis=0))
    right, bottom = min(size[1], right), min(size[0], bottom)
    wide, high = max(0, right - left), max(0, bottom - top)
    if not wide or not high:
        empty = np.zeros((0, 0), np.float32)
        return np.zeros((0, 0, 3), np.float32), empty, empty, (left, top, left, top)
    small = (max(1, round(one.sprite.size[0] * one.scale)), max(1, round(one.sprite.size[1] * one.scale)))
    how = cv2.INTER_AREA if one.scale < 1 else cv2.INTER_CUBIC
    matte = np.clip(cv2.resize(one.sprite.matte, small, interpolation=how), 0, 1)
    over = cv2.resize(one.sprite.rgb.astype(np.float32) * one.sprite.matte[..., None], small, interpolation=how)
    way = _way(one, one.scale)
    way[:, 2] -= left, top
    matte = cv2.warpAffine(matte, way, (wide, high))
    over = cv2.warpAffine(over, way, (wide, high))
    rgb = over / np.maximum(matte, 1e-3)[..., None]
    shadow = np.zeros((high, wide), np.float32)
    x0, x1, ground = corners[:, 0].min(), corners[:, 0].max(), corners[:, 1].max()
    centre = (round((x0 + x1) / 2 - left), round(ground - 0.02 * (x1 - x0) - top))
    cv2.ellipse(shadow, centre, (round(0.5 * (x1 - x0)), max(2, round(0.07 * (x1 - x0)))), 0, 0, 360, one.shadow, -1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(1.0, 0.04 * (x1 - x0)))
    return rgb.astype(np.float32), matte.astype(np.float32), shadow.astype(np.float32), (left, top, right, bottom)
