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
from typing import Any

import numpy as np
import numpy.typing as npt

from streamproc.errors import InferenceError
from streamproc.inspection.distances import Distance, Far, Kind, distance_to
from streamproc.inspection.nouns import Features, Floats
from streamproc.inspection.scale import Scale

LEVEL = 2
"""Which tap: the third, after block 9 of DINOv2-S's 12. Compared on 100 + 100 pictures of two sets, see DESIGN."""
TOP = 0.01
"""A crop is as anomalous as this share of its tokens, the most anomalous, on average."""
MOST_TOKENS = 16_384
"""Known tokens that are kept: 16 pictures of 256, each four ways."""

Shown = Sequence[Features]
"""A normal crop: its features as it is, then those of its mirror images where they are learned from too."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The tokens of normal crops, of unit length."""

    tokens: Floats
    """(m, c)."""
    crop: npt.NDArray[np.int32]
    """(m,): of which crop each is, from 0."""
    picked: npt.NDArray[np.int64]
    """(m,): which of all the crops' tokens each is, in the order they were shown."""

    @classmethod
    def of(cls, crops: Sequence[Shown], level: int = LEVEL) -> Known:
        """All tokens, or ``MOST_TOKENS`` of them drawn evenly, the same each time."""
        each = [np.concatenate([unit_tokens(features, level) for features in shown]) for shown in crops]
        crop = np.repeat(np.arange(len(each), dtype=np.int32), [len(tokens) for tokens in each])
        tokens = np.concatenate(each)
        picked = np.arange(len(tokens), dtype=np.int64)
        if len(tokens) > MOST_TOKENS:
            picked = np.sort(np.random.default_rng(0).choice(len(tokens), MOST_TOKENS, replace=False))
        return cls(tokens[picked], crop[picked], picked)

    def distance(self, kind: Kind, without: int | None = None) -> Distance:
        """To what is known; to that of all other crops, where one is left out. ``nearest`` counts within all."""
        if without is None:
            return distance_to(self.tokens, kind)
        others = np.flatnonzero(self.crop != without)
        inner = distance_to(self.tokens[others], kind)

        def distance(tokens: Floats) -> Far:
            far = inner(tokens)
            return far if far.nearest is None else far._replace(nearest=others[far.nearest])

        return distance


@dataclass(frozen=True, slots=True, eq=False)
class Recollection:
    """What a memory says of one crop."""

    score: float
    """As distances are."""
    times: float
    """In times of the threshold from normal crops, 0 at their median."""
    maps: Floats
    """(n, side, side): the tokens' distances in times of the highest that one in a normal crop commonly has."""
    distances: Floats
    """(n * t,)."""
    nearest: npt.NDArray[np.int64] | None
    """(n * t,): which known token each is nearest to; None where the kind has no neighbours."""

    def as_of(self, distances: Floats, score: float, scale: Scale, places: Scale) -> Recollection:
        """The same crop by other distances, on the scales that belong to them."""
        maps = distances.reshape(self.maps.shape) / np.float32(max(places.threshold, 1e-9))
        return Recollection(score, scale.times(score), maps, distances, self.nearest)


class Memory:
    """Normal crops of one thing at one camera. ``judge`` may be called from several threads at once."""

    def __init__(self, known: Known, kind: Kind, level: int, crops: Sequence[Features]) -> None:
        """``crops`` are those that ``known`` is of, as they are; each is held against the others."""
        self.known, self.kind, self.level = known, kind, level
        self._distance = known.distance(kind)
        far = [known.distance(kind, without=n)(unit_tokens(crop, level)) for n, crop in enumerate(crops)]
        self.scale = Scale.of([pooled(one.distances) for one in far])
        """Of crops."""
        self.places = Scale.of([float(one.distances.max()) for one in far])
        """Of crops' most distant tokens."""
        self.held = tuple(self._recollection(one, crop.side) for one, crop in zip(far, crops, strict=True))
        """What the others say of each crop."""

    @classmethod
    def learn(cls, crops: Sequence[Shown], kind: Kind = "knn", level: int = LEVEL) -> Memory:
        """From the features of normal crops, which must be of different pictures: each is judged by the others.

        Raises:
            ValueError: there are fewer than two.
        """
        if len(crops) < 2:
            raise ValueError("a memory is learned from two normal crops or more")
        return cls(Known.of(crops, level), kind, level, [features for features, *_ in crops])

    def judge(self, features: Features) -> Recollection:
        """How far a crop is from what is known.

        Raises:
            InferenceError: its tokens have another length, so come from another encoder.
        """
        tokens = unit_tokens(features, self.level)
        if tokens.shape[1] != self.known.tokens.shape[1]:
            raise InferenceError(f"the memory knows tokens of {self.known.tokens.shape[1]}, not of {tokens.shape[1]}")
        return self._recollection(self._distance(tokens), features.side)

    def _recollection(self, far: Far, side: int) -> Recollection:
        score = pooled(far.distances)
        maps = far.distances.reshape(-1, side, side) / np.float32(max(self.places.threshold, 1e-9))
        return Recollection(score, self.scale.times(score), maps, far.distances, far.nearest)


def kept(features: Features, precision: type[np.floating[Any]] = np.float32) -> Features:
    """A copy of what a memory looks at: of the whole, its tap alone; a crop in ten views is a hundredth of them."""
    tap = features.taps[LEVEL, :1].astype(precision)
    return Features(tap, np.broadcast_to(tap, (LEVEL + 1, *tap.shape)), features.side, features.whole.layout)


def unit_tokens(features: Features, level: int) -> Floats:
    """(n * t, c): a crop's tokens at ``level``, of length 1."""
    tokens = features.taps[level].reshape(-1, features.taps.shape[-1]).astype(np.float32)  # halves overflow in norms
    return np.asarray(tokens / np.maximum(np.linalg.norm(tokens, axis=1, keepdims=True), 1e-12), np.float32)


def pooled(distances: Floats) -> float:
    """A crop's distance from that of its tokens, (m,)."""
    most = max(1, round(TOP * len(distances)))
    return float(np.partition(distances, -most)[-most:].mean())
