"""What is left of a camera's pictures and windows where nothing moves, or nothing stands out."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.normality.pace import SELDOM_LOOKS
from streamproc.normality.tracks import STILL_LOOK_S
from streamproc.planning.asked import Asked
from streamproc.planning.figures import Figures
from streamproc.planning.sampled import Rates


@dataclass(frozen=True, slots=True)
class Shares:
    """Of all the time. What stands out moves, and nothing stands out where nothing moves."""

    moving: float
    out: float


@dataclass(frozen=True, slots=True)
class Paced:
    """Of one camera, a second."""

    looks: float
    """Pictures in which motion is measured; others are passed by."""
    detections: float
    kept: float
    """Windows of which a picture was looked at."""
    judged: float
    """Windows that pass the gate and are put into words."""


def shares(asked: Asked, figures: Figures) -> Shares:
    """As asked for, else as the figures assume."""
    moving = figures.moving.value if asked.moving is None else asked.moving
    out = figures.standing_out.value if asked.standing_out is None else asked.standing_out
    return Shares(moving, min(out, moving))


def paced(asked: Asked, rates: Rates, figures: Figures) -> Paced:
    """What the preset's calm looks and gates make of ``rates``."""
    normality, sampling = asked.pipeline.normality, asked.pipeline.sampling
    of, most = shares(asked, figures), rates.looked_at
    calm = most if normality.calm_looks_per_s is None else min(most, normality.calm_looks_per_s)
    often = normality.detections_per_s * figures.detect_factor.value
    seldom = often if normality.calm_looks_per_s is None else often * SELDOM_LOOKS
    still = min(1 / STILL_LOOK_S, normality.detections_per_s)
    seen = min(1.0, calm / rates.windows)  # share of calm windows with a look
    usual = figures.usual_sent.value if asked.gated else 1.0
    refreshed = min(1.0, 1 / (sampling.gate_refresh_s * rates.windows)) if sampling.gate_motion else usual
    return Paced(
        looks=of.out * most + (1 - of.out) * calm,
        detections=of.out * min(often, most)
        + (of.moving - of.out) * min(seldom, calm)
        + (1 - of.moving) * min(still, calm),
        kept=rates.windows * (of.out + (1 - of.out) * seen),
        judged=rates.windows
        * (of.out + (of.moving - of.out) * min(seen, usual) + (1 - of.moving) * min(seen, refreshed)),
    )
