"""The embedded eyes of one camera: tracks, and how unlike its normal footage what moves is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from streamproc.config import NormalitySettings
from streamproc.normality.calibration import Calibration
from streamproc.normality.drift import Drift
from streamproc.normality.flow import ANOTHER_PICTURE, FlowMeter
from streamproc.normality.glimpse import Detector, Eyes, Glimpse
from streamproc.normality.kinds import KINDS, UNITS, Kinds
from streamproc.normality.memory import Recall
from streamproc.normality.novelty import Novelty, Spot
from streamproc.normality.picture import unpacked
from streamproc.normality.shake import Shake, most_rest
from streamproc.normality.speed import STRIDE_PX
from streamproc.normality.surroundings import Surroundings
from streamproc.normality.tracks import Followed, Tracks
from streamproc.normality.view import MOVED
from streamproc.types import Box, Frame, Measurement, ObservedWindow, Track, Window

_SHAPE_TOLERANCE = 0.02
"""Difference of the pictures' shapes, as a share, up to which a calibration holds."""
_STILL = 0.0005
"""Share of the picture that must have moved since the detector last looked for it to look again in its turn."""
_ABOUT = 0.7
"""Of a window's highest score: a moment that comes as near is as good to tell the place by."""
_NEW_S = 2.0
"""So long something that stands out is looked at more closely: four further looks tell what it is, or none will."""
_NEAR = 0.02
"""Of the picture: how far outside a track's box the oddest point may lie and still be its."""


