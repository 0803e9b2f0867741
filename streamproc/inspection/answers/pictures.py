"""The pictures of a crop that a model is sent: scaled, and with an outline around the hottest place."""

from __future__ import annotations

import base64

import cv2
import numpy as np

from streamproc.inspection.nouns import Floats, Pixels
from streamproc.types import Box

_JPEG_QUALITY = 92
"""Scratches are fine; 85 smears them."""
_COLOUR = (255, 0, 255)
"""RGB; loud, and rare on things."""
_MARGIN = 0.05
"""Of the crop, around the box: an outline must not cover what it marks."""


def hottest(heat: Floats) -> Box | None:
    """Around the hottest place of a heat map (h, w) and what is connected to it and at least half as hot; 0..1 of the
    crop, with a margin. None where nothing is hotter than the rest."""
    top = float(heat.max())
    if not np.isfinite(top) or top <= 0 or float(heat.min()) >= top / 2:
        return None
    _, parts = cv2.connectedComponents((heat >= top / 2).astype(np.uint8), connectivity=8)
    rows, columns = np.nonzero(parts == parts[np.unravel_index(int(heat.argmax()), heat.shape)])
    height, width = heat.shape
    return (
        max(0.0, float(columns.min()) / width - _MARGIN),
        max(0.0, float(rows.min()) / height - _MARGIN),
        min(1.0, float(columns.max() + 1) / width + _MARGIN),
        min(1.0, float(rows.max() + 1) / height + _MARGIN),
    )


def scaled(crop: Pixels, longest_px: int) -> Pixels:
    """The crop (h, w, 3), its longer edge at most ``longest_px``."""
    height, width = crop.shape[:2]
    factor = longest_px / max(height, width)
    if factor >= 1:
        return crop
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


def outlined(crop: Pixels, box: Box) -> Pixels:
    """A copy with an outline along the box, 0..1 of the crop."""
    copy = np.ascontiguousarray(crop).copy()
    height, width = copy.shape[:2]
    corner = (round(box[0] * (width - 1)), round(box[1] * (height - 1)))
    opposite = (round(box[2] * (width - 1)), round(box[3] * (height - 1)))
    cv2.rectangle(copy, corner, opposite, _COLOUR, max(1, round(max(height, width) / 256)))
    return copy


def as_uri(crop: Pixels) -> str:
    """RGB pixels as a JPEG in a data URI."""
    bgr = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")
