"""The strongest moments of a recording, apart in time, with their pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from streamproc.backtest.standing_out import novelty, standing_out
from streamproc.replay import Judged
from streamproc.types import Measurement, Verdict, on_host

MOST = 6
APART_S = 1.0
"""So that they are different moments, not one told six times."""
PICTURE_PX = 480
"""Width of what is kept of a picture."""
_KEPT = 3 * MOST
"""Strongest seconds among which the ``MOST`` are found: each that is taken bars one before and one after it."""


@dataclass(frozen=True, slots=True, eq=False)
class Strong:
    """A moment of a recording."""

    at_s: float
    """Seconds into it."""
    strength: tuple[float, float]
    """The score that the moment itself and what went before it both reach, then how far measurements stand out."""
    verdict: Verdict
    threshold: float
    leading: Measurement | None
    """What stands out most."""
    picture: npt.NDArray[np.uint8]


class Strongest:
    """Told of one recording's windows in order; keeps few pictures, however long it is."""

    def __init__(self) -> None:
        self._seconds: dict[int, Strong] = {}
        """The strongest moment of each second."""

    def add(self, at_s: float, judged: Judged) -> None:
        """A window whose last picture was taken ``at_s`` into the recording; what was not judged is no moment."""
        verdict = judged.verdict
        if verdict is None or (verdict.judgement == "unknown" and not verdict.votes):
            return
        # An alarm lingers after its cause has left the picture, and one glitch is no alarm: strong is what is both.
        strength = (min(verdict.score, verdict.smoothed), novelty(judged.observed))
        second = int(at_s // APART_S)
        if second in self._seconds and self._seconds[second].strength >= strength:
            return
        leading = standing_out(judged.observed)
        picture = _small(on_host(judged.observed.window.last.picture))
        self._seconds[second] = Strong(at_s, strength, verdict, judged.threshold, leading, picture)
        if len(self._seconds) > _KEPT:
            del self._seconds[min(self._seconds, key=lambda one: self._seconds[one].strength)]

    def best(self) -> tuple[Strong, ...]:
        """At most ``MOST``, at least ``APART_S`` apart, in order of time."""
        taken: list[Strong] = []
        for one in sorted(self._seconds.values(), key=lambda one: one.strength, reverse=True):
            if len(taken) < MOST and all(abs(one.at_s - other.at_s) >= APART_S - 1e-6 for other in taken):
                taken.append(one)
        return tuple(sorted(taken, key=lambda one: one.at_s))


def _small(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = picture.shape[:2]
    image = Image.fromarray(picture).resize(
        (PICTURE_PX, max(1, round(height * PICTURE_PX / width))), Image.Resampling.LANCZOS
    )
    return np.asarray(image)
