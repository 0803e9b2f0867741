"""Normal footage as the embedded eyes took it in: looked at once, learned from as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import structlog

from streamproc.config import NormalitySettings
from streamproc.normality.crowding_fit import CrowdSample
from streamproc.normality.examples import Looked, LookLearner
from streamproc.normality.flow import grey_of
from streamproc.normality.glimpse import Detector, Glimpse
from streamproc.normality.observer import EmbeddedObserver
from streamproc.normality.posture import PoseEstimator
from streamproc.normality.scene_fit import BackgroundLearner
from streamproc.normality.stature import SizeLook
from streamproc.types import ObservedWindow, Window

log = structlog.get_logger(__name__)

MOST_S = 4 * 3600.0
"""Of footage: about 1 GB of what was taken in."""

Progress = Callable[[float], None]
"""Told of the seconds of footage taken in so far."""
_Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was taken in."""

    camera_id: str
    windows: tuple[tuple[Glimpse, ...], ...]
    """The glimpses of each window, in order; each clip a run of its own."""
    background: _Grey
    """(height, width) at flow size: the median of the pictures."""
    detector: str
    """Revision of the model that textures are told by; empty where none does."""
    people: tuple[CrowdSample, ...] = ()
    """Who was visible at each window's end."""
    looks: tuple[Looked, ...] = ()
    """Some, with their pictures."""

    postures_asked: bool = False
    """Whether a pose model was there to tell of postures."""
    sizes: tuple[tuple[SizeLook, ...], ...] = ()
    """What was found at each window's looks."""

    def part(self, first: int, end: int) -> Recorded:
        """The windows from ``first`` on, before ``end``."""
        return replace(self, windows=self.windows[first:end], sizes=self.sizes[first:end])


def record(
    windows: Iterable[Window],
    settings: NormalitySettings,
    detector: Detector | None,
    background: _Grey | None = None,
    progress: Progress | None = None,
    pose: PoseEstimator | None = None,
) -> Recorded:
    """Take in the ``windows`` of normal footage, in order; each clip a run of its own.

    ``background``, if it is known before, tells what moves from what stands from the first picture on.

    Raises:
        InferenceError: the detector failed.
    """
    observer = EmbeddedObserver(settings, None, detector, background, pose)
    learner, looks = BackgroundLearner(), LookLearner()
    taken: list[tuple[Glimpse, ...]] = []
    people: list[CrowdSample] = []
    sizes: list[tuple[SizeLook, ...]] = []
    camera_id, seen_s, at = "", 0.0, (-1, 0.0)
    for window in windows:
        people.append(_people(observer.observe(window), people[-1] if people else None))
        taken.append(observer.glimpses)
        sizes.append(tuple(observer.sizes))
        _keep_looks(looks, window, observer.glimpses, settings.flow_width_px)
        camera_id = window.camera_id
        if background is None:
            learner.add(observer.grey)
        # By media time: what cannot be measured, as by night, is kept as well.
        seen_s += window.end_s - (at[1] if at[0] == window.run else window.start_s)
        at = (window.run, window.end_s)
        if progress:
            progress(seen_s)
        if seen_s > MOST_S:
            log.warning("calibration_full", observed_s=round(seen_s), reason="longer footage is not taken in")
            break
    if background is None:
        background = learner.learned() if taken else np.zeros((1, 1), np.uint8)
    revision = observer.texture_revision
    return Recorded(
        camera_id, tuple(taken), background, revision, tuple(people), looks.learned(), pose is not None, tuple(sizes)
    )


def _keep_looks(looks: LookLearner, window: Window, glimpses: tuple[Glimpse, ...], width_px: int) -> None:
    frames = [frame for burst in window.bursts for frame in burst]
    for frame, glimpse in zip(frames, glimpses, strict=True):
        texture = glimpse.look.texture if glimpse.look is not None else None
        if texture is not None and looks.wants():
            looks.add(Looked(texture, grey_of(frame, width_px)))


def _people(observed: ObservedWindow, before: CrowdSample | None) -> CrowdSample:
    window = observed.window
    same_run = before is not None and before.run == window.run
    elapsed_s = window.end_s - before.pts_s if before is not None and same_run else 0.0
    boxes = tuple(track.box_norm for track in observed.tracks if track.label == "person")
    return CrowdSample(window.run, window.end_s, elapsed_s, boxes)
