"""Cutting what is to be looked at out of a picture, and telling which cut is the sharpest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from streamproc.areas import in_words
from streamproc.config import Area
from streamproc.inspection.nouns import Pixels
from streamproc.types import Box, Frame

_COMPARED_PX = 128
"""Edge at which crops are compared: a small one has to be enlarged to it, and counts as the less sharp for that."""
_MARGIN = 0.08
"""Of an object's size, taken in around it: a detector's box cuts edges off."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What is known by one memory: a camera's region, or one kind of object there."""

    kind: Literal["region", "object"]
    name: str
    """The region's name, or the object's label."""

    @property
    def key(self) -> str:
        """``region valve``, ``object car``."""
        return f"{self.kind} {self.name}"

    @property
    def words(self) -> str:
        """How people call it."""
        return in_words(self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A part of a frame that is to be looked at."""

    thing: Thing
    track_id: int | None
    """Whose, where a track carries it; counted within a run."""
    box_norm: Box
    """Where in the frame."""
    pixels: Pixels
    """(h, w, 3) uint8 RGB; black under privacy masks and outside the region's outline."""
    sharpness: float
    frame: Frame
    again: bool = False
    """Less sharp than those of its track that were looked at: it tells that the object is still there, no more."""

    @property
    def key(self) -> tuple[str, str, int | None]:
        """Of the one thing at the one camera that it shows."""
        return self.frame.camera_id, self.thing.key, self.track_id


def bounds(area: Area) -> Box:
    """The box around an area's outline."""
    xs, ys = zip(*area.polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def cut_region(picture: Pixels, area: Area) -> Pixels:
    """A copy of what an area shows; what its box holds beside its outline is black."""
    left, top, right, bottom = _pixels(bounds(area), picture)
    crop = picture[top:bottom, left:right].copy()
    if not crop.size:
        return crop
    height_px, width_px = picture.shape[:2]
    corners = np.rint(np.asarray(area.polygon) * (width_px - 1, height_px - 1) - (left, top)).astype(np.int32)
    inside = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(inside, [corners], (1,))
    crop[inside == 0] = 0
    return crop


def cut_object(picture: Pixels, box: Box) -> Pixels:
    """A copy of what an object's box shows, with a margin."""
    wide, high = _MARGIN * (box[2] - box[0]), _MARGIN * (box[3] - box[1])
    left, top, right, bottom = _pixels((box[0] - wide, box[1] - high, box[2] + wide, box[3] + high), picture)
    return picture[top:bottom, left:right].copy()


def sharpness(crop: Pixels) -> float:
    """The variance of the Laplacian of a crop's brightness, at a size that all crops have."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    smaller = max(crop.shape[:2]) > _COMPARED_PX
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return float(cv2.Laplacian(cv2.resize(grey, (_COMPARED_PX, _COMPARED_PX), interpolation=way), cv2.CV_32F).var())


def covered(region: Box, other: Box) -> float:
    """Share of a region's box that another box covers."""
    wide = min(region[2], other[2]) - max(region[0], other[0])
    high = min(region[3], other[3]) - max(region[1], other[1])
    size = (region[2] - region[0]) * (region[3] - region[1])
    return wide * high / size if wide > 0 and high > 0 and size > 0 else 0.0


def _pixels(box: Box, picture: Pixels) -> tuple[int, int, int, int]:
    height_px, width_px = picture.shape[:2]
    left, top = max(0, math.floor(box[0] * width_px)), max(0, math.floor(box[1] * height_px))
    return left, top, min(width_px, math.ceil(box[2] * width_px)), min(height_px, math.ceil(box[3] * height_px))
