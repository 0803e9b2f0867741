"""What one look at a crop comes to, and who looks; the same for a live camera and for a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from streamproc.inspection.nouns import Floats, Pixels
from streamproc.types import Explained, ModelRef


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one of those who look says."""

    by: Literal["expert", "memory"]
    times: float
    """Its score, in times of the threshold from which it speaks of a defect."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """How far a crop is from how it should be, and where."""

    times: float
    """In times of the threshold on what all of them say together."""
    opinions: tuple[Opinion, ...]
    heat: Floats
    """(h, w) 0..1 over the crop, row 0 at its top; 0.5 is as hot as what raises an alarm."""


Key = tuple[str, str, int | None]
"""Of one thing at one camera: ``Crop.key``."""


class Words(Protocol):
    """Explains defects; ``explaining.Explaining`` does. Nothing here blocks or raises."""

    def ask(self, key: Key, thing: str, crop: Pixels, score: float, heat: Floats) -> None:
        """Have a defect explained: what the thing is called, a look at it, how far it is from normal, 0..1."""
        ...

    def told(self, key: Key) -> Explained | None:
        """The answer, once it is there."""
        ...

    def forget(self, key: Key) -> None:
        """The thing is as it should be again, or gone."""
        ...


class Inspector(Protocol):
    """Looks at crops of one thing: a camera's region, or one kind of object there."""

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """What looks."""
        ...

    @property
    def degraded(self) -> tuple[str, ...]:
        """What is missing, in words: a memory of the thing; empty where nothing is."""
        ...

    def inspect(self, crop: Pixels) -> Finding:
        """What a crop, (h, w, 3) uint8 RGB, comes to.

        Raises:
            InferenceError: a model failed on it.
        """
        ...
