"""Whether the camera still shows what was learned: neither moved, nor covered, nor out of focus, nor in the dark.

A small picture of the place, the median over the normal footage, is kept beside the calibration. Live pictures are
compared with it by their structure (``structure.py``), so that light, weather and passing objects do not count.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from streamproc.normality.structure import Alignment, Grey, align, coarse, likeness, lost, sharpness, structure
from streamproc.normality.view_reference import ALIKE, MOST_LOST, Recent, ViewReference

HOLD_S = 2.0
"""A reason is given, and taken back, once it held for as long."""
_SEARCH_S = 10.0
_CHANGED = 0.05
"""A search costs fifteen times a comparison: again after so long, or when likeness changed by so much."""
MOVED = 0.022
"""Share of the width by which some part of the picture must have moved: half a window that speed is averaged over, so
what is nearer still meets its own place."""
_BETTER = 0.1
"""By which an alignment must surpass the likeness as it is: twice the spread of unlike pictures' likeness, .05."""
_BLURRED = 0.5
"""Of the least sharpness the footage had: the finest octave is gone, as if the picture had half its size."""
_DARK_LEVEL = 30.0
"""Grey level that a twentieth of the picture must reach, as for flow."""


class View:
    """Compares one camera's pictures with what was learned, told of each in order."""

    def __init__(self, reference: ViewReference | None) -> None:
        """Without ``reference`` only darkness is noticed."""
        self._reference = reference
        self._known = structure(reference.grey.astype(np.float32)) if reference else None
        self._recent = Recent()
        self._searched_s, self._searched_at = -math.inf, 1.0
        self._alignment: Alignment | None = None
        self._candidate: tuple[str | None, float] = (None, -math.inf)
        """The kind of what was last found, and since when."""
        self._kind: str | None = None
        self.why_not: str | None = None
        """Why nothing is to be measured, in words; None where the view is as it was learned."""

    def add(self, grey: npt.NDArray[np.uint8] | Grey, pts_s: float) -> str | None:
        """``why_not`` as of ``grey`` (height, width), 0..255, at flow size or larger.

        Nothing between checks; 6 ms at each (two a second), 60 ms where a lower likeness than ever in the footage must
        be explained (every ten seconds while it lasts).
        """
        picture = self._recent.add(grey, pts_s)
        if picture is None:
            return self.why_not
        kind, text = self._judge(picture, pts_s)
        if kind != self._candidate[0] or pts_s < self._candidate[1]:
            self._candidate = (kind, pts_s)
        if kind != self._kind and pts_s - self._candidate[1] >= HOLD_S:
            self._kind, self.why_not = kind, text
        return self.why_not

    def _judge(self, picture: Grey, pts_s: float) -> tuple[str | None, str | None]:
        if float(np.percentile(picture[::4, ::4], 95)) < _DARK_LEVEL:
            return "dark", "the picture is too dark"
        if self._reference is None or self._known is None:
            return None, None
        live = structure(coarse(picture))
        alike = likeness(live, self._known)
        if alike >= self._reference.least_likeness:
            self._alignment = None
        elif abs(alike - self._searched_at) > _CHANGED or not 0 <= pts_s - self._searched_s < _SEARCH_S:
            self._searched_s, self._searched_at = pts_s, alike
            self._alignment = align(live, self._known)
        found = self._alignment
        if found and found.likeness > max(ALIKE, alike + _BETTER) and found.displaced > MOVED:
            return "moved", f"the camera was moved: {_said(found)}; turn it back or learn anew with `streamproc induce`"
        if sharpness(picture) < _BLURRED * self._reference.least_sharpness:
            return "blurred", "the lens is covered or out of focus"
        if lost(live, self._known) > MOST_LOST:
            return "other", "the camera shows another place than was learned, or something hides most of it"
        return None, None


def _said(found: Alignment) -> str:
    parts = []
    if abs(found.right) >= 0.01:
        parts.append(f"lies {abs(found.right):.0%} of the picture further {'right' if found.right > 0 else 'left'}")
    if abs(found.down) >= 0.01:
        parts.append(f"lies {abs(found.down):.0%} of the picture {'lower' if found.down > 0 else 'higher'}")
    if abs(found.zoom - 1.0) > 0.03:
        parts.append(f"is {found.zoom:.2g} times as large")
    if abs(found.turn_deg) > 1.0:
        parts.append(f"is turned by {abs(found.turn_deg):.2g} degrees")
    return "what it shows " + " and ".join(parts)
