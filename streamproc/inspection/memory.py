"""What a thing looks like when it is as it should be, from a few normal crops of it; one memory a camera and thing.

Two ways to tell how far a token is from that: one minus the cosine to the nearest one known (PatchCore, Roth et al.,
CVPR 2022, without its thinning out, as in AnomalyDINO, Damm et al., WACV 2025), and what the known ones' main
directions leave over (SubspaceAD). The tokens are those of one tap that the expert reads too, so the encoder runs once
for both.

A memory never changes: what alarms cannot enrol itself. A new one is learned from crops that are held to be normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from streamproc.errors import InferenceError
from streamproc.inspection.nouns import Features, Floats
from streamproc.inspection.scale import Scale

Kind = Literal["knn", "subspace"]
LEVEL = 2
"""Which tap: the third, after block 9 of DINOv2-S's 12. Compared on 100 + 100 pictures of two sets, see DESIGN."""
TOP = 0.01
"""A crop is as anomalous as this share of its tokens, the most anomalous, on average."""
MOST_TOKENS = 16_384
"""Known tokens that are kept: 16 pictures of 256, each four ways."""
_DIRECTIONS = 96
"""Neighbours are searched for in so many main directions, and what these leave over is added: in a quarter of the
time of all 384 of DINOv2-S, with about the same result."""
_EXPLAINED = 0.99  # of the variance, by the directions that are kept (SubspaceAD, section 3)


Shown = Sequence[Features]
"""A normal crop: its features as it is, then those of its mirror images where they are learned from too."""


class Distance(Protocol):
    """How far tokens are from what is known."""

    def __call__(self, tokens: Floats) -> Floats:
        """(m, c) unit tokens to (m,) distances, 0 and above."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The tokens of normal crops, of unit length."""

    tokens: Floats
    """(m, c)."""
    crop: npt.NDArray[np.int32]
    """(m,): of which crop each is, from 0."""

    @classmethod
    def of(cls, crops: Sequence[Shown], level: int = LEVEL) -> Known:
        """All tokens, or ``MOST_TOKENS`` of them drawn evenly, the same each time."""
        each = [np.concatenate([unit_tokens(features, level) for features in shown]) for shown in crops]
        crop = np.repeat(np.arange(len(each), dtype=np.int32), [len(tokens) for tokens in each])
        tokens = np.concatenate(each)
        if len(tokens) > MOST_TOKENS:
            kept = np.sort(np.random.default_rng(0).choice(len(tokens), MOST_TOKENS, replace=False))
            tokens, crop = tokens[kept], crop[kept]
        return cls(tokens, crop)

    def distance(self, kind: Kind, without: int | None = None) -> Distance:
        """To what is known; to that of all other crops, where one is left out."""
        tokens = self.tokens if without is None else self.tokens[self.crop != without]
        return _nearest(tokens) if kind == "knn" else _left_over(tokens)


@dataclass(frozen=True, slots=True, eq=False)
class Recollection:
    """What a memory says of one crop."""

    score: float
    """As distances are."""
    times: float
    """In times of the threshold from normal crops, 0 at their median."""
    maps: Floats
    """(n, side, side): the tokens' distances in times of the highest that one in a normal crop commonly has."""


class Memory:
    """Normal crops of one thing at one camera. ``judge`` may be called from several threads at once."""

    def __init__(self, known: Known, kind: Kind, level: int, scale: Scale, places: Scale) -> None:
        """``scale`` is of crops, ``places`` of crops' most distant tokens; `learn` makes both."""
        self.known, self.kind, self.level, self.scale, self.places = known, kind, level, scale, places
        self._distance = known.distance(kind)

    @classmethod
    def learn(cls, crops: Sequence[Shown], kind: Kind = "knn", level: int = LEVEL) -> Memory:
        """From the features of normal crops, which must be of different pictures: each is judged by the others.

        Raises:
            ValueError: there are fewer than two.
        """
        if len(crops) < 2:
            raise ValueError("a memory is learned from two normal crops or more")
        known = Known.of(crops, level)
        scores, highest = [], []
        for number, (features, *_) in enumerate(crops):
            distances = known.distance(kind, without=number)(unit_tokens(features, level))
            scores.append(pooled(distances))
            highest.append(float(distances.max()))
        return cls(known, kind, level, Scale.of(scores), Scale.of(highest))

    def judge(self, features: Features) -> Recollection:
        """How far a crop is from what is known.

        Raises:
            InferenceError: its tokens have another length, so come from another encoder.
        """
        tokens = unit_tokens(features, self.level)
        if tokens.shape[1] != self.known.tokens.shape[1]:
            raise InferenceError(f"the memory knows tokens of {self.known.tokens.shape[1]}, not of {tokens.shape[1]}")
        distances = self._distance(tokens)
        score = pooled(distances)
        maps = distances.reshape(-1, features.side, features.side) / np.float32(max(self.places.threshold, 1e-9))
        return Recollection(score, self.scale.times(score), maps)


def unit_tokens(features: Features, level: int) -> Floats:
    """(n * t, c): a crop's tokens at ``level``, of length 1."""
    tokens = features.taps[level].reshape(-1, features.taps.shape[-1]).astype(np.float32)  # halves overflow in norms
    return np.asarray(tokens / np.maximum(np.linalg.norm(tokens, axis=1, keepdims=True), 1e-12), np.float32)


def pooled(distances: Floats) -> float:
    """A crop's distance from that of its tokens, (m,)."""
    most = max(1, round(TOP * len(distances)))
    return float(np.partition(distances, -most)[-most:].mean())


def _nearest(known: Floats) -> Distance:
    mean, variances, directions = _main_directions(known)
    kept = directions[:, : min(_DIRECTIONS, len(variances))]
    there = (known - mean) @ kept
    lengths = (there**2).sum(axis=1)

    def distance(tokens: Floats) -> Floats:
        away = tokens - mean
        here = away @ kept
        nearest = (lengths - 2 * (here @ there.T)).min(axis=1)  # less the squared length of `here`, as is what is left
        return np.asarray(np.maximum(((away**2).sum(axis=1) + nearest) / 2, 0.0), np.float32)

    return distance


def _left_over(known: Floats) -> Distance:
    mean, variances, directions = _main_directions(known)
    explained = np.cumsum(variances) / max(float(variances.sum()), 1e-12)
    kept = directions[:, : int(np.searchsorted(explained, _EXPLAINED)) + 1]

    def distance(tokens: Floats) -> Floats:
        away = tokens - mean
        return np.asarray(np.maximum((away**2).sum(axis=1) - ((away @ kept) ** 2).sum(axis=1), 0.0), np.float32)

    return distance


def _main_directions(known: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean, the variances in falling order, and their directions as columns."""
    mean = np.asarray(known.mean(axis=0), np.float32)
    variances, directions = np.linalg.eigh(np.cov((known - mean).T))  # rising
    return mean, np.asarray(variances[::-1], np.float32), np.asarray(directions[:, ::-1], np.float32)
