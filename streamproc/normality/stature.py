"""Things that are taller or lower than things of their class are where they stand, over several looks.

Height alone is told: width and area change with swinging limbs, bags and who walks close by. On vtest they left what
earlier footage had, and height, smoothed over looks, stayed within half of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pydantic import BaseModel, ConfigDict

from streamproc.normality.earned import Earned
from streamproc.normality.size import Size, SizeModel, SizeSample

_LOOKS = 5
"""Whose median is taken: two and a half seconds, so that whoever hides a half for one second changes nothing."""
_LEAST_LOOKS = 3
_KEPT_LOOKS = 8
"""In which a thing was not found, until it is forgotten."""


class KnownSizes(BaseModel):
    """How large things are, and from when on another size is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: SizeModel
    earned: Earned | None = None
    """None where size is not judged; the model says why."""

    @property
    def why_not(self) -> str:
        """Why none is told; empty where it is."""
        return self.model.why_not or (self.earned.why if self.earned is not None and self.earned.silent else "")


@dataclass(frozen=True, slots=True)
class SizeLook:
    """The things that were found at one look."""

    run: int
    pts_s: float
    things: tuple[SizeSample, ...]


@dataclass(frozen=True, slots=True)
class Stature:
    """How high something is beside what is usual there."""

    sample: SizeSample
    size: Size


class StatureMeter:
    """Follows one camera's things, told of every look."""

    def __init__(self, model: SizeModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forget all; another run begins."""
        self._ratios: dict[tuple[tuple[int, int], str], deque[float]] = {}
        self._missed: dict[tuple[tuple[int, int], str], int] = {}

    def look(self, things: Sequence[SizeSample]) -> Stature | None:
        """Whichever is farthest from usual of ``things`` that were found now; None where none is judged."""
        found = []
        for thing in things:
            ratios = self._model.ratios(thing.label, thing.box_norm)
            if ratios is None:
                continue
            key = (thing.thing, thing.label)
            kept = self._ratios.setdefault(key, deque(maxlen=_LOOKS))
            kept.append(ratios["height"])
            self._missed[key] = 0
            if len(kept) >= _LEAST_LOOKS:
                found.append(Stature(thing, self._model.size(thing.label, "height", median(kept))))
        for key in list(self._ratios):
            self._missed[key] += 1
            if self._missed[key] > _KEPT_LOOKS:
                del self._ratios[key], self._missed[key]
        return max(found, key=lambda one: one.size.score, default=None)
