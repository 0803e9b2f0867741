"""What the embedded eyes see, beside one calibration: whether it can be judged, and what is unlike normal footage."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamproc.normality.beside import with_size
from streamproc.normality.calibration import Calibration
from streamproc.normality.down import DownMeter
from streamproc.normality.drift import Drift
from streamproc.normality.glimpse import Glimpse
from streamproc.normality.heading import Heading, HeadingMeter
from streamproc.normality.kinds import KINDS, UNITS, Kinds
from streamproc.normality.looks import Looks
from streamproc.normality.memory import Recall
from streamproc.normality.novelty import Novelty, Spot
from streamproc.normality.picture import unpacked
from streamproc.normality.place import ScaledPlace
from streamproc.normality.shake import Shake, most_rest
from streamproc.normality.speed import STRIDE_PX, SpeedSample
from streamproc.normality.stature import SizeLook, Stature, StatureMeter
from streamproc.normality.strongest import Strongest
from streamproc.normality.surroundings import Surroundings
from streamproc.normality.tracks import Followed
from streamproc.normality.view import MOVED
from streamproc.normality.whose import box_of, track_id
from streamproc.types import Measurement

_SHAPE_TOLERANCE = 0.02
"""Difference of the pictures' shapes, as a share, up to which a calibration holds."""
_NEW_S = 2.0
"""So long something that stands out is looked at more closely: four further looks tell what it is, or none will."""


