"""Something or someone that stays where nothing stayed: what the picture shows that its background does not, and for
how long it has been there without moving. Light, weather and what passes do not count (``unlike.py``).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamproc.normality.structure import FINE_SIZE, Grey, fine
from streamproc.normality.unlike import Likening
from streamproc.normality.view_reference import CHECK_S, MOST_LOST, Recent
from streamproc.types import Box

PLACES = (12, 9)
"""Places across and down: about a person's width in the middle distance."""
LEAST_S = 10.0
"""Shorter stays are never told: people stop to look, to talk and to wait."""
_DIFFERENT, _SAME = 14.0, 7.0
"""Grey levels, as for the background's foreground; in between nothing is decided."""
_STILL_AFTER = 5
"""Looks after which the same must be seen for it to be still: medians of other pictures altogether."""
_LATE_S = 2.0
"""By which a stay is noticed later than its end is: it must be still for 2.5 s, less what the median takes."""
_LEAST_PX = round(0.0005 * FINE_SIZE[0] * FINE_SIZE[1])
"""Of the picture: as little as counts for motion elsewhere (``gate_motion``)."""
_STAYING_S = 2.0
_GONE_S = 0.5
"""Time constant with which a stay is forgotten where the background is seen again."""
_OUTLINE = 1.5
"""The background has so many times as much contrast there as the picture, as the outline of a thing has: then the thing
is in the background, and what is seen now is the ground where it was."""


class DwellModel(BaseModel):
    """How long things stayed in the normal footage, by place."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    why_not: str = ""
    """Why stays are not judged, in words; empty where they are."""
    longest_s: tuple[Annotated[float, Field(ge=0)], ...] = ()
    """Longest stay at each place or beside it, row by row, ``PLACES``; what was still there at a clip's end counts
    twice."""
    observed_s: Annotated[float, Field(ge=0)] = 0.0
    """Seconds of footage in which stays could be seen."""

    @model_validator(mode="after")
    def _is_whole(self) -> DwellModel:
        if not self.why_not and len(self.longest_s) != PLACES[0] * PLACES[1]:
            raise ValueError(f"longest_s: {len(self.longest_s)} places, not {PLACES[0]} x {PLACES[1]}")
        return self

    def threshold_s(self, place: int) -> float:
        """From which a stay at ``place`` is told: twice the longest, since half of what was seen is too little to know
        the range of."""
        return max(LEAST_S, 2.0 * self.longest_s[place])


@dataclass(frozen=True, slots=True)
class Stay:
    """Something that is there and still."""

    seconds: float
    """For which it has been."""
    box_norm: Box
    threshold_s: float
    """From which that is told at its place."""
    place: int
    """Where its foot is, in ``PLACES``, row by row."""


class Stays:
    """What stays now, told of one camera's pictures in order, beside ``reference`` (height, width), 0..255."""

    def __init__(self, reference: npt.NDArray[np.uint8] | Grey) -> None:
        self._known = fine(reference)
        self._likening = Likening(self._known)
        self._recent = Recent()
        self._differences: deque[Grey] = deque(maxlen=_STILL_AFTER)
        self._seconds = np.zeros_like(self._known)
        self._at_s = -math.inf
        self._live = self._known
        self.judged = False
        """Whether the last look could be judged: most of the picture is as it was learned."""

    def begin_run(self) -> None:
        """What stays is remembered: after a reconnect the camera mostly shows the same place."""
        self._recent, self._at_s = Recent(), -math.inf
        self._differences.clear()

    def add(self, grey: npt.NDArray[np.uint8] | Grey, pts_s: float) -> bool:
        """Take in ``grey`` (height, width) at 384 px or so; whether it was looked at, twice a second. 4 ms then."""
        live = self._recent.add(grey, pts_s)
        if live is None:
            return False
        elapsed_s = min(max(pts_s - self._at_s, 0.0), 2.0 * CHECK_S) if math.isfinite(self._at_s) else 0.0
        self._at_s, self._live = pts_s, live
        difference = self._likening.unlike(live)
        before = self._differences[0] if len(self._differences) == _STILL_AFTER else None
        self._differences.append(difference)
        there = np.abs(difference) > _DIFFERENT
        self.judged = not self._likening.moved and float(there.mean()) <= MOST_LOST
        if not self.judged or before is None:
            return False
        still = np.abs(cv2.blur(difference - before, (3, 3))) < _DIFFERENT
        passed = np.where(there, np.where(still, elapsed_s, -elapsed_s), 0.0).astype(np.float32)
        kept = np.where(np.abs(difference) < _SAME, np.float32(math.exp(-elapsed_s / _GONE_S)), np.float32(1.0))
        self._seconds = np.maximum(self._seconds * kept + passed, 0.0)
        return True

    def found(self) -> list[tuple[float, Box]]:
        """Each thing's seconds and box."""
        high, wide = self._seconds.shape
        count, labels, stats, _ = cv2.connectedComponentsWithStats((self._seconds > _STAYING_S).astype(np.uint8))
        found = []
        for label in range(1, count):
            left, top, width, height, area = (int(value) for value in stats[label])
            if area < _LEAST_PX:
                continue
            part = np.s_[top : top + height, left : left + width]
            inside = labels[part] == label
            seconds = float(np.sort(self._seconds[part][inside])[-_LEAST_PX])
            rows, columns = np.nonzero(inside & (self._seconds[part] > 0.5 * seconds))
            box = (
                (left + int(columns.min())) / wide,
                (top + int(rows.min())) / high,
                (left + int(columns.max()) + 1) / wide,
                (top + int(rows.max()) + 1) / high,
            )
            if not self._was_there(labels == label):
                found.append((seconds + _LATE_S, box))
        return found

    def _was_there(self, inside: npt.NDArray[np.bool_]) -> bool:
        """Whether the background has the outline of what differs, and the picture has not."""
        near = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        live, known = (
            float(np.percentile(_contrast(picture)[near], 90)) / (float(picture.std()) + 1.0)
            for picture in (self._live, self._known)
        )
        return known > _OUTLINE * live


