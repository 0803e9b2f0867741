"""Who rides: a person and what carries them are found as two things, one over the other, that move together."""

from __future__ import annotations

from collections.abc import Iterable

from streamproc.types import Box, Track

RIDDEN = frozenset({"bicycle", "motorcycle", "skateboard"})
_SHARED = 0.3
"""Of the smaller box, in the other: of a rider and a bicycle .43 to .64 (UCSD Ped2), of who walks past .06."""
_ALIKE = 1.5
"""Times the slower's speed that the faster may have: who rides and what is ridden differ by a tenth."""


def mount(person: Track, things: Iterable[Track]) -> Track | None:
    """What ``person`` may be riding, or pushing: it lies under them and moves as fast; None where nothing does."""
    return next((thing for thing in things if thing.label in RIDDEN and _together(person, thing)), None)


def _together(one: Track, other: Track) -> bool:
    if one.speed is None or other.speed is None or _shared(one.box_norm, other.box_norm) < _SHARED:
        return False
    slower, faster = sorted((one.speed.value, other.speed.value))
    return faster <= _ALIKE * slower


def _shared(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(0.0, wide) * max(0.0, high) / smaller if smaller > 0.0 else 0.0
