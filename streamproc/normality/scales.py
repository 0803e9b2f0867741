"""What each kind of evidence is worth on a camera, after held-out normal footage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamproc.normality.drift import DriftReference, drift_reference
from streamproc.normality.glimpse import Glimpse
from streamproc.normality.held_out import RawSample, fit_threshold, median_and_p99
from streamproc.normality.kinds import KINDS, Kind, Kinds, evenness, largest
from streamproc.normality.novelty import KindScale, Novelty

_LEAST_MOMENTS = 20
"""In which a kind must have been measured: fewer have no 99th percentile to speak of. Ten seconds of looks."""
_MOVING = 0.8
"""Times the normal speed from which motion is brisk enough for its evenness to be that of a walk."""
_LEAST_CELLS = 8
"""Places in a frame that must move so: fewer are part of a body."""
_DRIFTS: tuple[Kind, ...] = ("speed", "appearance")
"""Kinds that are watched over hours; glide is speed again, less what the limbs swing."""
_RELIABLE = 1.5
"""One-hour level of a kind by itself up to which it counts in full. Where normal footage keeps to one distribution the
level lies near its 99th percentile, 1; one and a half is what a fold more or less makes of it."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A stretch of footage, and measures that were learned from the rest of it."""

    glimpses: Sequence[Glimpse]
    kinds: Kinds


def fit_kinds(folds: Sequence[Fold]) -> dict[Kind, KindScale]:
    """The scale and the weight of each kind that was measured.

    A kind must earn its weight: what comes far above its own 99th percentile on normal footage that it was not scaled
    for counts less, as far as it does.
    """
    highest = np.concatenate([_all_largest(fold) for fold in folds])
    scales: dict[Kind, KindScale] = {}
    for i, kind in enumerate(KINDS):
        seen = highest[highest[:, i] > 0, i]  # NaN is not above 0
        if len(seen) >= _LEAST_MOMENTS:
            middle, high = median_and_p99(seen.tolist())
            scales[kind] = KindScale(median=middle, p99=high, one_hour_level=0.0)
    alone: list[list[list[RawSample]]] = [[] for _ in KINDS]
    for fold in folds:
        for i, series in enumerate(_by_kind(fold.glimpses, Novelty(fold.kinds, scales))):
            alone[i].append(series)
    fitted = {
        kind: _weighed(kind, scales[kind], fit_threshold(alone[i], 0.0).one_hour_level)
        for i, kind in enumerate(KINDS)
        if kind in scales
    }
    if "glide" in fitted:
        fitted["glide"] = fitted["glide"].model_copy(update={"evenness": _upper_evenness(folds)})
    return fitted


def fit_drift(folds: Sequence[Fold]) -> dict[str, DriftReference]:
    """What slow change is told by: each kind's largest values in each fold, where all folds measured enough."""
    references: dict[str, DriftReference] = {}
    pieces = [_all_largest(fold) for fold in folds]
    for kind in _DRIFTS:
        seen = [values[values > 0] for values in (piece[:, KINDS.index(kind)] for piece in pieces)]
        if min(len(values) for values in seen) >= _LEAST_MOMENTS and (found := drift_reference(seen)) is not None:
            references[kind] = found
    return references


def _upper_evenness(folds: Sequence[Fold]) -> float:
    """The 95th percentile, over frames, of how even what moves at nearly normal speed moves; 1 where too little did."""
    found = []
    for fold in folds:
        for glimpse in fold.glimpses:
            if glimpse.sample is not None and len(glimpse.sample.cells):
                values = fold.kinds.values(glimpse.sample, glimpse)
                moving = values[(values[:, 0] > _MOVING) & ~np.isnan(values[:, 1])]
                if len(moving) >= _LEAST_CELLS:
                    found.append(float(np.median(evenness(moving))))
    return float(np.percentile(found, 95)) if len(found) >= _LEAST_MOMENTS else 1.0


def scores(glimpses: Sequence[Glimpse], novelty: Novelty) -> list[RawSample]:
    """The smoothed score of each glimpse in which motion was measured."""
    found = []
    for glimpse in glimpses:
        novelty.add(glimpse)
        found.append(_sample(glimpse, novelty.value or 0.0))
    return found


def _by_kind(glimpses: Sequence[Glimpse], novelty: Novelty) -> list[list[RawSample]]:
    found: list[list[RawSample]] = [[] for _ in KINDS]
    for glimpse in glimpses:
        novelty.add(glimpse)
        for series, score in zip(found, novelty.by_kind.tolist(), strict=True):
            series.append(_sample(glimpse, score))
    return found


def _sample(glimpse: Glimpse, score: float) -> RawSample:
    if glimpse.sample is None:
        raise ValueError("a glimpse without motion has no score")
    busy = len(glimpse.sample.cells) > 0
    return RawSample(glimpse.run, glimpse.pts_s, glimpse.sample.elapsed_s, score if busy else None)


def _all_largest(fold: Fold) -> npt.NDArray[np.float64]:
    """(glimpses in which motion was measured, kinds): each one's largest values; NaN where not measured."""
    found = [
        largest(fold.kinds.values(glimpse.sample, glimpse)) for glimpse in fold.glimpses if glimpse.sample is not None
    ]
    return np.array(found, np.float64).reshape(-1, len(KINDS))


def _weighed(kind: Kind, scale: KindScale, level: float) -> KindScale:
    weight = min(1.0, _RELIABLE / level) if level > 0 else 1.0
    why = None
    if weight < 1.0:
        why = (
            f"{kind} counts {weight:.2f}: normal footage that it was not scaled for comes to {level:.1f} times the "
            "upper end of normal once an hour"
        )
    return KindScale(median=scale.median, p99=scale.p99, weight=weight, one_hour_level=level, why=why)