class DwellMeter:
    """One camera's stays beside its normal footage's."""

    def __init__(self, reference: npt.NDArray[np.uint8] | Grey, model: DwellModel) -> None:
        """``reference`` (height, width), 0..255: what the camera shows when nothing is there, at 384 px or so."""
        self._model = model
        self._stays = Stays(reference)
        self._stay: Stay | None = None

    @property
    def why_not(self) -> str:
        """Why stays are not judged now; empty where they are."""
        return self._model.why_not or ("" if self._stays.judged else "most of the picture is not as it was learned")

    def begin_run(self) -> None:
        """After a reconnect."""
        self._stays.begin_run()

    def add(self, grey: npt.NDArray[np.uint8] | Grey, pts_s: float) -> Stay | None:
        """The stay that is longest beside its threshold, told of or not; None where nothing stays or none is judged.

        ``grey`` (height, width), 0..255; pictures in order, any rate. 4 ms twice a second, else nothing.
        """
        if self._model.why_not:
            return None
        if self._stays.add(grey, pts_s):
            stays = [
                Stay(seconds, box, self._model.threshold_s(place_of(box)), place_of(box))
                for seconds, box in self._stays.found()
            ]
            self._stay = max(stays, key=lambda stay: stay.seconds / stay.threshold_s, default=None)
        return self._stay if self._stays.judged else None


def place_of(box: Box) -> int:
    """Where the middle of its lower edge lies, in ``PLACES``, row by row."""
    across, down = PLACES
    column = min(across - 1, math.floor((box[0] + box[2]) / 2 * across))
    return min(down - 1, math.floor((box[3] - 1e-6) * down)) * across + column


def _contrast(picture: Grey) -> Grey:
    across, down = (cv2.Sobel(picture, cv2.CV_32F, x, 1 - x) for x in (1, 0))
    return np.asarray(np.hypot(across, down), np.float32)
