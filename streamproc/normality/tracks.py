"""Objects followed through time: the detector looks now and then, flow carries what it found in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import supervision as sv
from trackers import ByteTrackTracker

from streamproc.config import NormalitySettings
from streamproc.normality.glimpse import Detection
from streamproc.normality.percentiles import percentile
from streamproc.normality.smoothing import Smoother
from streamproc.normality.speed import STRIDE_PX, SpeedSample

_LOST_LOOKS = 3.2
"""Looks in vain after which an object is given up."""
_SIGHTINGS = 2
"""Looks that must have found an object before it is believed."""
STILL_LOOK_S = 3.0
"""The detector looks this often where nothing moves: what it overlooked, or took for something, is then put right."""
_EARLY_S = 0.02
"""A look may come this much early: cameras' clocks jitter."""
_TELL_S = 0.2 - _EARLY_S
"""The tracker is told twice between two looks at two a second, and whenever something went far."""
_FAR = 0.25
"""Of its own width, since the tracker was told: then it still lies mostly over the place where it was."""
_BODY_PERCENTILE = 90.0
"""Of the speeds in a box: the body's, where the maximum might be a neighbour's."""


@dataclass(slots=True, eq=False)
class Followed:
    """An object as it is followed; changes as time goes on."""

    number: int
    """The tracker's, or -1 while it has none."""
    box_px: npt.NDArray[np.float64]
    """(4,): x0, y0, x1, y1 at flow size."""
    first_s: float
    seen_s: float
    """When it was last found by the detector."""
    pred_score: float
    sightings: int = 1
    went_px: float = 0.0
    """How far it was carried since the tracker was last told."""
    votes: dict[str, float] = field(default_factory=dict)
    """Confidence by class name."""
    ratio: Smoother = field(default_factory=lambda: Smoother(hold_s=0.0))
    """Speed beside its place's normal, smoothed."""

    @property
    def label(self) -> str:
        """What most of the confidence so far calls it."""
        return max(self.votes, key=lambda label: self.votes[label])

    @property
    def went_far(self) -> bool:
        """Whether the tracker must hear of it, or would lose it."""
        return self.went_px > _FAR * float(self.box_px[2] - self.box_px[0])


