"""Size for the place: how tall and wide things of a class are where they stand, as normal footage had them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from streamproc.types import Box

_LEAST_BOXES = 40
"""Of a class, and of as many as ``_LEAST_TRACKS`` things: fewer say little of a line and its spread."""
_LEAST_TRACKS = 5
_BEYOND = 0.1
"""Of the picture's height, by which the line is carried on past the rows where feet were seen."""
_BORDER = 0.01
"""Of the picture: a box as near to its edge may be cut by it."""
_LEAST_SPREAD = math.log(1.25)
"""A detector's boxes of one thing differ by as much: no ratio below is out of the ordinary."""
_ROUNDS = 10
_OUTLIER = 1.345
"""Standard deviations from which a box counts less (Huber: 95 % as good as the mean where there are no outliers)."""
Side = Literal["height", "width", "area"]


class Range(BaseModel):
    """Normal ratios to what is usual at the place."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]


class ClassSize(BaseModel):
    """Of one class: a straight line over the row of its foot point."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    top: float
    """Height of a box whose foot is at the picture's upper edge, as a share of the picture's; may be negative."""
    bottom: float
    """At its lower edge."""
    width: Annotated[float, Field(gt=0)]
    """Of a box beside its height, both as shares of the picture's own width and height."""
    rows: tuple[float, float]
    """Where feet were seen, 0..1."""
    ranges: dict[Side, Range]
    """What single boxes had."""

    def height(self, foot: float) -> float | None:
        """A thing's usual height with its ``foot`` at this row; None where nothing near was seen."""
        low, high = self.rows
        usual = self.top + (self.bottom - self.top) * foot
        return usual if low - _BEYOND <= foot <= high + _BEYOND and usual > 0.0 else None


@dataclass(frozen=True, slots=True)
class Size:
    """How large something is beside what is usual there."""

    side: Side
    """What of it is farthest from normal."""
    ratio: float
    """Times the usual."""
    normal: Range

    @property
    def score(self) -> float:
        """0 usual, 1 the end of normal, on a logarithmic scale: twice and half as large are equally far."""
        end = self.normal.high if self.ratio > 1.0 else self.normal.low
        return math.log(self.ratio) / math.log(end)


class SizeModel(BaseModel):
    """By class name in the detector's words."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    why_not: str = ""
    """Why size is not judged, in words; empty where it is."""
    classes: dict[str, ClassSize] = {}

    def height(self, label: str, foot: float) -> float | None:
        """How high, as a share of the picture, a ``label`` is usually whose feet are at row ``foot``, 0..1."""
        known = self.classes.get(label)
        return known.height(foot) if known else None

    def ratios(self, label: str, box: Box) -> dict[Side, float] | None:
        """How large one box is beside the usual; None where it is cut by the border or its class or row is unknown."""
        known = self.classes.get(label)
        return None if known is None or cut(box) else _ratios(known, box)

    def judge(self, label: str, box: Box) -> Size | None:
        """One box, to be smoothed over a track's; None where it is cut by the border or its class or row is unknown."""
        ratios = self.ratios(label, box)
        if ratios is None:
            return None
        sizes = [self.size(label, side, ratios[side]) for side in self.classes[label].ranges]
        return max(sizes, key=lambda size: size.score, default=None)

    def size(self, label: str, side: Side, ratio: float) -> Size:
        """A ``label`` whose ``side`` is ``ratio`` times the usual."""
        return Size(side, ratio, self.classes[label].ranges[side])


def cut(box: Box) -> bool:
    """Whether the picture's border may hide a part of it."""
    return box[0] < _BORDER or box[1] < _BORDER or box[2] > 1 - _BORDER or box[3] > 1 - _BORDER


@dataclass(frozen=True, slots=True)
class SizeSample:
    """A thing as it was found once."""

    thing: tuple[int, int]
    """Its run and track."""
    label: str
    box_norm: Box


def fit_size(samples: Sequence[SizeSample]) -> SizeModel:
    """From the normal footage's boxes."""
    whole = defaultdict(list)
    for sample in samples:
        if not cut(sample.box_norm) and sample.box_norm[3] > sample.box_norm[1]:
            whole[sample.label].append(sample)
    seen = {label: _class(boxes) for label, boxes in sorted(whole.items()) if _enough(boxes)}
    classes = {label: size for label, size in seen.items() if size is not None}
    if not classes:
        most = max((len(boxes) for boxes in whole.values()), default=0)
        return SizeModel(
            why_not=f"too few things are seen whole to know their size: {most} boxes, {_LEAST_BOXES} of "
            f"{_LEAST_TRACKS} things needed"
        )
    return SizeModel(classes=classes)


def _enough(samples: Sequence[SizeSample]) -> bool:
    return len(samples) >= _LEAST_BOXES and len({sample.thing for sample in samples}) >= _LEAST_TRACKS


def _class(samples: Sequence[SizeSample]) -> ClassSize | None:
    boxes = np.array([sample.box_norm for sample in samples], np.float64)
    feet, tall, wide = boxes[:, 3], boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    slope, top = _line(feet, tall)
    if top + slope * float(np.median(feet)) <= 0.0:
        return None
    low, high = (float(row) for row in np.percentile(feet, (1, 99)))
    known = ClassSize(
        top=top, bottom=top + slope, width=max(float(np.median(wide / tall)), 1e-3), rows=(low, high), ranges={}
    )
    ratios = [found for found in (_ratios(known, sample.box_norm) for sample in samples) if found is not None]
    sides: tuple[tuple[Side, float], ...] = (("height", 1.0), ("width", 1.0), ("area", 2.0))
    return known.model_copy(
        update={"ranges": {side: _range([one[side] for one in ratios], least * _LEAST_SPREAD) for side, least in sides}}
    )


def _line(feet: npt.NDArray[np.float64], tall: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Slope and height at row 0, by Huber's weights: half of a person behind a wall does not bend it."""
    if float(np.ptp(feet)) < _BEYOND:
        return 0.0, float(np.median(tall))
    weights = np.ones_like(feet)
    slope, top = 0.0, float(np.median(tall))
    for _ in range(_ROUNDS):
        slope, top = (float(value) for value in np.polyfit(feet, tall, 1, w=np.sqrt(weights)))
        off = np.abs(tall - slope * feet - top)
        scale = max(1.4826 * float(np.median(off)), 1e-6)  # boxes that are drawn, or held still, lie on the line
        weights = np.minimum(1.0, _OUTLIER * scale / np.maximum(off, 1e-9))
    return slope, top


def _ratios(known: ClassSize, box: Box) -> dict[Side, float] | None:
    usual = known.height(box[3])
    tall, wide = box[3] - box[1], box[2] - box[0]
    if usual is None or tall <= 0.0 or wide <= 0.0:
        return None
    height, width = tall / usual, wide / (usual * known.width)
    return {"height": height, "width": width, "area": height * width}


def _range(ratios: Sequence[float], least_spread: float) -> Range:
    """Beyond the extremes by the logarithmic distance from the 99th percentile to them: the next most extreme one."""
    logs = np.log(ratios)
    low, least, most, high = (float(value) for value in np.percentile(logs, (1, 0, 100, 99)))
    return Range(low=math.exp(min(2 * least - low, -least_spread)), high=math.exp(max(2 * most - high, least_spread)))
