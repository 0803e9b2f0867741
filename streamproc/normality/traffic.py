"""Where things move in a camera's normal footage: for people to look at, nothing is judged by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamproc.normality.arrays import Packed
from streamproc.normality.place import Place
from streamproc.normality.speed import SpeedSample

PLACES = (24, 18)
"""Places across and down: half a person's width in the middle distance."""
_MOVES = 0.3
"""Share of the place's normal speed below which motion is mostly the flow's error, as for directions."""


def fit_traffic(samples: Sequence[SpeedSample], place: Place) -> Packed:
    """(down, across), float16: the share of the observed time in which something moved there, 0..1."""
    across, down = PLACES
    seconds = np.zeros(across * down)
    observed_s = 0.0
    for sample in samples:
        observed_s += sample.elapsed_s
        rows, columns = sample.grid
        moves = sample.speeds > _MOVES * place.normal(sample.grid).reshape(-1)[sample.cells]
        at = sample.rows[moves] * down // rows * across + sample.columns[moves] * across // columns
        seconds[at] += sample.elapsed_s  # once a place, however many of its cells move
    shares = seconds / observed_s if observed_s > 0 else seconds
    return Packed.of(shares.reshape(down, across).astype(np.float16))