class Judge:
    """Of one camera; told of its glimpses in order."""

    def __init__(self, calibration: Calibration, texture_revision: str) -> None:
        """``texture_revision``: of the model that textures are told by now; empty where none does."""
        self.calibration, self.sha256 = calibration, calibration.sha256
        width, height = calibration.flow_px
        background = unpacked(calibration.background)
        self._surroundings = Surroundings(calibration.scene, background, width / height)
        memory = calibration.memory
        known = memory is not None and memory.detector == texture_revision
        kinds = Kinds(ScaledPlace(calibration.place, width), Recall(memory) if memory is not None and known else None)
        self.unmeasured: tuple[str, ...] = ()
        """What the calibration tells of and is not measured, in words."""
        if memory is not None and not known:
            self.unmeasured = ("appearance: learned with another detector; learn anew with `streamproc induce`",)
        self._novelty = Novelty(kinds, calibration.kinds)
        self._looks = Looks(kinds, calibration.kinds) if calibration.looks is not None else None
        normal = calibration.place.normal((height // STRIDE_PX, width // STRIDE_PX))
        self._shake = Shake(calibration.unrest_px_s + most_rest(normal), MOVED * width)
        directions, sizes = calibration.directions, calibration.sizes
        self._heading = HeadingMeter(directions.model) if directions is not None and not directions.why_not else None
        self._stature = StatureMeter(sizes.model) if sizes is not None and not sizes.why_not else None
        self._oddest, self._oddest_look = Strongest[Spot](), Strongest[Spot]()
        self._least_usual = Strongest[Heading]()
        self._tallest: Stature | None = None
        self._down = DownMeter()
        self._drift = Drift(calibration.drift)
        self._largest: list[tuple[float, list[float]]] = []
        """When something was measured in the window, and how much of each kind at most."""
        self._odd_s: float | None = None
        """Since when something stands out."""
        self.course: list[tuple[float, float]] = []
        """The window's moments, and how far what moves stood out by then, in times of the threshold."""

    def begin_window(self) -> None:
        """Of the same run, or of another after ``begin_run``."""
        self._oddest.reset()
        self._oddest_look.reset()
        self._least_usual.reset()
        self.course, self._largest = [], []

    def begin_run(self) -> None:
        """Another session with the camera."""
        self._odd_s = self._tallest = None
        self._novelty.reset()
        self._shake.reset()
        self._down.reset()
        for meter in (self._heading, self._stature, self._looks):
            if meter is not None:
                meter.reset()

    def fits(self, size_px: tuple[int, int]) -> bool:
        """Whether pictures of (width, height) have the calibration's shape, and are no finer than it."""
        (width, height), known = size_px, self.calibration.flow_px
        if width > known[0] * (1.0 + _SHAPE_TOLERANCE):
            return False  # They show motion that was rounded away where it was learned.
        return height > 0 and abs(width * known[1] / (height * known[0]) - 1.0) <= _SHAPE_TOLERANCE

    def normal(self, sample: SpeedSample) -> npt.NDArray[np.float32]:
        """(rows, columns) of its grid: the upper end of normal speed, px/s at flow size."""
        return self._novelty.kinds.normal(sample.grid)

    def see(self, grey: npt.NDArray[np.uint8], run: int, pts_s: float) -> None:
        """Take in the next picture, (height, width) at flow size."""
        self._surroundings.see(grey, run, pts_s)

    def add(self, glimpse: Glimpse, visible: Sequence[Followed], look: SizeLook | None) -> None:
        """Take in the next glimpse, with the objects as they are followed at it, and what a ``look`` found."""
        sample = glimpse.sample
        if sample is not None:
            camera = glimpse.camera
            now = camera and camera.times(self.calibration.flow_px[0] / glimpse.size_px[0])
            self._shake.add(now, sample.counts_s)
        self._down.add(glimpse)
        if not self.fits(glimpse.size_px):
            return
        if sample is None and glimpse.why_not is not None:
            self._add_look(glimpse, visible)
            return
        self._novelty.add(glimpse)
        if sample is not None:
            self._largest.append((glimpse.pts_s, self._novelty.largest.tolist()))
        value, spot = self._novelty.value, self._novelty.spot
        if value is not None:
            self.course.append((glimpse.pts_s, value / max(self.calibration.novelty.threshold, 1e-9)))
            if spot is not None:
                self._oddest.note(value, spot, visible, glimpse.size_px)
        if self._heading is not None and sample is not None:
            heading = self._heading.add(sample, self.normal(sample))
            if heading is not None:
                self._least_usual.note(heading.nats, heading, visible, glimpse.size_px)
        if self._stature is not None and look is not None:
            self._tallest = self._stature.look(look.things)

    @property
    def drift(self) -> tuple[str, ...]:
        """What has changed for long, in words."""
        return self._drift.reports

    def has_just_stood_out(self, pts_s: float) -> bool:
        """What is odd is mostly fast, and lost between two looks: while it is new it gets twice as many."""
        value = self._novelty.value
        if value is None or value < self.calibration.novelty.threshold:
            self._odd_s = None
            return False
        self._odd_s = pts_s if self._odd_s is None else self._odd_s
        return 0.0 <= pts_s - self._odd_s < _NEW_S

    @property
    def stands_out(self) -> float:
        """How far what moves stood out in the last frame by itself, in times of the threshold."""
        return self._novelty.unsmoothed / max(self.calibration.novelty.threshold, 1e-9)

    def why_not(self, size_px: tuple[int, int]) -> str | None:
        """Why nothing is judged, in words; None where it is."""
        if not self.fits(size_px):
            now, known = (f"{width}x{height}" for width, height in (size_px, self.calibration.flow_px))
            return f"speed: motion is measured at {now} px, and learned at {known}: learn anew from this stream's clips"
        if self._surroundings.why_not is not None:
            return f"what is normal: {self._surroundings.why_not}"
        if self._shake.why_not is not None:
            return f"speed: {self._shake.why_not}"
        return None

    def measured(
        self, visible: Sequence[Followed], size_px: tuple[int, int], now_s: float, judged: bool
    ) -> tuple[Measurement, ...]:
        """What the window that ends at ``now_s`` measures like; nothing where it is not ``judged``."""
        self._surroundings.count([box_of(one, size_px) for one in visible if one.label == "person"], now_s)
        if not judged:
            return ()
        for pts_s, largest in self._largest:
            self._drift.take(pts_s, dict(zip(KINDS, largest, strict=True)))
        found = [*self._standing_out(visible, size_px), *self._surroundings.measured()]
        if (sizes := self.calibration.sizes) is not None:
            found = [with_size(one, sizes.model) for one in found]
        return (*found, *self._going(visible, size_px), *self._tall(visible, size_px), *self._lying())

    def looked(self, visible: Sequence[Followed], size_px: tuple[int, int]) -> tuple[Measurement, ...]:
        """What looks alone tell of a window in which pictures come too seldom for motion to be measured."""
        level, spot = self.calibration.looks, self._oddest_look.found
        if level is None or spot is None or self.why_not(size_px) is not None:
            return ()
        found = _spotted(self._oddest_look, spot, level.threshold, visible, size_px)
        return (with_size(found, self.calibration.sizes.model) if self.calibration.sizes is not None else found,)

    def _add_look(self, glimpse: Glimpse, visible: Sequence[Followed]) -> None:
        if self._looks is None or glimpse.look is None:
            return
        self._looks.add(glimpse)
        if self._looks.spot is not None:
            self._oddest_look.note(self._looks.value, self._looks.spot, visible, glimpse.size_px)

    def speed(self, one: Followed, size_px: tuple[int, int]) -> Measurement | None:
        """How fast it is beside what is normal at its place."""
        value = one.ratio.value
        if value is None:
            return None
        scale = self.calibration.kinds["speed"]
        return Measurement(
            name="speed",
            value=value,
            unit=UNITS["speed"],
            normal=1.0,
            score=scale.weight * (value - scale.median) / (scale.p99 - scale.median),
            threshold=self.calibration.novelty.threshold,
            box_norm=box_of(one, size_px),
            track_id=track_id(one),
        )

    def _standing_out(self, visible: Sequence[Followed], size_px: tuple[int, int]) -> list[Measurement]:
        if self._novelty.value is None:
            return []
        threshold = self.calibration.novelty.threshold
        if self._oddest.found is None:
            return [Measurement("speed", 0.0, UNITS["speed"], 1.0, 0.0, threshold)]
        return [_spotted(self._oddest, self._oddest.found, threshold, visible, size_px)]

    def _going(self, visible: Sequence[Followed], size_px: tuple[int, int]) -> list[Measurement]:
        known = self.calibration.directions
        if known is None or known.earned is None or self._least_usual.value < known.earned.threshold:
            return []
        nats, threshold = self._least_usual.value, known.earned.threshold
        box, number = self._least_usual.place(visible, size_px)
        return [
            Measurement(
                name="direction",
                value=math.exp(nats),
                unit="times as unusual as ways there are",
                normal=math.exp(threshold),
                score=nats,
                threshold=threshold,
                box_norm=box,
                track_id=number,
            )
        ]

    def _tall(self, visible: Sequence[Followed], size_px: tuple[int, int]) -> list[Measurement]:
        known, tallest = self.calibration.sizes, self._tallest
        if known is None or known.earned is None or tallest is None or tallest.size.score < known.earned.threshold:
            return []
        one = next((one for one in visible if track_id(one) == tallest.sample.thing[1]), None)
        if one is None:
            return []
        size = tallest.size
        low = size.ratio < 1.0
        value, end = (1.0 / size.ratio, 1.0 / size.normal.low) if low else (size.ratio, size.normal.high)
        return [
            Measurement(
                name="size",
                value=value,
                unit=f"times as {'low' if low else 'tall'} as is usual there",
                normal=end,
                score=size.score,
                threshold=known.earned.threshold,
                box_norm=box_of(one, size_px),
                track_id=track_id(one),
            )
        ]

    def _lying(self) -> list[Measurement]:
        known, found = self.calibration.postures, []
        for one in self._down.found.values() if known is not None else ():
            threshold_s = known.threshold_s(one.posture) if known is not None else 0.0
            if one.seconds >= threshold_s:
                score = one.seconds / threshold_s
                found.append(
                    Measurement(one.posture, one.seconds, "s", threshold_s, score, 1.0, one.box_norm, one.track_id)
                )
        return found


def _spotted(
    strongest: Strongest[Spot], spot: Spot, threshold: float, visible: Sequence[Followed], size_px: tuple[int, int]
) -> Measurement:
    """What stands out most, by the part that brings most of it."""
    first, (box, number) = spot.parts[0], strongest.place(visible, size_px)
    return Measurement(
        name=first.name,
        value=first.value,
        unit=first.unit,
        normal=first.normal,
        score=strongest.value,
        threshold=threshold,
        box_norm=box,
        track_id=number,
        parts=spot.parts,
    )
