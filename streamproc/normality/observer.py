"""The embedded eyes of one camera: tracks, and how unlike its normal footage what moves is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from streamproc.config import NormalitySettings
from streamproc.normality.calibration import Calibration
from streamproc.normality.down import DOWN
from streamproc.normality.flow import ANOTHER_PICTURE, TOO_SLOW, FlowMeter
from streamproc.normality.glimpse import Detector, Eyes, Glimpse
from streamproc.normality.judge import Judge
from streamproc.normality.pace import SELDOM_ASKED, SELDOM_LOOKS, Pace
from streamproc.normality.picture import unpacked
from streamproc.normality.posture import PoseEstimator
from streamproc.normality.posture_watch import MOST_ASKED, PostureWatch
from streamproc.normality.size import SizeSample
from streamproc.normality.stature import SizeLook
from streamproc.normality.tracks import Followed, Tracks
from streamproc.normality.whose import box_of, track_id
from streamproc.types import Frame, ObservedWindow, Track, Window, on_host

_STILL = 0.0005
"""Share of the picture that must have moved since the detector last looked for it to look again in its turn."""


class EmbeddedObserver:
    """Stateful, one a camera; told of its windows in order, and notices a new run by ``window.run``."""

    def __init__(
        self,
        settings: NormalitySettings,
        calibration: Calibration | None,
        detector: Detector | None,
        background: npt.NDArray[np.uint8] | None = None,
        pose: PoseEstimator | None = None,
    ) -> None:
        """Without ``calibration`` it tracks and says that nothing is judged; without ``detector`` it has no tracks.

        Without ``pose`` nobody is asked how they hold the body.

        ``background``: what the camera shows when nothing is there, where it is known without a calibration.

        Raises:
            ConfigError: the calibration was measured otherwise than the settings say.
        """
        self._settings = settings
        known = unpacked(calibration.background) if calibration is not None else background
        grey = None if known is None else known.astype(np.float32)
        self._eyes = Eyes(FlowMeter(settings.flow_width_px, settings.flow, grey), detector)
        self._tracks = Tracks(settings)
        self._postures = None if pose is None else PostureWatch(pose)
        self._run: int | None = None
        self._size = (0, 0)
        self._moved = 0.0
        """The most that moved at once since the detector last looked, as a share of the picture."""
        self._judge: Judge | None = None
        """None without a calibration."""
        self._pace = Pace(settings.calm_looks_per_s)
        self.glimpses: tuple[Glimpse, ...] = ()
        """What the last window was taken in as, but for the frames that were passed by."""
        self._passed_by = 0
        """Windows since one was looked at."""
        self.sizes: list[SizeLook] = []
        """What was found at its looks."""
        self.calibrate(calibration)

    @property
    def calibration(self) -> Calibration | None:
        """What it measures by."""
        return self._judge.calibration if self._judge is not None else None

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

        What stands out is told from its background from the next run on.

        Raises:
            ConfigError: the calibration was measured otherwise than the settings say.
        """
        if calibration is not None:
            calibration.require(self._settings)
            self._eyes.know(unpacked(calibration.background).astype(np.float32))
        self._judge = None if calibration is None else Judge(calibration, self.texture_revision)
        self._tracks.forget_speeds()
        self._pace.begin_run()

    def observe(self, window: Window) -> ObservedWindow:
        """The window with its tracks and measurements, all of its frames looked at.

        Raises:
            InferenceError: the detector failed; the observer can go on with the next window.
        """
        self._begin(window)
        self.glimpses = tuple([self._take(frame) for burst in window.bursts for frame in burst])
        return self._told(window, self.glimpses)

    def watch(self, window: Window) -> ObservedWindow | None:
        """``observe`` at the pace that what stands out asks for; None where the whole window was passed by.

        Raises:
            InferenceError: as ``observe`` does.
        """
        self._begin(window)
        taken = [self._take_or_pass_by(frame) for burst in window.bursts for frame in burst]
        self.glimpses = tuple([glimpse for glimpse in taken if glimpse is not None])
        if not self.glimpses:
            self._passed_by += 1
            return None
        passed_by, self._passed_by = self._passed_by, 0
        return replace(self._told(window, self.glimpses), passed_by=passed_by)

    def recall(self, window: Window, glimpses: Sequence[Glimpse]) -> ObservedWindow:
        """``observe`` for a window that was taken in before, as ``glimpses``; its pictures are not looked at."""
        self._begin(window)
        for glimpse in glimpses:
            self._track(glimpse)
            self._judged(glimpse)
        return self._told(window, glimpses)

    def _begin(self, window: Window) -> None:
        self.sizes = []
        if self._judge is not None:
            self._judge.begin_window()
        if window.run == self._run:
            return
        self._run = window.run
        self._eyes.begin_run()
        self._tracks.begin_run()
        self._pace.begin_run()
        if self._postures is not None:
            self._postures.begin_run()
        if self._judge is not None:
            self._judge.begin_run()

    def _take_or_pass_by(self, frame: Frame) -> Glimpse | None:
        if self._pace.wants(frame.pts_s):
            glimpse = self._take(frame)
            if self._judge is not None and glimpse.why_not is not None and glimpse.why_not.endswith(TOO_SLOW):
                self._pace.looked_in_vain(frame.pts_s)
            else:
                self._pace.looked(frame.pts_s, self._stands_out(glimpse))
            return glimpse
        self._eyes.pass_by(frame)
        self._see(frame)
        return None

    def _stands_out(self, glimpse: Glimpse) -> float | None:
        """In times of the threshold; None where nothing is judged."""
        judge = self._judge
        if judge is None or glimpse.sample is None or judge.why_not(glimpse.size_px) is not None:
            return None
        down = any(look.posture is not None and look.posture.kind in DOWN for look in glimpse.postures)
        return 1.0 if down else judge.stands_out

    def _take(self, frame: Frame) -> Glimpse:
        glimpse = self._eyes.see(frame)
        odd = self._judge is not None and self._judge.has_just_stood_out(frame.pts_s)
        awake = odd or self._pace.awake(frame.pts_s)
        times = 2.0 if odd else 1.0 if awake else SELDOM_LOOKS
        moved = 1.0 if glimpse.why_not == ANOTHER_PICTURE else max(self._moved, glimpse.moved)
        wanted = self._tracks.due(frame.pts_s, times) and self._eyes.detector is not None
        if wanted and (odd or moved >= _STILL or not self._tracks.may_stay(frame.pts_s)):
            glimpse = replace(glimpse, look=self._eyes.look())
        self._track(glimpse)
        if self._postures is not None and self._postures.due(frame.pts_s, min(times, 1.0)):
            people = [(track_id(p), box_of(p, self._size)) for p in self._tracks.visible() if p.label == "person"]
            most = MOST_ASKED if awake else SELDOM_ASKED
            postures = self._postures.look(on_host(frame.picture), frame.pts_s, people, glimpse.sample, most)
            glimpse = replace(glimpse, postures=postures) if postures else glimpse
        self._judged(glimpse)
        self._see(frame)
        return glimpse

    def _see(self, frame: Frame) -> None:
        high, wide = self._eyes.grey.shape
        if self._judge is not None and self._judge.fits((wide, high)):
            self._judge.see(self._eyes.grey, frame.run, frame.pts_s)

    def _track(self, glimpse: Glimpse) -> None:
        self._size = glimpse.size_px
        # Nothing moved in another picture, and nothing of the last one can be taken to stand there still.
        self._moved = 1.0 if glimpse.why_not == ANOTHER_PICTURE else max(self._moved, glimpse.moved)
        if glimpse.sample is not None:
            judge = self._judge if self._judge is not None and self._judge.fits(self._size) else None
            self._tracks.carry(glimpse.sample, None if judge is None else judge.normal(glimpse.sample))
        if glimpse.look is not None:
            self._tracks.look(glimpse.pts_s, glimpse.look.detections, self._size)
            self._moved = 0.0
        else:
            if self._tracks.due(glimpse.pts_s) and self._moved < _STILL and self._tracks.may_stay(glimpse.pts_s):
                self._tracks.stay(glimpse.pts_s)
            self._tracks.advance(glimpse.pts_s)

    def _judged(self, glimpse: Glimpse) -> None:
        visible, look = self._tracks.visible(), None
        if glimpse.look is not None:
            look = SizeLook(glimpse.run, glimpse.pts_s, self._things(glimpse.run, visible))
            self.sizes.append(look)
        if self._judge is not None:
            self._judge.add(glimpse, visible, look)

    def _things(self, run: int, visible: Sequence[Followed]) -> tuple[SizeSample, ...]:
        return tuple(SizeSample((run, track_id(one)), one.label, box_of(one, self._size)) for one in visible)

    def _told(self, window: Window, glimpses: Sequence[Glimpse]) -> ObservedWindow:
        not_judged, judge = self._not_judged(glimpses), self._judge
        judged = not not_judged or self._is_first_look(glimpses)
        if self._eyes.detector is None and not any(glimpse.look for glimpse in glimpses):
            not_judged += ("objects: there is no detector",)
        elif judge is not None:
            not_judged += judge.unmeasured
        visible = self._tracks.visible()
        measured = () if judge is None else judge.measured(visible, self._size, window.end_s, judged)
        if judge is not None and not judged and not measured:
            measured = judge.looked(visible, self._size)
        return ObservedWindow(
            window=window,
            tracks=tuple(self._told_of(one, window.end_s, judged) for one in visible),
            measurements=measured,
            motion=max(glimpse.moved for glimpse in glimpses),
            not_judged=not_judged,
            calibration_sha256=None if judge is None else judge.sha256,
            course=tuple(judge.course) if judge is not None and judged else (),
            drift=() if judge is None else judge.drift,
        )

    def _not_judged(self, glimpses: Sequence[Glimpse]) -> tuple[str, ...]:
        if all(glimpse.sample is None for glimpse in glimpses):
            reasons = Counter(glimpse.why_not for glimpse in glimpses if glimpse.why_not)
            if reasons:
                return (f"speed: {reasons.most_common(1)[0][0]}",)
            return ("speed: a single frame, needs two neighbours",)
        if self._judge is None:
            return ("speed: this camera has no calibration; `streamproc induce` measures its normal footage",)
        why_not = self._judge.why_not(self._size)
        return () if why_not is None else (why_not,)

    def _is_first_look(self, glimpses: Sequence[Glimpse]) -> bool:
        """Whether a run begins: motion is not known yet, and looks count as they do between two frames."""
        begins = all(glimpse.sample is None and glimpse.why_not is None for glimpse in glimpses)
        return begins and self._judge is not None and self._judge.why_not(self._size) is None

    def _told_of(self, one: Followed, now_s: float, judged: bool) -> Track:
        speed = self._judge.speed(one, self._size) if self._judge is not None and judged else None
        age_s = max(0.0, now_s - one.first_s)
        return Track(track_id(one), one.label, one.pred_score, box_of(one, self._size), age_s, speed)
