"""Where something is, in words: a zone's name, or the side of the picture and how far away."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.areas import area_of, in_words
from streamproc.config import Area
from streamproc.types import Box

_FAR, _NEAR = 0.33, 0.85
"""Heights in the picture, 0 at the top, of the feet: above the first something is far from the camera, below the second
near to it."""


def place_of(box: Box, zones: Sequence[Area]) -> str:
    """``in the yard`` for the first zone that holds the box's foot point, else ``on the left, far from the camera``."""
    if (zone := area_of(box, zones)) is not None:
        return f"in the {in_words(zone.name)}"
    x, y = (box[0] + box[2]) / 2, box[3]
    side = "on the left" if x < 1 / 3 else "on the right" if x > 2 / 3 else "in the centre"
    if y < _FAR:
        return f"{side}, far from the camera"
    return f"{side}, near the camera" if y > _NEAR else side
