"""Which captions of normal footage a language model is shown: few, unlike each other, and spread over time.

AnomalyRuler draws its n batches of m reference frames at random (section 3.1); that can be asked for. By default the
captions are clustered on their sentence embeddings beside their place in time, and each cluster's most typical one is
taken: what is shown is unlike each other, and still typical of something.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

from streamproc.errors import ConfigError
from streamproc.rules.meaning import Embedder, Floats
from streamproc.types import Caption

Choice = Literal["diverse", "random"]

_CANDIDATES = 30
"""Captions that are embedded for each that is chosen: hours of footage hold many thousands."""
_LEAST_CANDIDATES = 100
_TIME_WEIGHT = 0.5
"""What the whole length of the footage counts as, beside how far captions are on average from their mean."""
_LEAST_SPREAD = 0.2
"""Below it captions differ by their wording alone, and time decides."""
_STARTS = 10
"""Of which the best clustering is taken."""


def choose(
    captions: Sequence[Caption], batches: int, size: int, embedder: Embedder | None, how: Choice, seed: int
) -> list[list[Caption]]:
    """Up to ``batches`` batches of up to ``size`` captions each, all different, each in order of time.

    ``captions`` are in order of time. Each batch is spread over the whole of it. The same captions and ``seed`` give
    the same batches. ``embedder`` is needed for ``diverse`` only.

    Raises:
        ConfigError: there is no caption, or nothing to embed with.
        InferenceError: the embedding model failed.
    """
    distinct = sorted({caption.text: index for index, caption in reversed(list(enumerate(captions)))}.values())
    if not distinct:
        raise ConfigError("there is no caption of normal footage to choose references from")
    wanted = min(batches * size, len(distinct))
    if how == "random":
        drawn = np.random.default_rng(seed).choice(len(distinct), wanted, replace=False)
        chosen = [distinct[int(index)] for index in np.sort(drawn)]
    elif embedder is None:
        raise ConfigError("diverse references need the embedding model")
    else:
        chosen = _diverse(captions, _thinned(distinct, wanted), wanted, embedder, seed)
    count = min(batches, wanted)
    return [[captions[index] for index in chosen[number::count]] for number in range(count)]


def _thinned(indices: Sequence[int], wanted: int) -> list[int]:
    """Evenly over time."""
    most = max(_LEAST_CANDIDATES, _CANDIDATES * wanted)
    if len(indices) <= most:
        return list(indices)
    return [indices[round(place)] for place in np.linspace(0, len(indices) - 1, most)]


def _diverse(
    captions: Sequence[Caption], candidates: Sequence[int], wanted: int, embedder: Embedder, seed: int
) -> list[int]:
    vectors = embedder.embed([captions[index].text for index in candidates])
    centred = vectors - vectors.mean(axis=0)
    spread = max(float(np.linalg.norm(centred, axis=1).mean()), _LEAST_SPREAD)
    times = np.array(candidates, np.float32)[:, None] / max(1, len(captions) - 1)
    points: Floats = np.hstack([centred / spread, _TIME_WEIGHT * times]).astype(np.float32)
    rng = np.random.default_rng(seed)
    centres, labels = min(
        (_clustered(points, wanted, rng) for _ in range(_STARTS)), key=lambda one: _loss(points, *one)
    )
    distances = np.linalg.norm(points - centres[labels], axis=1)
    typical: dict[int, int] = {}
    for row in np.argsort(distances, kind="stable"):
        typical.setdefault(int(labels[row]), int(row))
    chosen = sorted(typical.values())
    while len(chosen) < wanted:
        away = np.linalg.norm(points[:, None, :] - points[None, chosen, :], axis=2).min(axis=1)
        away[chosen] = -1.0
        chosen.append(int(away.argmax()))
    return [candidates[row] for row in sorted(chosen)]


def _clustered(points: Floats, wanted: int, rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.int32]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a cluster that ran empty: it is made up for
        centres, labels = kmeans2(points, wanted, minit="++", seed=rng)
    return centres, labels


def _loss(points: Floats, centres: Floats, labels: npt.NDArray[np.int32]) -> float:
    return float(np.square(points - centres[labels]).sum())
