"""The passes over a camera's normal footage that learning makes: measured, put into words, judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import structlog

from streamproc.assembly import unit_settings
from streamproc.backends import Backends
from streamproc.camera import UnitSettings
from streamproc.config import CameraSettings
from streamproc.deduction.deducer import Deducer
from streamproc.errors import ModelError
from streamproc.footage import EVERYTHING, NormalFootage, Part
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration, Clip
from streamproc.normality.fit import fit_recorded
from streamproc.normality.flow import grey_of
from streamproc.normality.observer import EmbeddedObserver
from streamproc.normality.recording import Progress, Recorded, record
from streamproc.normality.scene_fit import SceneLearner
from streamproc.perception.captioner import Captioner
from streamproc.rules.induction import Induction
from streamproc.rules.learned import rule_set
from streamproc.rules.matching import Matcher
from streamproc.runtime.clock import Clock
from streamproc.secrets import redact
from streamproc.site import LoadedSite
from streamproc.types import Caption, ObservedWindow, Window

log = structlog.get_logger(__name__)

LOST_AT_MOST = 0.1
"""Share of the windows that may be lost to a model's failures; beyond it what is learned would not be what was seen."""
_LOST_ANYWAY = 3


class Learning:
    """One camera's induction."""

    def __init__(self, loaded: LoadedSite, camera: CameraSettings, clips: Sequence[Path], clock: Clock) -> None:
        self._loaded, self._camera, self._clock = loaded, camera, clock
        self._settings: UnitSettings = unit_settings(loaded, camera)
        self._footage = NormalFootage(clips, self._settings, clock)
        self._backends = Backends(loaded.pipeline, ModelStore(), clock)
        self._inducer = self._backends.inducer()
        self._scene = SceneLearner()
        self._recorded = Recorded(camera.id, (), np.zeros((1, 1), np.uint8), "")
        self._asked = 0
        self.lost = 0
        """Windows that the captioner failed on."""

    def close(self) -> None:
        """Let go of model servers."""
        self._backends.close()

    def durations(self) -> list[float]:
        """Seconds of each clip, all of it decoded: a damaged clip is noticed before anything is learned."""
        width_px = self._settings.normality.flow_width_px

        def look(window: Window) -> None:
            frame = window.last
            self._scene.add(grey_of(frame, width_px), frame.run, frame.pts_s)

        return self._footage.durations(look)

    def record(self, progress: Progress) -> None:
        """Look at the footage, once for all that is learned from it; after ``durations``.

        Raises:
            InferenceError: the detector failed.
        """
        background = self._scene.background()
        self._recorded = record(
            self._footage.windows(),
            self._settings.normality,
            self._backends.detector,
            background,
            progress,
            self._backends.pose,
        )

    def calibration(self, clips: Sequence[Clip], part: Part = EVERYTHING) -> Calibration:
        """What normal measures like.

        Raises:
            ConfigError: too little moves in the footage.
        """
        recorded, scene = self._recorded.part(part.first, part.end), None
        if part == EVERYTHING:
            scene = self._scene.learned(recorded.background, recorded.people)
        return fit_recorded(recorded, self._settings.normality, learned_at=self._clock.now(), clips=clips, scene=scene)

    def observed(self, calibration: Calibration, part: Part = EVERYTHING) -> Iterator[ObservedWindow]:
        """The footage beside a calibration."""
        observer = EmbeddedObserver(self._settings.normality, calibration, self._backends.detector)
        glimpses = self._recorded.windows[part.first : part.end]
        # Footage beyond what was taken in is not learned from.
        return map(observer.recall, self._footage.windows(part), glimpses)

    def require_model_server(self) -> None:
        """Ask the servers that put windows into words and write rules, if there are any, whether they can.

        Before minutes of decoding, not after them.

        Raises:
            ConfigError: it is the wrong one.
            InferenceError: it cannot be reached.
        """
        for server in (self._backends.servers.get("perception"), self._backends.writer):
            if server is not None:
                server.check()

    def captions(self, observed: Iterator[ObservedWindow]) -> list[Caption | None]:
        """The footage in words; None for a window that the model failed on.

        Raises:
            ModelError: it failed on too many.
        """
        captioner = self._backends.captioner(self._camera)
        return [self._caption(captioner, one) for one in observed]

    def induce(self, captions: Sequence[Caption | None]) -> Induction:
        """Rules from the words.

        Raises:
            ConfigError: there are too few.
            InferenceError: the language model that writes rules does not answer, or not usably.
        """
        return self._inducer.induce([caption for caption in captions if caption is not None])

    def scores(self, induction: Induction, observed: Iterator[ObservedWindow]) -> list[float]:
        """The smoothed scores that the rules give the footage.

        Raises:
            ModelError: the captioner failed on too many windows.
        """
        settings = self._loaded.pipeline.deduction
        site, camera = self._loaded.settings.site.id, self._camera
        rules = rule_set(induction, site, camera.id)
        matcher = Matcher(rules, self._backends.embedder, settings.semantic_threshold)
        captioner = self._backends.captioner(camera)
        deducer = Deducer(settings, zones=camera.zones)
        smoothed = []
        for one in observed:
            caption = self._caption(captioner, one)
            if caption is None:
                continue
            matches = matcher.match(caption, one.window.captured_at, camera.timezone)
            smoothed.append(deducer.decide(one, caption, matches, rules).smoothed)
        return smoothed

    def _caption(self, captioner: Captioner, observed: ObservedWindow) -> Caption | None:
        self._asked += 1
        try:
            return captioner.caption(observed)
        except ModelError as error:
            self.lost += 1
            log.warning("window_lost", camera=self._camera.id, error=redact(str(error)))
            if self.lost > max(_LOST_ANYWAY, LOST_AT_MOST * self._asked):
                raise
            return None
