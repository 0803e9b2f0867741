"""Which way things move at a place, beside the ways they moved there in the normal footage."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamproc.normality.speed import SpeedSample

PLACES = (12, 9)
"""Places across and down: about a person's width in the middle distance."""
DIRECTIONS = 8
"""From rightwards on, clockwise as the picture shows it."""
_BLOCK_S = 2.0
"""What moves at a place within as long counts as one passage, as for the block maxima of ``held_out``."""
_LEAST_PASSAGES = 4.0
"""Of a place and its neighbours: with fewer, one side of a path looks like a one-way street."""
_PRIOR = 0.5
"""Passages that each direction is given beforehand (Jeffreys): what was never seen is not impossible."""
_MOVES = 0.3
"""Share of the place's normal speed below which a direction is mostly the flow's error and swinging limbs."""
_BESIDE = np.array((1.0, 2.0, 1.0), np.float32) / 4.0
"""Weights of a place or direction and those beside it."""
_LEAST_JUDGED = 0.01
"""Of the places; fewer are no field."""


class DirectionModel(BaseModel):
    """Passages seen, by place and direction."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    why_not: str = ""
    """Why directions are not judged, in words; empty where they are."""
    passages: tuple[tuple[Annotated[float, Field(ge=0)], ...], ...] = ()
    """Of each place, row by row (``PLACES``), those in each direction (``DIRECTIONS``), smoothed over places and
    directions beside; empty where too few were seen."""

    @model_validator(mode="after")
    def _is_whole(self) -> DirectionModel:
        if not self.why_not and len(self.passages) != PLACES[0] * PLACES[1]:
            raise ValueError(f"passages: {len(self.passages)} places, not {PLACES[0]} x {PLACES[1]}")
        if any(len(place) not in (0, DIRECTIONS) for place in self.passages):
            raise ValueError(f"passages: a place needs {DIRECTIONS} directions, or none")
        return self


class DirectionMeter:
    """How surprising each direction is."""

    def __init__(self, model: DirectionModel) -> None:
        self.why_not = model.why_not
        """Why nothing is judged; empty where it is."""
        self._surprise = np.zeros((PLACES[0] * PLACES[1], DIRECTIONS), np.float32)
        for place, passages in enumerate(model.passages):
            if passages:
                share = (np.array(passages) + _PRIOR) / (sum(passages) + DIRECTIONS * _PRIOR)
                usual = -float((share * np.log(share)).sum())
                self._surprise[place] = np.maximum(-np.log(share) - usual, 0.0)

    @property
    def most(self) -> float:
        """Nats that the least usual way of all comes to."""
        return float(self._surprise.max(initial=0.0))

    def surprise(self, sample: SpeedSample, normal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(n,): nats by which each cell's direction is less probable at its place than directions there are on average.

        0 where it is usual, where too little was seen, and where a cell hardly moves beside ``normal`` ((rows, columns)
        of the sample's grid, px/s). A way that was never gone comes to about the logarithm of the passages seen.
        """
        moves = sample.speeds > _MOVES * normal.reshape(-1)[sample.cells]
        found = self._surprise[_places(sample), _directions(sample)]
        return np.where(moves, found, np.float32(0.0)).astype(np.float32)


def fit_direction(samples: Iterable[SpeedSample], normal: npt.NDArray[np.float32]) -> DirectionModel:
    """From the normal footage's ``samples``; ``normal`` ((rows, columns) of their grid, px/s) as for ``surprise``."""
    passages = np.zeros((PLACES[0] * PLACES[1], DIRECTIONS), np.float64)
    block = np.zeros_like(passages)
    now: tuple[int, int] | None = None
    for sample in samples:
        key = (sample.run, math.floor(sample.pts_s / _BLOCK_S))
        if key != now:
            passages += _shares(block)
            block[:] = 0.0
            now = key
        moves = sample.speeds > _MOVES * normal.reshape(-1)[sample.cells]
        np.add.at(block, (_places(sample)[moves], _directions(sample)[moves]), 1.0)
    passages += _shares(block)
    smooth = _smoothed(passages)
    enough = smooth.sum(axis=1) >= _LEAST_PASSAGES
    if float(enough.mean()) < _LEAST_JUDGED:
        return DirectionModel(
            why_not=f"too few passages to know which way is usual: at most {smooth.sum(axis=1).max():.1f} at a place, "
            f"{_LEAST_PASSAGES:.0f} needed"
        )
    return DirectionModel(
        passages=tuple(
            tuple(round(float(value), 2) for value in place) if sure else ()
            for place, sure in zip(smooth, enough, strict=True)
        )
    )


def _shares(block: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """One passage at each place at which something moved, shared out over its directions."""
    total = block.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(block, total, out=np.zeros_like(block), where=total > 0), np.float64)


def _smoothed(passages: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Over places and directions beside, which is a mean: what passes two places is no more than one passage."""
    around = np.stack([np.roll(passages, by, axis=1) for by in (-1, 0, 1)])
    field = np.tensordot(_BESIDE, around, axes=1).reshape(PLACES[1], PLACES[0], DIRECTIONS)
    smooth = cv2.sepFilter2D(field, cv2.CV_64F, _BESIDE, _BESIDE, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float64).reshape(-1, DIRECTIONS)


def _places(sample: SpeedSample) -> npt.NDArray[np.intp]:
    rows, columns = sample.grid
    across, down = PLACES
    return np.asarray(sample.rows * down // rows * across + sample.columns * across // columns, np.intp)


def _directions(sample: SpeedSample) -> npt.NDArray[np.intp]:
    x, y = sample.vectors[:, 0].astype(np.float32), sample.vectors[:, 1].astype(np.float32)
    eighths = np.rint(np.arctan2(y, x) * (DIRECTIONS / (2 * math.pi)))
    return np.asarray(eighths.astype(np.intp) % DIRECTIONS, np.intp)
