"""What of a window is farthest from normal, where, and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from streamproc.normality.tracks import Followed
from streamproc.normality.whose import box_of, owner, track_id
from streamproc.types import Box

_ABOUT = 0.7
"""Of a window's highest value: a moment that comes as near is as good to tell the place by."""


class Located(Protocol):
    """Something that was measured at a place."""

    @property
    def point(self) -> tuple[float, float]: ...
    @property
    def box_norm(self) -> Box: ...


_Where = TypeVar("_Where", bound=Located)


class Strongest(Generic[_Where]):
    """The highest value of a window, and what was there at the latest moment that came near it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Another window begins."""
        self.value = 0.0
        self.found: _Where | None = None
        self._track_id: int | None = None

    def note(self, value: float, found: _Where, visible: Sequence[Followed], size_px: tuple[int, int]) -> None:
        """Take in a moment's; of moments that are about as odd the latest tells where it is now."""
        if value >= _ABOUT * self.value:
            self.value = max(value, self.value)
            self.found, self._track_id = found, owner(found.point, visible, size_px)

    def place(self, visible: Sequence[Followed], size_px: tuple[int, int]) -> tuple[Box | None, int | None]:
        """Box and track id of whose it is, where that is still there, else the box of what was measured."""
        for one in visible:
            if track_id(one) == self._track_id:
                return box_of(one, size_px), self._track_id
        return (None if self.found is None else self.found.box_norm), None