class Tracks:
    """The objects of one camera. ByteTrack gives them their numbers, each camera and run by itself, from 1."""

    def __init__(self, settings: NormalitySettings) -> None:
        self._settings = settings
        least = min(settings.person_score, settings.object_score)
        self._tracker = ByteTrackTracker(
            lost_track_buffer=30,  # In thirtieths of a second: one second more after it is not carried on any longer.
            frame_rate=10.0,  # About as often as it is told something; timestamps decide.
            track_activation_threshold=least,
            high_conf_det_threshold=least,
            minimum_consecutive_frames=2,
            minimum_iou_threshold=0.1,
        )
        self._lost_s = _LOST_LOOKS / settings.detections_per_s
        self._followed: list[Followed] = []
        self._due_s = 0.0
        self._looked_s = -math.inf
        """When the detector last looked, or would have seen the same."""
        self._saw_s = -math.inf
        """When it truly looked."""
        self.told_s = -math.inf
        """Media time the tracker was last told of."""

    def begin_run(self) -> None:
        """Forget all; numbers start again."""
        self._tracker.reset()
        self._followed = []
        self._due_s = 0.0
        self._looked_s = self._saw_s = -math.inf
        self.told_s = -math.inf

    def forget_speeds(self) -> None:
        """Measure each object's speed anew: what is normal at its place has changed."""
        for one in self._followed:
            one.ratio.reset()

    def due(self, pts_s: float, times: float = 1.0) -> bool:
        """Whether the detector should look at the frame at ``pts_s``, ``times`` as often as settings say."""
        later_s = (1.0 / times - 1.0) / self._settings.detections_per_s
        return pts_s >= self._due_s + later_s and pts_s > self.told_s

    def may_stay(self, pts_s: float) -> bool:
        """Whether what the last look found may be taken for found again at ``pts_s``, where nothing moved since.

        Not if there was no look for ``STILL_LOOK_S``, or an object is in doubt, found only once or missed last.
        """
        sure = all(
            one.sightings >= _SIGHTINGS and one.number >= 0 and one.seen_s >= self._looked_s for one in self._followed
        )
        return sure and pts_s - self._saw_s < STILL_LOOK_S - _EARLY_S

    def stay(self, pts_s: float) -> None:
        """Take what the last look found for found again at ``pts_s``."""
        self._set_looked(pts_s)
        for one in self._followed:
            one.seen_s = pts_s

    def visible(self) -> list[Followed]:
        """Objects that were found more than once, the last look included: one that was only carried on is a guess."""
        return [
            one
            for one in self._followed
            if one.sightings >= _SIGHTINGS and one.number >= 0 and one.seen_s >= self._looked_s
        ]

    def carry(self, sample: SpeedSample, normal: npt.NDArray[np.float32] | None) -> None:
        """Move each object as what stands out in its box does, and measure it beside ``normal`` (rows, columns)."""
        if not self._followed:
            return
        speeds = sample.speeds
        ratios = speeds / normal.reshape(-1)[sample.cells] if normal is not None else None
        which = np.full(sample.grid, -1, np.intp)
        which.reshape(-1)[sample.cells] = np.arange(len(speeds))
        for one in self._followed:
            x0, y0, x1, y1 = (one.box_px / STRIDE_PX - 0.5).tolist()
            rows, columns = (slice(max(0, math.ceil(a)), max(0, math.floor(b) + 1)) for a, b in ((y0, y1), (x0, x1)))
            inside = which[rows, columns]
            inside = inside[inside >= 0]
            if len(inside):
                # The faster half: legs at rest and the edges of what stands behind would hold the box back.
                body = speeds[inside]
                fast = inside[body >= percentile(body, 50.0)]
                step_px = sample.vectors[fast].mean(axis=0, dtype=np.float64) * sample.elapsed_s
                one.box_px[:2] += step_px
                one.box_px[2:] += step_px
                one.went_px += math.hypot(*step_px)
            if ratios is not None:
                ratio = percentile(ratios[inside], _BODY_PERCENTILE) if len(inside) else 0.0
                one.ratio.add(sample.pts_s, ratio)

    def advance(self, pts_s: float) -> None:
        """Between two looks: tell the tracker where the objects were carried; give up what was not found for long.

        It is not told where that was done a moment ago and nothing went far since: it takes 2 ms for ten objects.
        """
        if pts_s <= self.told_s:
            return  # A clock that does not advance; the tracker would warn each time.
        if pts_s - self.told_s < _TELL_S and not any(one.went_far for one in self._followed):
            return
        self._followed = [one for one in self._followed if pts_s - one.seen_s <= self._lost_s]
        numbers = self._update(
            pts_s, [one.box_px for one in self._followed], [one.pred_score for one in self._followed]
        )
        taken = {number for number in numbers.values() if number >= 0}
        kept = []
        for index, one in enumerate(self._followed):
            number = numbers.get(index, -1)
            one.went_px = 0.0
            if number >= 0:
                one.number = number
            elif one.number in taken:
                continue
            kept.append(one)
        self._followed = kept

    def look(self, pts_s: float, found: Sequence[Detection], size_px: tuple[int, int]) -> None:
        """Take in what the detector found at ``pts_s``; ``size_px`` is (width, height) at flow size."""
        self._set_looked(pts_s)
        self._saw_s = pts_s
        objects = [one for one in found if one.pred_score >= self._least(one.label)]
        scale = np.array(size_px * 2, np.float64)
        boxes = [np.array(one.box_norm) * scale for one in objects]
        numbers = self._update(pts_s, boxes, [one.pred_score for one in objects])
        known = {one.number: one for one in self._followed if one.number >= 0}
        fresh = []
        for index, detection in enumerate(objects):
            number = numbers.get(index, -1)
            one = known.get(number)
            if one is None:
                one = Followed(number, boxes[index], pts_s, pts_s, detection.pred_score)
                fresh.append(one)
            else:
                one.box_px, one.seen_s, one.pred_score = boxes[index], pts_s, detection.pred_score
                one.sightings, one.went_px = one.sightings + 1, 0.0
            one.votes[detection.label] = one.votes.get(detection.label, 0.0) + detection.pred_score
        self._followed = [*known.values(), *fresh]

    def _set_looked(self, pts_s: float) -> None:
        self._looked_s = pts_s
        self._due_s = pts_s + 1.0 / self._settings.detections_per_s - _EARLY_S

    def _least(self, label: str) -> float:
        return self._settings.person_score if label == "person" else self._settings.object_score

    def _update(
        self, pts_s: float, boxes: Sequence[npt.NDArray[np.float64]], scores: Sequence[float]
    ) -> dict[int, int]:
        """The tracker's numbers by the boxes' index."""
        detections = sv.Detections(
            xyxy=np.array(boxes, np.float64).reshape(-1, 4),
            confidence=np.array(scores, np.float64),
            data={"index": np.arange(len(boxes))},
        )
        self.told_s = pts_s
        tracked = self._tracker.update(detections, timestamp=pts_s)
        if not len(tracked):
            return {}
        return dict(zip(tracked.data["index"].tolist(), tracked.tracker_id.tolist(), strict=True))
