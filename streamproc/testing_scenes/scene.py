"""What a recipe makes: pictures, and the truth about what was put into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamproc.testing_footage import Pixels
from streamproc.types import Box


@dataclass(frozen=True, slots=True)
class PutIn:
    """Something that was put into footage and is not normal there."""

    what: str
    """``vehicle``, ``fall``, …"""
    boxes: Mapping[int, Box]
    """Where it is, by the picture's number; only pictures in which it is to be seen and is not normal."""

    @property
    def first(self) -> int:
        """Number of the first picture with it."""
        return min(self.boxes)

    @property
    def last(self) -> int:
        """Number of the last picture with it."""
        return max(self.boxes)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Pictures that can be watched once, and what was put into them."""

    pictures: Iterable[Pixels]
    """(height, width, 3) uint8 RGB."""
    put_in: tuple[PutIn, ...] = ()
    times_s: Sequence[float] | None = field(default=None)
    """Media time of each picture; None: evenly spaced."""


def to_pixels(values: object) -> Pixels:
    """Rounded and kept within 0..255."""
    return np.clip(np.rint(np.asarray(values, np.float32)), 0, 255).astype(np.uint8)
