"""What is seen, without the light it is seen in: local structure of a small picture, its sharpness, its alignment.

Each pixel is taken relative to its neighbourhood's mean and spread, so that exposure, dusk, haze and soft shadows
cancel and edges remain. Everything is about pictures of ``SIZE`` whatever the camera's.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.float32]

FINE_SIZE = (192, 144)
"""Width and height that sharpness is measured at: what is lost here is lost to a person of 20 px too."""
SIZE = (96, 72)
"""Width and height that structure is compared at: still sees half a person's width in the middle distance."""
_NEIGHBOURHOOD_PX = 4.0
"""Standard deviation of the window, at ``SIZE``: a twentieth of its height."""
_NOISE_LEVEL = 3.0
"""Grey levels below which a neighbourhood is flat: a camera's noise by day after shrinking and the median over time."""
_BLOCK_PX = 12
_LOST = 0.3
"""Correlation below which a block no longer shows what it showed; unlike pictures' blocks are mostly below."""
_ZOOMS = tuple(1.06**step for step in range(-6, 7))
_TURNS_DEG = tuple(2.5 * step for step in range(-4, 5))
"""Half a step off, the picture's corners are out by one pixel of ``SIZE``, which still correlates well."""
_CENTRE = ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)


def fine(grey: npt.NDArray[np.uint8] | Grey) -> Grey:
    """``grey`` (height, width) at ``FINE_SIZE``."""
    return np.asarray(cv2.resize(grey, FINE_SIZE, interpolation=cv2.INTER_AREA), np.float32)


def coarse(picture: Grey) -> Grey:
    """``picture`` at ``SIZE``."""
    return np.asarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA), np.float32)


def structure(picture: Grey) -> Grey:
    """(72, 96): each pixel of ``coarse`` beside its neighbourhood, in standard deviations of it."""
    difference, spread = _local(picture, _NEIGHBOURHOOD_PX)
    return np.asarray(difference / np.sqrt(spread * spread + _NOISE_LEVEL**2), np.float32)


def sharpness(picture: Grey) -> float:
    """Share of the contrast of ``fine`` that lies in its finest octave; 0 where there is no contrast at all."""
    _, spread = _local(picture, 1.5 * _NEIGHBOURHOOD_PX)
    textured = spread > _NOISE_LEVEL
    if float(textured.mean()) < 0.02:
        return 0.0
    finest = np.abs(picture - cv2.GaussianBlur(picture, (0, 0), 1.0))
    return float(finest[textured].sum() / spread[textured].sum())


def likeness(one: Grey, other: Grey) -> float:
    """Correlation of two structures, -1..1."""
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / math.sqrt(float((one * one).sum() * (other * other).sum()) + 1e-9))


def lost(live: Grey, reference: Grey) -> float:
    """Share of the blocks in which ``live`` has nothing left of the structure ``reference``."""
    one, other = _blocks(live), _blocks(reference)
    alike = (one * other).sum(axis=1) / np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1) + 1e-9)
    return float((alike < _LOST).mean())


def _blocks(picture: Grey) -> Grey:
    """(blocks, pixels): each beside its own mean."""
    high, wide = SIZE[1] // _BLOCK_PX, SIZE[0] // _BLOCK_PX
    blocks = picture.reshape(high, _BLOCK_PX, wide, _BLOCK_PX).swapaxes(1, 2).reshape(high * wide, -1)
    return np.asarray(blocks - blocks.mean(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the reference must be moved to lie on the live picture."""

    right: float
    """Shares of the width; down of the height."""
    down: float
    zoom: float
    turn_deg: float
    """Anticlockwise."""
    likeness: float
    """Correlation where both are, once moved."""

    @property
    def displaced(self) -> float:
        """How far a part of the picture comes to lie from where it was, at most, as a share of the width."""
        x, y = np.meshgrid(np.linspace(0, SIZE[0], 9), np.linspace(0, SIZE[1], 7))
        moved = _matrix(self) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        return float(np.hypot(moved[0] - x.ravel(), moved[1] - y.ravel()).max() / SIZE[0])


def align(live: Grey, reference: Grey) -> Alignment | None:
    """The likest alignment of two structures; 40 to 60 ms.

    Shifts up to half the picture, zooms of 0.7 to 1.4, turns up to 10 degrees.
    """
    window = np.asarray(cv2.createHanningWindow(SIZE, cv2.CV_32F), np.float32)
    everywhere = np.ones_like(reference)
    # Windowed here: OpenCV would multiply its inputs in place.
    seen = live * window
    best: Alignment | None = None
    for zoom, turn_deg in itertools.product(_ZOOMS, _TURNS_DEG):
        matrix = cv2.getRotationMatrix2D(_CENTRE, turn_deg, zoom)
        moved, inside = (np.asarray(cv2.warpAffine(p, matrix, SIZE), np.float32) for p in (reference, everywhere))
        (x, y), _ = cv2.phaseCorrelate(moved * window, seen)
        found = Alignment(x / SIZE[0], y / SIZE[1], zoom, turn_deg, _overlap(live, moved, inside, x, y))
        if best is None or found.likeness > best.likeness:
            best = found
    return best


def _matrix(alignment: Alignment) -> npt.NDArray[np.float64]:
    matrix = np.asarray(cv2.getRotationMatrix2D(_CENTRE, alignment.turn_deg, alignment.zoom), np.float64)
    matrix[:, 2] += (alignment.right * SIZE[0], alignment.down * SIZE[1])
    return matrix


def _overlap(live: Grey, moved: Grey, inside: Grey, x: float, y: float) -> float:
    """Correlation over what both show; 0 where that is less than a quarter of the picture."""
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    both = cv2.warpAffine(inside, shift, SIZE) > 0.99
    if float(both.mean()) < 0.25:
        return 0.0
    return likeness(live[both], np.asarray(cv2.warpAffine(moved, shift, SIZE), np.float32)[both])


def _local(picture: Grey, sigma_px: float) -> tuple[Grey, Grey]:
    """Difference from the neighbourhood's mean, and the neighbourhood's standard deviation."""
    difference = picture - cv2.GaussianBlur(picture, (0, 0), sigma_px)
    spread = np.sqrt(cv2.GaussianBlur(difference * difference, (0, 0), sigma_px))
    return np.asarray(difference, np.float32), np.asarray(spread, np.float32)
