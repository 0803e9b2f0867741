"""How much better one way of scoring is than another on the same videos, and how surely.

Videos are resampled, not frames: frames of one video are no witnesses apart. Both ways are scored on the same resample,
so that what is hard for both does not count as doubt (Efron and Tibshirani 1993, chapter 8: the unit is what is
independent). The AUROC of a resample is exact: with ``wins[i, j]`` how often an anomalous frame of video i scores
higher than a normal one of video j, it is a quotient of sums, and needs no frame again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamproc.evaluation.metrics import ScoredVideo

Floats = npt.NDArray[np.float64]
RESAMPLES = 2000
_LOW, _HIGH = 0.025, 0.975


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference with its 95 % bootstrap interval."""

    mean: float
    """As seen, without resampling."""
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ways' scores of the same videos: one seed's, say."""

    ours: tuple[ScoredVideo, ...]
    theirs: tuple[ScoredVideo, ...]

    def __post_init__(self) -> None:
        if [(v.name, v.labels) for v in self.ours] != [(v.name, v.labels) for v in self.theirs]:
            raise ValueError("a pair is of the same videos in the same order")


def over_videos(pairs: Sequence[Pair], resamples: int = RESAMPLES, seed: int = 0) -> Difference:
    """Ours less theirs in AUROC, the mean over ``pairs``, of which each may leave out other videos.

    A resample draws from all videos of all pairs, with replacement; where a pair is left without an anomalous or a
    normal frame, the resample counts without that pair. NaN where nothing can be said.
    """
    names = list(dict.fromkeys(video.name for pair in pairs for video in pair.ours))
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples).astype(float)
    weights = np.vstack([np.ones(len(names)), drawn])
    differences = np.stack([_difference(pair, weights[:, [names.index(v.name) for v in pair.ours]]) for pair in pairs])
    known = np.isfinite(differences)
    count = known.sum(axis=0)
    means = np.where(count > 0, np.where(known, differences, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    return _summary(means[0], means[1:])


def over_seeds(differences: Sequence[float], resamples: int = RESAMPLES, seed: int = 0) -> Difference:
    """The mean of ``differences``, one a seed, with the interval from resampling them: for sets of too few videos."""
    values = np.asarray(differences, dtype=float)
    random = np.random.default_rng(seed)
    return _summary(float(values.mean()), random.choice(values, size=(resamples, len(values))).mean(axis=1))


def _summary(seen: float, resampled: Floats) -> Difference:
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return Difference(float(seen), float("nan"), float("nan"))
    low, high = np.quantile(finite, [_LOW, _HIGH])
    return Difference(float(seen), float(low), float(high))


def _difference(pair: Pair, weights: Floats) -> Floats:
    return _aurocs(pair.ours, weights) - _aurocs(pair.theirs, weights)


def _aurocs(videos: Sequence[ScoredVideo], weights: Floats) -> Floats:
    """AUROC under each row of ``weights``, (n, videos): how often each video was drawn. NaN where it is undefined."""
    anomalous = [np.array([s for s, y in zip(v.scores, v.labels, strict=True) if y]) for v in videos]
    normal = [np.sort([s for s, y in zip(v.scores, v.labels, strict=True) if not y]) for v in videos]
    wins = np.array([[_wins(high, low) for low in normal] for high in anomalous])
    pairs = (weights @ [len(a) for a in anomalous]) * (weights @ [len(n) for n in normal])
    won = ((weights @ wins) * weights).sum(axis=1)
    aurocs = np.full(len(weights), np.nan)
    np.divide(won, pairs, out=aurocs, where=pairs > 0)
    return aurocs


def _wins(high: Floats, low: Floats) -> float:
    """Pairs in which a score of ``high`` is above one of ``low`` (sorted); equal ones count half."""
    below = np.searchsorted(low, high, "left").sum()
    return float(below + np.searchsorted(low, high, "right").sum()) / 2
