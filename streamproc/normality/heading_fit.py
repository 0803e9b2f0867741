"""Which ways are gone in a camera's normal footage, and how unusual held-out parts of it find their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamproc.normality.direction import DirectionModel, fit_direction
from streamproc.normality.heading import HeadingMeter, KnownDirections
from streamproc.normality.held_out import RawSample, earned, fit_threshold
from streamproc.normality.place import Place
from streamproc.normality.speed import SpeedSample

_LEAST_NATS = math.log(2.0)
"""A way half as probable as ways there are on average; nothing nearer is worth words."""

_LEAST_BUSY_S = 40.0
"""With something moving: from 15 s of people crossing a yard the other 15 s went ways that were never gone."""
_LATE = 1.5
"""Times as many nats, from which that is worth a note; as for the one-hour level of a kind."""


def learn_directions(samples: Sequence[SpeedSample], place: Place) -> DirectionModel:
    """The ways of the normal footage's ``samples``, with speeds beside ``place``."""
    return fit_direction(samples, place.normal(samples[0].grid))


def surprises(model: DirectionModel, samples: Sequence[SpeedSample], place: Place) -> list[RawSample]:
    """What ``samples`` come to that ``model`` was not learned from."""
    meter, found = HeadingMeter(model), []
    for sample in samples:
        heading = meter.add(sample, place.normal(sample.grid))
        nats = (0.0 if heading is None else heading.nats) if len(sample.cells) else None
        found.append(RawSample(sample.run, sample.pts_s, sample.elapsed_s, nats))
    return found


def fit_directions(model: DirectionModel, folds: Sequence[Sequence[RawSample]]) -> KnownDirections:
    """``model`` of all the footage, and from when on a direction is told.

    ``folds``: the ``surprises`` of each part, by what was learned of the others.
    """
    if model.why_not:
        return KnownDirections(model=model)
    busy_s = sum(sample.elapsed_s for fold in folds for sample in fold if sample.value is not None)
    if busy_s < _LEAST_BUSY_S - 1.0:
        why = (
            f"too little to know which way is usual: {busy_s:.0f} s with something moving, {_LEAST_BUSY_S:.0f} s needed"
        )
        return KnownDirections(model=DirectionModel(why_not=why))
    found, most = fit_threshold(folds, _LEAST_NATS), HeadingMeter(model).most
    why, silent = "", found.threshold > most
    if silent:
        why = (
            f"direction is not told: a way that was never gone is {math.exp(most):.1f} times as unusual as ways "
            f"there are, and {math.exp(found.threshold):.1f} times is needed: normal footage that it was not learned "
            f"from came to {math.exp(found.held_out_max):.1f}"
        )
    elif found.threshold > _LATE * _LEAST_NATS:
        why = (
            f"direction is told late, from {math.exp(found.threshold):.1f} times as unusual as ways there are: normal "
            "footage that it was not learned from is expected to come to that once an hour"
        )
    return KnownDirections(model=model, earned=earned(found, why, silent))
