"""Followed objects as they are told of: where in the picture, and which one a point is on."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.normality.tracks import Followed
from streamproc.types import Box

_NEAR = 0.02
"""Of the picture: how far outside an object's box a point may lie and still be its."""


def track_id(one: Followed) -> int:
    """From 1, within a run."""
    return one.number + 1


def box_of(one: Followed, size_px: tuple[int, int]) -> Box:
    """Normalised; ``size_px`` is (width, height) at flow size."""
    width, height = size_px
    # Plain numbers: numpy's clip takes ten times as long for four of them, and this is asked thirty times a picture.
    x0, y0, x1, y1 = one.box_px.tolist()
    return _share(x0, width), _share(y0, height), _share(x1, width), _share(y1, height)


def _share(edge_px: float, side_px: int) -> float:
    return min(1.0, max(0.0, edge_px / side_px))


def owner(point: tuple[float, float], visible: Sequence[Followed], size_px: tuple[int, int]) -> int | None:
    """Track id of the object that a normalised ``point`` is on; None where it is on none."""
    x, y = point
    inside = []
    for one in visible:
        x0, y0, x1, y1 = box_of(one, size_px)
        if x0 - _NEAR <= x <= x1 + _NEAR and y0 - _NEAR <= y <= y1 + _NEAR:
            inside.append((abs(x - (x0 + x1) / 2) / (x1 - x0 + _NEAR), track_id(one)))
    return min(inside)[1] if inside else None
