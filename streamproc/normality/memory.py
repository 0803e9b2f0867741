"""What normal footage looked like: a memory of textures, and how far anything else is from it.

The idea of a memory of patches is PatchCore's (CVPR 2022); here the patches are of what stands out from the background,
the features are an early layer of the detector that looks anyway, and the memory is the centres of clusters: one
walker's coat should not count as often as he was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from streamproc.normality.arrays import Packed

_Floats = npt.NDArray[np.float32]
PROTOTYPES = 300
"""From 300 to 4,000 measured alike on normal footage; fewer make a smaller file."""
_MOST_PATCHES = 20_000
"""That clusters are looked for in, drawn at random: a few seconds' work."""
_LEAST_PATCHES = 1_000
_SEED = 0
_ROUNDS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """What was seen of the things that stand out, at one look."""

    grid: tuple[int, int]
    """Rows and columns of the detector's grid."""
    cells: npt.NDArray[np.uint32]
    """(n,): places in the grid, row by row."""
    features: npt.NDArray[np.float16]
    """(n, channels)."""


class Memory(BaseModel):
    """Prototypes of normal texture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: str
    """Revision of the model that the features are of; those of another mean something else."""
    mean: Packed
    """(channels,)."""
    deviation: Packed
    """(channels,): features are compared in multiples of it."""
    prototypes: Packed
    """(n, channels), so scaled."""
    patches: Annotated[int, Field(gt=0)]
    """From how many."""


class Recall:
    """Compares textures with a memory."""

    def __init__(self, memory: Memory) -> None:
        self._mean, self._deviation = memory.mean.array, memory.deviation.array
        self._prototypes = memory.prototypes.array
        self._squares = (self._prototypes**2).sum(axis=1)

    def distances(self, texture: Texture) -> _Floats:
        """(rows, columns): how far each place that stands out is from the nearest prototype, averaged with its
        neighbours that stand out, in standard deviations; 0 elsewhere. About 1 ms."""
        rows, columns = texture.grid
        if not len(texture.cells):
            return np.zeros((rows, columns), np.float32)
        far, known = np.zeros(rows * columns, np.float32), np.zeros(rows * columns, np.float32)
        far[texture.cells] = np.sqrt(np.maximum(self._squared(texture).min(axis=1), 0.0))
        known[texture.cells] = 1.0
        share = cv2.blur(known.reshape(rows, columns), (3, 3))
        mean = cv2.blur(far.reshape(rows, columns), (3, 3)) / np.maximum(share, _LEAST_SHARE)
        return np.asarray(mean * known.reshape(rows, columns), np.float32)

    def nearest(self, texture: Texture) -> tuple[npt.NDArray[np.intp], _Floats]:
        """(n,) each: the prototype that each place is nearest to, and how far it is from that, by itself."""
        squared = self._squared(texture)
        which = squared.argmin(axis=1)
        return which, np.sqrt(np.maximum(squared[np.arange(len(which)), which], 0.0))

    def _squared(self, texture: Texture) -> _Floats:
        """(n, prototypes): squares of the distances."""
        scaled = (texture.features.astype(np.float32) - self._mean) / self._deviation
        squared = (scaled**2).sum(axis=1)[:, None] + self._squares - 2.0 * scaled @ self._prototypes.T
        return np.asarray(squared, np.float32)


_LEAST_SHARE = 0.3
"""Of a place's neighbours, itself included, below which it counts less: one patch by itself is the noise of an edge."""


def fit_memory(textures: Sequence[Texture], detector: str) -> Memory | None:
    """The memory of ``textures``; None where too little was seen."""
    features = [texture.features for texture in textures if len(texture.cells)]
    patches = sum(len(some) for some in features)
    if patches < _LEAST_PATCHES:
        return None
    drawn = np.random.default_rng(_SEED).permutation(patches)[:_MOST_PATCHES]
    some = np.concatenate(features)[np.sort(drawn)].astype(np.float32)
    mean, deviation = some.mean(axis=0), some.std(axis=0) + 1e-3
    scaled = np.asarray((some - mean) / deviation, np.float32)
    cv2.setRNGSeed(_SEED)
    ends = (cv2.TERM_CRITERIA_COUNT, _ROUNDS, 0.0)
    count = min(PROTOTYPES, len(scaled) // 3)
    _, _, centres = cv2.kmeans(scaled, count, np.empty(0, np.int32), ends, 1, cv2.KMEANS_RANDOM_CENTERS)
    return Memory(
        detector=detector,
        mean=Packed.of(mean.astype(np.float16)),
        deviation=Packed.of(deviation.astype(np.float16)),
        prototypes=Packed.of(np.asarray(centres, np.float16)),
        patches=patches,
    )
