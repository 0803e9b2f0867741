"""Flawless pictures to draw defects into: drawn ones, and photographs that may be used for anything.

The photographs are those that scikit-image ships in its wheel and names public domain or CC0 (its docstrings of
``skimage.data``); no download, no other package's picture. Left out are those with conditions or without a stated
licence (``moon``, ``page``, the motorcycle), those with lesions (``microaneurysms``), and scikit-learn's (CC BY 2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np

from streamproc.errors import ConfigError
from streamproc.inspection.nouns import Floats
from streamproc.inspection.training.noise import Rng
from streamproc.inspection.training.surfaces import SURFACES, Surface
from streamproc.inspection.training.things import THINGS, shaded

LICENCES: Mapping[str, str] = {
    "astronaut": "public domain (NASA)",
    "brick": "CC0 (CC0Textures, Bricks25)",
    "camera": "CC0 (Lav Varshney)",
    "cell": "CC0 (Paul Müller and others)",
    "chelsea": "CC0 (Stefan van der Walt)",
    "clock": "public domain (Stefan van der Walt)",
    "coffee": "CC0 (Rachel Michetti)",
    "coins": "no known copyright restrictions (Brooklyn Museum)",
    "grass": "CC0 (linolafett)",
    "gravel": "CC0 (CC0Textures, Gravel04)",
    "hubble_deep_field": "public domain (NASA)",
    "immunohistochemistry": "no known copyright restrictions (CMMI)",
    "retina": "CC0 (Mikael Häggström)",
    "rocket": "public domain (SpaceX)",
}
"""Name in ``skimage.data`` -> licence, as scikit-image 0.26 states it."""

Kind = Literal["surface", "thing", "photograph"]


@dataclass(frozen=True, slots=True, eq=False)
class Flawless:
    """A picture without a defect."""

    pixels: Floats
    """(side, side, 3) float32 RGB, about 0..1."""
    subject: np.ndarray
    """(side, side) bool: where a defect may lie; all of a surface, the thing itself of a thing."""
    name: str
    """What it is a picture of: a key of ``SURFACES``, ``THINGS`` or ``LICENCES``."""


@cache
def photograph(name: str) -> np.ndarray:
    """A photograph of ``LICENCES`` as (height, width, 3) uint8 RGB.

    Raises:
        ConfigError: scikit-image is missing.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise ConfigError("synthetic pictures need scikit-image: pip install 'streamproc[inspection]'") from error
    pixels = np.asarray(getattr(data, name)())
    return np.ascontiguousarray(np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else pixels[..., :3])


def names(kind: Kind) -> tuple[str, ...]:
    """What there is of a kind, in the order that a seed counts them."""
    return tuple({"surface": SURFACES, "thing": THINGS, "photograph": LICENCES}[kind])


def draw(rng: Rng, side: int, name: str) -> Flawless:
    """A new flawless picture of ``name``: drawn anew, or another piece of the photograph."""
    everywhere = np.ones((side, side), bool)
    if name in SURFACES:
        return Flawless(_clipped(_turned(rng, SURFACES[name], side)), everywhere, name)
    if name in THINGS:
        pixels, there = shaded(rng, side, THINGS[name])
        return Flawless(_clipped(pixels), there if there.any() else everywhere, name)
    whole = photograph(name)
    edge = int(rng.uniform(0.3, 0.9) * min(whole.shape[:2]))
    top, left = (int(rng.integers(0, length - edge + 1)) for length in whole.shape[:2])
    piece = cv2.resize(whole[top : top + edge, left : left + edge], (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        piece = np.ascontiguousarray(piece[:, ::-1])
    return Flawless(np.asarray(piece, np.float32) / np.float32(255), everywhere, name)


def _turned(rng: Rng, surface: Surface, side: int) -> Floats:
    """A surface seen at a random angle and scale, cut out of a larger one so that no corner is empty."""
    large = int(side * 1.5)
    drawn = np.asarray(surface(rng, large), np.float32)
    if rng.random() < 0.5:
        cut = (large - side) // 2
        return drawn[cut : cut + side, cut : cut + side].copy()
    turn = cv2.getRotationMatrix2D((large / 2, large / 2), rng.uniform(-45, 45), rng.uniform(0.95, 1.4))
    turn[:, 2] += (side - large) / 2
    return np.asarray(cv2.warpAffine(drawn, turn, (side, side), borderMode=cv2.BORDER_REFLECT), np.float32)


def _clipped(pixels: Floats) -> Floats:
    return np.asarray(np.clip(pixels, 0, 1), np.float32)
