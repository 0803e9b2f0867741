"""Who is worth asking how they hold the body, and what the pose model says of them.

Somebody is asked about while their box is odd: wide, or low beside the height that they stood at before. A detector
of people knows who stands and loses who lies; what stands out where they were last is then asked about in their stead,
until it is gone, somebody else's, or upright again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.posture import PoseEstimator, PostureLook, measure_posture, unusual
from streamproc.normality.speed import SpeedSample
from streamproc.types import Box

LOOK_S = 0.5
"""As often as the detector looks in the embedded preset."""
_EARLY_S = 0.02
"""A look may come this much early: cameras' clocks jitter."""
_HEIGHTS = 10
"""Looks whose median is the height that somebody stands at: five seconds of a walk, over which perspective is small."""
_LOST_S = 3.0
"""So long what stands out is tried in somebody's stead without an answer."""
MOST_ASKED = 3
"""At one look, 40 ms each. Whoever was asked about longest ago is first, so that six at once are followed."""
_LENGTHS = (0.5, 2.0)
"""Standing heights that who is down is long: what is shorter is a part of a body, what is longer more than one."""
_BESIDE = 0.5
"""Standing heights beside where somebody stood, within which they come to lie with most of their body."""
_RAISED = 0.45
"""Standing heights by which the lower edge may be above the feet's last row; half of who is hidden to the waist."""
_TAKEN = 0.5
"""Share of a region within the box of somebody who is seen, from which it is theirs."""


@dataclass(slots=True)
class _Person:
    """Somebody, as last seen or supposed."""

    box: Box
    found_s: float
    """When they were last found, or their posture was told."""
    asked_s: float = -math.inf
    """When they were last asked about."""
    foot: float = 1.0
    """Row of their feet when they were last found."""
    heights: deque[float] = field(default_factory=lambda: deque(maxlen=_HEIGHTS))
    """Shares of the picture's height, while the box was that of somebody upright."""


class PostureWatch:
    """Follows one camera's people, told of its pictures in order."""

    def __init__(self, estimator: PoseEstimator) -> None:
        self._estimator = estimator
        self.begin_run()

    def begin_run(self) -> None:
        """Forget all; another session with the camera."""
        self._people: dict[int, _Person] = {}
        self._looked_s = -math.inf

    def due(self, pts_s: float, times: float = 1.0) -> bool:
        """Whether to look at the picture of ``pts_s``: ``times`` twice a second."""
        return not 0.0 <= pts_s - self._looked_s < LOOK_S / times - _EARLY_S

    def look(
        self,
        picture: npt.NDArray[np.uint8],
        pts_s: float,
        found: Sequence[tuple[int, Box]],
        sample: SpeedSample | None,
        most: int = MOST_ASKED,
    ) -> tuple[PostureLook, ...]:
        """Who was asked about in ``picture`` (height, width, 3), uint8 RGB; mostly nobody.

        ``found``: the people that the detector sees, by track. ``sample``: what stands out. ``most``: how many are
        asked about at most.

        Raises:
            InferenceError: the model failed.
        """
        self._looked_s = pts_s
        wanted: list[tuple[int, Box]] = []
        for number, box in found:
            if not _holds_a_pixel(box, picture):
                continue  # Carried out of the picture since the detector looked.
            person = self._people.setdefault(number, _Person(box, pts_s))
            person.box, person.found_s, person.foot = box, pts_s, box[3]
            if self._odd(person, box, picture):
                wanted.append((number, box))
            else:
                person.heights.append(box[3] - box[1])
        wanted += self._lost(pts_s, dict(found), sample, picture)
        looks = []
        for number, box in sorted(wanted, key=lambda one: self._people[one[0]].asked_s)[:most]:
            self._people[number].asked_s = pts_s
            posture = measure_posture(self._estimator, picture, box, self._standing_px(number, picture))
            if posture is not None:
                self._people[number].found_s = pts_s
                if posture.kind == "upright":  # So this is how high they stand; not so often asked again.
                    self._people[number].heights.append(box[3] - box[1])
            looks.append(PostureLook(number, box, posture))
        return tuple(looks)

    def _lost(
        self, pts_s: float, found: dict[int, Box], sample: SpeedSample | None, picture: npt.NDArray[np.uint8]
    ) -> list[tuple[int, Box]]:
        """What stands out, with an odd box, where somebody was last who is no longer found."""
        regions = [box for box in _regions(sample) if all(_within(box, other) < _TAKEN for other in found.values())]
        wanted: dict[Box, tuple[float, int]] = {}
        for number, person in list(self._people.items()):
            if number in found:
                continue
            if pts_s - person.found_s > _LOST_S or not person.heights:
                del self._people[number]
                continue
            near = _around(person.box, median(person.heights), picture)
            here = max((box for box in regions if self._may_lie(person, box, picture)), key=near, default=None)
            # One lies in one place, and in one place lies one.
            if here is not None and near(here) > max(_TAKEN, wanted.get(here, (0.0, 0))[0]):
                wanted[here] = (near(here), number)
        for box, (_, number) in wanted.items():
            self._people[number].box = box
        return [(number, box) for box, (_, number) in wanted.items()]

    def _odd(self, person: _Person, box: Box, picture: npt.NDArray[np.uint8]) -> bool:
        high, wide = picture.shape[:2]
        standing = median(person.heights) * high if person.heights else None
        return unusual((box[0] * wide, box[1] * high, box[2] * wide, box[3] * high), standing)

    def _may_lie(self, person: _Person, box: Box, picture: npt.NDArray[np.uint8]) -> bool:
        standing = median(person.heights)
        low = box[3] - box[1] <= standing and box[3] >= person.foot - _RAISED * standing
        wide = (box[2] - box[0]) * picture.shape[1] / picture.shape[0]
        long = _LENGTHS[0] * standing <= max(wide, box[3] - box[1]) <= _LENGTHS[1] * standing
        return low and long and self._odd(person, box, picture)

    def _standing_px(self, number: int, picture: npt.NDArray[np.uint8]) -> float | None:
        heights = self._people[number].heights
        return median(heights) * picture.shape[0] if heights else None


def _holds_a_pixel(box: Box, picture: npt.NDArray[np.uint8]) -> bool:
    high, wide = picture.shape[:2]
    return min((box[2] - box[0]) * float(wide), (box[3] - box[1]) * float(high)) >= 1.0


def _regions(sample: SpeedSample | None) -> list[Box]:
    """Around what stands out and hangs together."""
    if sample is None or not len(sample.cells):
        return []
    rows, columns = sample.grid
    standing_out = np.zeros(rows * columns, np.uint8)
    standing_out[sample.cells] = 1
    _, _, stats, _ = cv2.connectedComponentsWithStats(standing_out.reshape(rows, columns), connectivity=8)
    return [
        (left / columns, top / rows, min(1.0, (left + wide) / columns), min(1.0, (top + high) / rows))
        for left, top, wide, high, _ in stats[1:].tolist()
    ]


def _around(box: Box, standing: float, picture: npt.NDArray[np.uint8]) -> Callable[[Box], float]:
    """Tells which share of a region lies where somebody who stood at ``box`` may lie."""
    beside = _BESIDE * standing * picture.shape[0] / picture.shape[1]
    place = (box[0] - beside, box[1], box[2] + beside, box[3] + _BESIDE * standing)
    return lambda region: _within(region, place)


def _overlap(one: Box, other: Box) -> float:
    """Of the picture."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)


def _within(one: Box, other: Box) -> float:
    """Share of ``one`` that lies in ``other``."""
    return _overlap(one, other) / max((one[2] - one[0]) * (one[3] - one[1]), 1e-9)