class EmbeddedObserver:
    """Stateful, one a camera; told of its windows in order, and notices a new run by ``window.run``."""

    def __init__(
        self,
        settings: NormalitySettings,
        calibration: Calibration | None,
        detector: Detector | None,
        background: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        """Without ``calibration`` it tracks and says that nothing is judged; without ``detector`` it has no tracks.

        ``background``: what the camera shows when nothing is there, where it is known without a calibration.

        Raises:
            ConfigError: the calibration was measured otherwise than the settings say.
        """
        self._settings = settings
        known = unpacked(calibration.background) if calibration is not None else background
        grey = None if known is None else known.astype(np.float32)
        self._eyes = Eyes(FlowMeter(settings.flow_width_px, settings.flow, grey), detector)
        self._tracks = Tracks(settings)
        self._run: int | None = None
        self._size = (0, 0)
        self._moved = 0.0
        """The most that moved at once since the detector last looked, as a share of the picture."""
        self._strongest: tuple[float, Spot, int | None] | None = None
        """The window's highest score so far, where, and whose."""
        self._odd_s: float | None = None
        """Since when something stands out."""
        self._course: list[tuple[float, float]] = []
        self._calibration: Calibration | None = None
        self._sha256: str | None = None
        self._novelty: Novelty | None = None
        self._shake: Shake | None = None
        self._surroundings: Surroundings | None = None
        self._drift = Drift({})
        self._largest: list[tuple[float, list[float]]] = []
        """When something was measured in the window, and how much of each kind at most."""
        self.glimpses: tuple[Glimpse, ...] = ()
        """What the last window was taken in as."""
        self.calibrate(calibration)

    @property
    def calibration(self) -> Calibration | None:
        """What it measures by."""
        return self._calibration

    @property
    def texture_revision(self) -> str:
        """Of the model that textures are told by; empty where none does."""
        return self._eyes.revision

    @property
    def grey(self) -> npt.NDArray[np.uint8]:
        """(height, width): the last frame at flow size."""
        return self._eyes.grey

    def calibrate(self, calibration: Calibration | None) -> None:
        """Measure by ``calibration`` from the next window on; tracks go on, measurements begin anew.

        Raises:
            ConfigError: the calibration was measured otherwise than the settings say.
        """
        if calibration is not None:
            calibration.require(self._settings)
        self._calibration = calibration
        self._sha256 = calibration.sha256 if calibration is not None else None
        self._novelty = self._surroundings = self._shake = None
        self._drift = Drift(calibration.drift if calibration is not None else {})
        if calibration is not None:
            width, height = calibration.flow_px
            background = unpacked(calibration.background)
            self._surroundings = Surroundings(calibration.scene, background, width / height)
            memory = calibration.memory
            known = memory is not None and memory.detector == self.texture_revision
            kinds = Kinds(calibration.place, Recall(memory) if memory is not None and known else None)
            self._novelty = Novelty(kinds, calibration.kinds)
            normal = calibration.place.normal((height // STRIDE_PX, width // STRIDE_PX))
            self._shake = Shake(calibration.unrest_px_s + most_rest(normal), MOVED * width)
        self._tracks.forget_speeds()

    def observe(self, window: Window) -> ObservedWindow:
        """The window with its tracks and measurements.

        Raises:
            InferenceError: the detector failed; the observer can go on with the next window.
        """
        frames = [frame for burst in window.bursts for frame in burst]
        self._begin(window)
        self.glimpses = tuple([self._take(frame) for frame in frames])
        return self._told(window, self.glimpses)

    def recall(self, window: Window, glimpses: Sequence[Glimpse]) -> ObservedWindow:
        """``observe`` for a window that was taken in before, as ``glimpses``; its pictures are not looked at."""
        self._begin(window)
        for glimpse in glimpses:
            self._follow(glimpse)
        return self._told(window, glimpses)

    def _begin(self, window: Window) -> None:
        self._strongest = None
        self._course, self._largest = [], []
        if window.run == self._run:
            return
        self._run = window.run
        self._odd_s = None
        self._eyes.begin_run()
        self._tracks.begin_run()
        if self._novelty is not None:
            self._novelty.reset()
        if self._shake is not None:
            self._shake.reset()

    def _take(self, frame: Frame) -> Glimpse:
        glimpse = self._eyes.see(frame)
        odd = self._has_just_stood_out(frame.pts_s)
        moved = 1.0 if glimpse.why_not == ANOTHER_PICTURE else max(self._moved, glimpse.moved)
        wanted = self._tracks.due(frame.pts_s, closely=odd) and self._eyes.detector is not None
        if wanted and (odd or moved >= _STILL or not self._tracks.may_stay(frame.pts_s)):
            glimpse = replace(glimpse, look=self._eyes.look())
        self._follow(glimpse)
        if self._surroundings is not None and self._fits():
            self._surroundings.see(self._eyes.grey, frame.run, frame.pts_s)
        return glimpse

    def _follow(self, glimpse: Glimpse) -> None:
        self._size = glimpse.size_px
        # Nothing moved in another picture, and nothing of the last one can be taken to stand there still.
        self._moved = 1.0 if glimpse.why_not == ANOTHER_PICTURE else max(self._moved, glimpse.moved)
        novelty = self._novelty if self._fits() else None
        if glimpse.sample is not None:
            normal = novelty.kinds.normal(glimpse.sample.grid) if novelty is not None else None
            self._tracks.carry(glimpse.sample, normal)
            if self._shake is not None:
                self._shake.add(glimpse.camera, glimpse.sample.elapsed_s)
        if glimpse.look is not None:
            self._tracks.look(glimpse.pts_s, glimpse.look.detections, self._size)
            self._moved = 0.0
        else:
            if self._tracks.due(glimpse.pts_s) and self._moved < _STILL and self._tracks.may_stay(glimpse.pts_s):
                self._tracks.stay(glimpse.pts_s)
            self._tracks.advance(glimpse.pts_s)
        if novelty is not None:
            novelty.add(glimpse)
            if glimpse.sample is not None:
                self._largest.append((glimpse.pts_s, novelty.largest.tolist()))
            self._note(novelty, glimpse.pts_s)

    def _note(self, novelty: Novelty, pts_s: float) -> None:
        value, spot = novelty.value, novelty.spot
        if value is not None and self._calibration is not None:
            self._course.append((pts_s, value / max(self._calibration.novelty.threshold, 1e-9)))
        before = self._strongest[0] if self._strongest is not None else 0.0
        # Of moments that are about as odd the latest tells where it is now.
        if value is not None and spot is not None and value >= _ABOUT * before:
            self._strongest = (max(value, before), spot, self._owner(spot))

    def _has_just_stood_out(self, pts_s: float) -> bool:
        """What is odd is mostly fast, and lost between two looks: while it is new it gets twice as many."""
        value = self._novelty.value if self._novelty is not None else None
        if self._calibration is None or value is None or value < self._calibration.novelty.threshold:
            self._odd_s = None
            return False
        self._odd_s = pts_s if self._odd_s is None else self._odd_s
        return 0.0 <= pts_s - self._odd_s < _NEW_S

    def _fits(self) -> bool:
        """Whether the pictures have the calibration's shape."""
        if self._calibration is None:
            return False
        (width, height), known = self._size, self._calibration.flow_px
        return abs(width * known[1] / (height * known[0]) - 1.0) <= _SHAPE_TOLERANCE

    def _told(self, window: Window, glimpses: Sequence[Glimpse]) -> ObservedWindow:
        not_judged = self._not_judged(glimpses)
        judged = not not_judged
        for pts_s, largest in self._largest if judged else ():
            self._drift.take(pts_s, dict(zip(KINDS, largest, strict=True)))
        if self._surroundings is not None:
            people = [self._box(one) for one in self._tracks.visible() if one.label == "person"]
            self._surroundings.count(people, window.end_s)
        if self._eyes.detector is None and not any(glimpse.look for glimpse in glimpses):
            not_judged += ("objects: there is no detector",)
        return ObservedWindow(
            window=window,
            tracks=tuple(self._track(one, window.end_s, judged) for one in self._tracks.visible()),
            measurements=self._measured() if judged else (),
            motion=max(glimpse.moved for glimpse in glimpses),
            not_judged=not_judged,
            calibration_sha256=self._sha256,
            course=tuple(self._course) if judged else (),
            drift=self._drift.reports,
        )

    def _not_judged(self, glimpses: Sequence[Glimpse]) -> tuple[str, ...]:
        if all(glimpse.sample is None for glimpse in glimpses):
            reasons = Counter(glimpse.why_not for glimpse in glimpses if glimpse.why_not)
            if reasons:
                return (f"speed: {reasons.most_common(1)[0][0]}",)
            return ("speed: a single frame, needs two neighbours",)
        if self._calibration is None:
            return ("speed: this camera has no calibration; `streamproc induce` measures its normal footage",)
        if not self._fits():
            return ("speed: the picture's shape is not the calibration's",)
        if self._surroundings is not None and self._surroundings.why_not is not None:
            return (f"what is normal: {self._surroundings.why_not}",)
        if self._shake is not None and self._shake.why_not is not None:
            return (f"speed: {self._shake.why_not}",)
        return ()

    def _measured(self) -> tuple[Measurement, ...]:
        if self._calibration is None or self._novelty is None or self._surroundings is None:
            return ()
        around = self._surroundings.measured()
        if self._novelty.value is None:
            return around
        threshold = self._calibration.novelty.threshold
        if self._strongest is None:
            return (Measurement("speed", 0.0, UNITS["speed"], 1.0, 0.0, threshold), *around)
        value, spot, track_id = self._strongest
        first = spot.parts[0]
        owner = next((one for one in self._tracks.visible() if _track_id(one) == track_id), None)
        box, track_id = (spot.box_norm, None) if owner is None else (self._box(owner), track_id)
        return (
            Measurement(
                name=first.name,
                value=first.value,
                unit=first.unit,
                normal=first.normal,
                score=value,
                threshold=threshold,
                box_norm=box,
                track_id=track_id,
                parts=spot.parts,
            ),
            *around,
        )

    def _owner(self, spot: Spot) -> int | None:
        """The track that the spot is on."""
        x, y = spot.point
        inside = []
        for one in self._tracks.visible():
            x0, y0, x1, y1 = self._box(one)
            if x0 - _NEAR <= x <= x1 + _NEAR and y0 - _NEAR <= y <= y1 + _NEAR:
                inside.append((abs(x - (x0 + x1) / 2) / (x1 - x0 + _NEAR), _track_id(one)))
        return min(inside)[1] if inside else None

    def _track(self, one: Followed, now_s: float, judged: bool) -> Track:
        box, value = self._box(one), one.ratio.value
        speed = None
        if judged and self._calibration is not None and value is not None:
            scale = self._calibration.kinds["speed"]
            score = scale.weight * (value - scale.median) / (scale.p99 - scale.median)
            speed = Measurement(
                name="speed",
                value=value,
                unit=UNITS["speed"],
                normal=1.0,
                score=score,
                threshold=self._calibration.novelty.threshold,
                box_norm=box,
                track_id=_track_id(one),
            )
        return Track(_track_id(one), one.label, one.pred_score, box, max(0.0, now_s - one.first_s), speed)

    def _box(self, one: Followed) -> Box:
        width, height = self._size
        x0, y0, x1, y1 = (float(edge) for edge in np.clip(one.box_px / (width, height, width, height), 0.0, 1.0))
        return (x0, y0, x1, y1)


class FollowingObserver:
    """An observer that goes over to another calibration while it runs."""

    def __init__(self, observer: EmbeddedObserver, calibration: Callable[[], Calibration | None]) -> None:
        """``calibration`` returns the one in force; asked before each window."""
        self._observer, self._in_force = observer, calibration

    def observe(self, window: Window) -> ObservedWindow:
        """The window with its tracks and measurements.

        Raises:
            InferenceError: the detector failed; the observer can go on with the next window.
        """
        calibration = self._in_force()
        if calibration is not self._observer.calibration:
            self._observer.calibrate(calibration)
        return self._observer.observe(window)


def _track_id(one: Followed) -> int:
    return one.number + 1
