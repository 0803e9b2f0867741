"""How often to look: seldom while nothing stands out, at every frame as soon as something begins to.

The calibration holds at both paces. A seldom look measures motion between two neighbouring frames as any other does,
and speaks for no longer than the time between them (``SpeedSample.counts_s``): what stands out while looks are seldom
rises as if the frames between had not been there, and no further than it did in the normal footage.
"""

from __future__ import annotations

import math

WAKES_AT = 0.33
"""Times the threshold, of a single frame, from which every frame is looked at: a frame in twenty-five of normal footage
that the calibration had not seen comes to it."""
AWAKE_S = 0.5
"""So long every frame is looked at after the last that woke: with a second, a tenth more processor time goes into
normal footage, with two half as much again, and nothing was found sooner."""
SELDOM_LOOKS = 0.5
"""How often detector and pose model look meanwhile, in times of their own rates."""
SELDOM_ASKED = 1
"""People whose posture is asked about at one of these looks. Walkers have odd boxes often enough for three to be asked
about, which then costs as much as the detector; who is found to lie or crouch wakes."""
IN_VAIN = 10
"""So many looks in a row at which frames before were missing are taken for load that costs the camera frames, and not
answered by more looks; further ones are the camera's own way."""
_EARLY_S = 0.02
"""A look may come this much early: cameras' clocks jitter."""


class Pace:
    """Of one camera and run; told of what each look found."""

    def __init__(self, calm_looks_per_s: float | None) -> None:
        """``calm_looks_per_s``: looks a second while nothing stands out; None for every frame, always."""
        self._every_s = 0.0 if calm_looks_per_s is None else 1.0 / calm_looks_per_s - _EARLY_S
        self.begin_run()

    def begin_run(self) -> None:
        """Nothing is known yet: every frame is looked at."""
        self._looked_s = self._woke_s = -math.inf
        self._run_began = True
        self._in_vain = 0

    def awake(self, pts_s: float) -> bool:
        """Whether every frame is looked at, as of ``pts_s``."""
        return not self._every_s or self._run_began or 0.0 <= pts_s - self._woke_s <= AWAKE_S

    def wants(self, pts_s: float) -> bool:
        """Whether to look at the frame of ``pts_s``."""
        return self.awake(pts_s) or not 0.0 <= pts_s - self._looked_s < self._every_s

    def looked(self, pts_s: float, stands_out: float | None) -> None:
        """The frame of ``pts_s`` was looked at; how far something ``stands_out`` in it, in times of the threshold, None
        where that could not be judged."""
        self._looked_s, self._run_began = pts_s, False
        if stands_out is None or stands_out >= WAKES_AT:
            self._woke_s = pts_s
        if stands_out is not None:
            self._in_vain = 0

    def looked_in_vain(self, pts_s: float) -> None:
        """As ``looked``, where nothing could be measured because the frames before are missing: the next one tells."""
        self._in_vain += 1
        if self._in_vain > IN_VAIN:
            self.looked(pts_s, None)
