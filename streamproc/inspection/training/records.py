"""What a labelled picture is, and reading one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from streamproc.errors import ConfigError
from streamproc.inspection.nouns import Pixels

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled picture of a data set."""

    image: Path
    label: int
    """1 defective, 0 flawless."""
    category: str
    """What it shows, in the data set's own name, e.g. ``bottle``."""
    split: Split
    mask: Path | None = None
    """A picture of the same size that is black where nothing is wrong; None where the set has none."""
    box: tuple[int, int, int, int] | None = None
    """Left, top, right, bottom of the part that is meant, pixels; None: all of it."""
    views: tuple[Path, ...] = field(default=())
    """More pictures of the same thing (a thing in space seen from other sides); ``image`` is the first side."""


def read_picture(path: Path, box: tuple[int, int, int, int] | None = None) -> Pixels:
    """A picture file as (height, width, 3) uint8 RGB; pictures of 16 bits a pixel are scaled by their brightest.

    Raises:
        ConfigError: it is missing or no picture.
    """
    with _opened(path) as image:
        if image.mode.startswith(("I", "F")):
            values = np.asarray(image, np.float64)
            grey = np.asarray(values / (values.max() or 1.0) * 255, np.uint8)
            pixels = np.stack([grey] * 3, axis=-1)
        else:
            pixels = np.asarray(image.convert("RGB"))
    return np.ascontiguousarray(_cut(pixels, box))


def read_mask(path: Path, box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """A mask file as (height, width) bool.

    Raises:
        ConfigError: it is missing or no picture.
    """
    with _opened(path) as image:
        values = np.asarray(image)
    return _cut(np.asarray(values.any(axis=-1) if values.ndim == 3 else values > 0), box)


def _opened(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        image.load()
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ConfigError(f"{path}: no picture could be read: {error}") from error
    return image


def _cut(pixels: np.ndarray, box: tuple[int, int, int, int] | None) -> np.ndarray:
    if box is None:
        return pixels
    left, top, right, bottom = box
    return pixels[top:bottom, left:right]
