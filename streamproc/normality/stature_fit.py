"""How large things are in a camera's normal footage, and how unusual held-out parts of it find their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, pairwise

from streamproc.normality.held_out import RawSample, earned, fit_threshold
from streamproc.normality.size import SizeModel, fit_size
from streamproc.normality.stature import KnownSizes, SizeLook, StatureMeter

_FOLDS = 4
_LEAST_SCORE = 1.0
"""The end of what single boxes had."""
_MOST_TIMES = 3.0
"""The usual height: a child that is told only at a third, or a giant, is nothing that a camera meets."""


def fit_sizes(looks: Sequence[SizeLook]) -> KnownSizes:
    """From the normal footage's ``looks``, in order; each quarter is held against the other three."""
    model = _model(looks)
    if model.why_not:
        return KnownSizes(model=model)
    bounds = [len(looks) * at // _FOLDS for at in range(_FOLDS + 1)]
    folds = [_scores(_model([*looks[:first], *looks[end:]]), looks[first:end]) for first, end in pairwise(bounds)]
    if not any(sample.value is not None for fold in folds for sample in fold):
        return KnownSizes(model=SizeModel(why_not="nothing is seen whole for long enough to hold its size against"))
    found = fit_threshold(folds, _LEAST_SCORE)
    low, high = _told_from(model, found.threshold)
    why, silent = "", max(1.0 / low, high) > _MOST_TIMES
    if silent or found.threshold > _LEAST_SCORE:
        why = (
            f"size is {'not told' if silent else 'told late'}: only what is {low:.1f} or {high:.1f} times as tall as "
            "usual differs from what normal footage, that it was not learned from, comes to once an hour"
        )
    return KnownSizes(model=model, earned=earned(found, why, silent))


def _model(looks: Sequence[SizeLook]) -> SizeModel:
    return fit_size(list(chain.from_iterable(look.things for look in looks)))


def _scores(model: SizeModel, looks: Sequence[SizeLook]) -> list[RawSample]:
    meter, found = StatureMeter(model), []
    run: int | None = None
    before_s = 0.0
    for look in looks:
        if look.run != run:
            run, before_s = look.run, look.pts_s
            meter.reset()
        stature = meter.look(look.things)
        found.append(RawSample(look.run, look.pts_s, look.pts_s - before_s, stature.size.score if stature else None))
        before_s = look.pts_s
    return found


def _told_from(model: SizeModel, threshold: float) -> tuple[float, float]:
    """Times the usual height, below and above, at which a thing of the widest class is told."""
    ranges = [known.ranges["height"] for known in model.classes.values()]
    low = min(one.low for one in ranges)
    high = max(one.high for one in ranges)
    return math.exp(threshold * math.log(low)), math.exp(threshold * math.log(high))
