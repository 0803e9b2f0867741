"""Normal footage as the embedded eyes took it in: looked at once, learned from as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import structlog

from streamproc.config import NormalitySettings
from streamproc.normality.glimpse import Detector, Glimpse
from streamproc.normality.observer import EmbeddedObserver
from streamproc.types import Window

log = structlog.get_logger(__name__)

MOST_S = 3600.0
"""Of footage: about 500 MB of what was taken in."""
_MOST_PICTURES = 120
"""That the background is the median of: what stands still for a tenth of the footage leaves no trace."""

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

    def part(self, first: int, end: int) -> Recorded:
        """The windows from ``first`` on, before ``end``."""
        return replace(self, windows=self.windows[first:end])


class BackgroundLearner:
    """The median of pictures spread evenly over footage of any length."""

    def __init__(self) -> None:
        self._pictures: list[_Grey] = []
        self._every, self._seen = 1, 0

    def add(self, grey: _Grey) -> None:
        """Take in the next picture, (height, width); one of another size begins anew."""
        if self._pictures and self._pictures[0].shape != grey.shape:
            self._pictures, self._every, self._seen = [], 1, 0
        if self._seen % self._every == 0:
            self._pictures.append(grey)
        self._seen += 1
        if len(self._pictures) > _MOST_PICTURES:
            del self._pictures[1::2]
            self._every *= 2

    def learned(self) -> _Grey:
        """(height, width).

        Raises:
            ValueError: there was no picture.
        """
        if not self._pictures:
            raise ValueError("no picture to learn a background from")
        return np.asarray(np.median(np.stack(self._pictures), axis=0).round(), np.uint8)


def record(
    windows: Iterable[Window],
    settings: NormalitySettings,
    detector: Detector | None,
    background: _Grey | None = None,
    progress: Progress | None = None,
) -> Recorded:
    """Take in the ``windows`` of normal footage, in order; each clip a run of its own.

    ``background``, if it is known before, tells what moves from what stands from the first picture on.

    Raises:
        InferenceError: the detector failed.
    """
    observer = EmbeddedObserver(settings, None, detector, background)
    learner = BackgroundLearner()
    taken: list[tuple[Glimpse, ...]] = []
    camera_id, seen_s = "", 0.0
    for window in windows:
        observer.observe(window)
        taken.append(observer.glimpses)
        camera_id = window.camera_id
        if background is None:
            learner.add(observer.grey)
        seen_s += sum(one.sample.elapsed_s for one in observer.glimpses if one.sample is not None)
        if progress:
            progress(seen_s)
        if seen_s > MOST_S:
            log.warning("calibration_full", observed_s=round(seen_s), reason="longer footage is not taken in")
            break
    if background is None:
        background = learner.learned() if taken else np.zeros((1, 1), np.uint8)
    return Recorded(camera_id, tuple(taken), background, observer.texture_revision)
