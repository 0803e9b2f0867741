"""A camera's named areas: which one a box stands in, and which ones words speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from streamproc.config import Area
from streamproc.types import Box

_WORD = re.compile(r"[^\W_]+")


def area_of(box: Box, areas: Sequence[Area]) -> Area | None:
    """The first area that holds the foot point of ``box`` (the middle of its lower edge); None outside all."""
    x, y = (box[0] + box[2]) / 2, box[3]
    return next((area for area in areas if _holds(area, x, y)), None)


def in_words(name: str) -> str:
    """``loading dock`` for the area ``loading-dock``."""
    return name.replace("_", " ").replace("-", " ")


def named(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the areas' ``names`` that ``text`` speaks of, in its order.

    Names are met as whole words, the longest first: who is at the back gate is not at the gate.
    """
    said = _spaced(text)
    found: dict[str, int] = {}
    for name in sorted(set(names), key=lambda name: (-len(name), name)):
        words = _spaced(name)
        if (at := said.find(words)) >= 0:
            found[name] = at
            said = said.replace(words, f" {'.' * (len(words) - 2)} ")
    return tuple(sorted(found, key=found.__getitem__))


def _holds(area: Area, x: float, y: float) -> bool:
    """Whether a ray from the point to the right crosses the polygon's border an odd number of times."""
    inside = False
    corners = area.polygon
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            inside = not inside
    return inside


@lru_cache(maxsize=4096)
def _spaced(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "
