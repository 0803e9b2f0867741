"""What the memory's prototypes stand for, as small pictures: for people to look at, nothing is judged by them.

They show people, as small and grey as motion is measured in. A few looks, spread evenly over the footage, are enough
to have seen what is seen often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamproc.normality.memory import Memory, Recall, Texture
from streamproc.normality.picture import GreyPicture, packed, unpacked

TILE_PX: Final = (20, 28)
"""Width and height of an example at flow size: a person in the middle distance, less far off."""
_ACROSS = 10
"""Examples side by side in the file's picture."""
_MOST = 60
"""Examples kept; some 15 kB."""
_MOST_LOOKS = 120
"""Looks that examples are taken from: 13 MB of pictures while learning."""

_Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A look, and the picture it was at."""

    texture: Texture
    grey: _Grey
    """(height, width) at flow size."""


class Examples(BaseModel):
    """The prototypes that normal footage came to most often, each by the place in a picture that is most like it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    picture: GreyPicture
    """The examples side by side, row by row, each ``TILE_PX``."""
    shares: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]
    """Of what was seen, nearest to each; the largest first."""

    @model_validator(mode="after")
    def _is_whole(self) -> Examples:
        height, width = unpacked(self.picture).shape
        if (width, height) != _size(len(self.shares)):
            raise ValueError(f"picture: {width} x {height} px are not {len(self.shares)} examples")
        return self

    @property
    def tiles(self) -> list[_Grey]:
        """(height, width) each, in the order of ``shares``."""
        picture, (wide, high) = unpacked(self.picture), TILE_PX
        places = (divmod(number, _ACROSS) for number in range(len(self.shares)))
        return [picture[row * high : (row + 1) * high, at * wide : (at + 1) * wide] for row, at in places]


class LookLearner:
    """Keeps looks spread evenly over footage of any length."""

    def __init__(self) -> None:
        self._kept: list[Looked] = []
        self._every, self._seen = 1, 0

    def wants(self) -> bool:
        """Whether the next look is kept; asked once for each."""
        self._seen += 1
        return (self._seen - 1) % self._every == 0

    def add(self, looked: Looked) -> None:
        """Keep a look that was wanted."""
        self._kept.append(looked)
        if len(self._kept) > _MOST_LOOKS:
            del self._kept[1::2]
            self._every *= 2

    def learned(self) -> tuple[Looked, ...]:
        """At most ``_MOST_LOOKS``."""
        return tuple(self._kept)


def find_examples(memory: Memory, looks: Sequence[Looked]) -> Examples | None:
    """The examples of ``memory`` in ``looks``; None where nothing stood out in them."""
    recall = Recall(memory)
    counts: dict[int, int] = {}
    nearest: dict[int, tuple[float, int, int]] = {}
    for number, looked in enumerate(looks):
        prototypes, distances = recall.nearest(looked.texture)
        for cell, which, far in zip(
            looked.texture.cells.tolist(), prototypes.tolist(), distances.tolist(), strict=True
        ):
            counts[which] = counts.get(which, 0) + 1
            nearest[which] = min(nearest.get(which, (np.inf, 0, 0)), (far, number, cell))
    if not counts:
        return None
    often = sorted(counts, key=lambda which: (-counts[which], which))[:_MOST]
    wide, high = TILE_PX
    width, height = _size(len(often))
    sheet = np.zeros((height, width), np.uint8)
    for place, which in enumerate(often):
        _, number, cell = nearest[which]
        row, at = divmod(place, _ACROSS)
        sheet[row * high : (row + 1) * high, at * wide : (at + 1) * wide] = _tile(looks[number], cell)
    total = sum(counts.values())
    return Examples(picture=packed(sheet), shares=tuple(round(counts[which] / total, 6) for which in often))


def _tile(looked: Looked, cell: int) -> _Grey:
    (rows, columns), (high, wide) = looked.texture.grid, looked.grey.shape
    row, column = divmod(cell, columns)
    middle = ((column + 0.5) / columns * wide - 0.5, (row + 0.5) / rows * high - 0.5)
    return np.asarray(cv2.getRectSubPix(looked.grey, TILE_PX, middle), np.uint8)


def _size(count: int) -> tuple[int, int]:
    """Width and height of the picture of so many examples."""
    return _ACROSS * TILE_PX[0], -(-count // _ACROSS) * TILE_PX[1]
