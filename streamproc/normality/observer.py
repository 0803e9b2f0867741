"""The embedded eyes of one camera: tracks, and speed beside what is normal at its place."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from streamproc.config import NormalitySettings
from streamproc.normality.calibration import Calibration, Scale
from streamproc.normality.flow import ANOTHER_PICTURE, FlowMeter, Motion
from streamproc.normality.smoothing import HOLD_S, Smoother
from streamproc.normality.speed import STRIDE_PX, HotSpot, hottest, measure_speed
from streamproc.normality.tracks import Detector, Followed, Tracks
from streamproc.types import Box, Frame, Measurement, ObservedWindow, Track, Window, on_host

SPEED_UNIT = "times the normal speed here"
_SHAPE_TOLERANCE = 0.02
"""Difference of the pictures' shapes, as a share, up to which a calibration holds."""
_STILL = 0.0005
"""Share of the picture that must have moved since the detector last looked for it to look again in its turn."""
_NEAR = 0.02
"""Of the picture: how far outside a track's box the fastest point may lie and still be its."""


class EmbeddedObserver:
    """Stateful, one a camera; told of its windows in order, and notices a new run by ``window.run``."""

    def __init__(self, settings: NormalitySettings, calibration: Calibration | None, detector: Detector | None) -> None:
        """Without ``calibration`` it tracks and says that speed is not judged; without ``detector`` it has no tracks.

        Raises:
            ConfigError: the calibration was measured at another flow width.
        """
        self._settings = settings
        self._detector = detector
        self._meter = FlowMeter(settings.flow_width_px)
        self._tracks = Tracks(settings)
        self._smoother = Smoother()
        self._spots: deque[tuple[HotSpot, int | None]] = deque()
        self._run: int | None = None
        self._size = (0, 0)
        self._moved = 0.0
        """The most that moved at once since the detector last looked, as a share of the picture."""
        self._normal: npt.NDArray[np.float32] | None = None
        self._calibration: Calibration | None = None
        self._sha256: str | None = None
        self.calibrate(calibration)

    @property
    def calibration(self) -> Calibration | None:
        """What it measures by."""
        return self._calibration

    def calibrate(self, calibration: Calibration | None) -> None:
        """Measure by ``calibration`` from the next window on; tracks go on, measurements begin anew.

        Raises:
            ConfigError: the calibration was measured at another flow width.
        """
        if calibration is not None:
            calibration.require_flow_width(self._settings.flow_width_px)
        self._calibration = calibration
        self._sha256 = calibration.sha256 if calibration is not None else None
        self._normal = self._normal_for(*self._size) if all(self._size) else None
        self._smoother.reset()
        self._spots.clear()
        self._tracks.forget_speeds()

    def observe(self, window: Window) -> ObservedWindow:
        """The window with its tracks and measurements.

        Raises:
            InferenceError: the detector failed; the observer can go on with the next window.
        """
        if window.run != self._run:
            self._begin_run(window.run)
        frames = [frame for burst in window.bursts for frame in burst]
        motions = [self._take(frame, is_last=frame is frames[-1]) for frame in frames]
        not_judged = self._not_judged(motions)
        judged = not not_judged
        if self._detector is None:
            not_judged += ("objects: there is no detector",)
        return ObservedWindow(
            window=window,
            tracks=tuple(self._track(one, window.end_s, judged) for one in self._tracks.visible()),
            measurements=self._speed() if judged else (),
            motion=max(motion.moved for motion in motions),
            not_judged=not_judged,
            calibration_sha256=self._sha256,
        )

    def _begin_run(self, run: int) -> None:
        self._run = run
        self._meter.begin_run()
        self._tracks.begin_run()
        self._smoother.reset()
        self._spots.clear()

    def _take(self, frame: Frame, *, is_last: bool) -> Motion:
        motion = self._meter.add(frame)
        height, width = motion.foreground.shape
        if (width, height) != self._size:
            self._size = (width, height)
            self._normal = self._normal_for(width, height)
        sample = measure_speed(motion, frame.run)
        if sample is not None:
            self._tracks.carry(sample, self._normal)
        # What is fast is lost between two looks, and what is about to be told gets a look of its own.
        fast = self._stands_out()
        # Nothing moved in another picture, and nothing of the last one can be taken to stand there still.
        self._moved = 1.0 if motion.why_not == ANOTHER_PICTURE else max(self._moved, motion.moved)
        wanted = self._tracks.due(frame.pts_s, closely=fast) or (fast and is_last)
        wanted = wanted and self._detector is not None and frame.pts_s > self._tracks.told_s
        if wanted and not fast and self._moved < _STILL and self._tracks.stay(frame.pts_s):
            wanted = False
        if self._detector is not None and wanted:
            self._tracks.look(frame.pts_s, self._detector.detect(on_host(frame.picture)), self._size)
            self._moved = 0.0
        else:
            self._tracks.advance(frame.pts_s)
        if sample is not None and self._normal is not None:
            spot = hottest(sample, self._normal)
            self._smoother.add(motion.pts_s, spot.ratio if spot else 0.0)
            if spot:
                self._spots.append((spot, self._whose(spot)))
            while self._spots and self._spots[0][0].pts_s < motion.pts_s - 2 * HOLD_S:
                self._spots.popleft()
        return motion

    def _stands_out(self) -> bool:
        value = self._smoother.value
        if self._calibration is None or value is None:
            return False
        scale = self._calibration.scales["speed"]
        return scale.score(value) >= scale.threshold

    def _normal_for(self, width: int, height: int) -> npt.NDArray[np.float32] | None:
        if self._calibration is None:
            return None
        known = self._calibration.flow_px
        if abs(width * known[1] / (height * known[0]) - 1.0) > _SHAPE_TOLERANCE:
            return None
        return self._calibration.place.normal((-(-height // STRIDE_PX), -(-width // STRIDE_PX)))

    def _not_judged(self, motions: list[Motion]) -> tuple[str, ...]:
        if all(motion.velocity is None for motion in motions):
            reasons = Counter(motion.why_not for motion in motions if motion.why_not)
            if reasons:
                return (f"speed: {reasons.most_common(1)[0][0]}",)
            return ("speed: a single frame, needs two neighbours",)
        if self._calibration is None:
            return ("speed: this camera has no calibration; `streamproc induce` measures its normal footage",)
        if self._normal is None:
            return ("speed: the picture's shape is not the calibration's",)
        if self._smoother.value is None:
            return ("speed: measuring has only begun",)
        return ()

    def _speed(self) -> tuple[Measurement, ...]:
        value = self._smoother.value
        if self._calibration is None or value is None:
            return ()
        box, track_id = self._place_of_speed()
        return (_measurement(self._calibration.scales["speed"], value, box, track_id),)

    def _place_of_speed(self) -> tuple[Box | None, int | None]:
        """The track that was fastest most of the time lately, or else what moved around the fastest point."""
        if not self._spots:
            return None, None
        top = max(spot.ratio for spot, _ in self._spots)
        strong = [(spot, track_id) for spot, track_id in self._spots if spot.ratio >= 0.7 * top]
        weights: Counter[int | None] = Counter()
        for spot, track_id in strong:
            weights[track_id] += spot.ratio  # type: ignore[assignment] # a float counts as well
        visible = {_track_id(one): one for one in self._tracks.visible()}
        for track_id, _ in weights.most_common():
            if track_id in visible:
                return self._box(visible[track_id]), track_id
        return strong[-1][0].box_norm, None

    def _whose(self, spot: HotSpot) -> int | None:
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
            speed = _measurement(self._calibration.scales["speed"], value, box, _track_id(one))
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


def _measurement(scale: Scale, value: float, box: Box | None, track_id: int | None) -> Measurement:
    return Measurement(
        name="speed",
        value=value,
        unit=SPEED_UNIT,
        normal=1.0,
        score=scale.score(value),
        threshold=scale.threshold,
        box_norm=box,
        track_id=track_id,
    )
