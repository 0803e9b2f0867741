"""The expert's view of a crop, taken into the memory's distances token by token.

The expert knows defects and not the thing: what it suspects in every crop of a thing (a weld, a grain) is no evidence.
So each token's significance counts in times of that of the normal token which it is most like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.inspection.memory import Memory, Recollection, pooled
from streamproc.inspection.nouns import Floats
from streamproc.inspection.scale import Scale

WEIGHT = 0.1
"""Which power of the significance's ratio a distance is multiplied by. On drawn defects in 120 normal pictures powers
of 0.1 changed nothing, and larger ones were worse (`tests/benchmarks/inspection_memory.txt`)."""
_FLOOR = 1e-3  # significances below are alike: the expert is that sure of nothing


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """What the expert makes of what a memory knows; `learn` makes it."""

    logs: Floats
    """(m,): the significance of each token that the memory knows, as a logarithm."""
    scale: Scale
    """Of crops, by both together."""
    places: Scale
    """Of crops' most distant tokens."""

    @classmethod
    def learn(cls, memory: Memory, maps: Sequence[Sequence[Floats]]) -> Agreement:
        """From the expert's maps (n, side, side) of the crops that ``memory`` was learned from, each way shown."""
        flat = np.concatenate([_logs(one) for shown in maps for one in shown])
        logs = flat[memory.known.picked]
        both = [_weighed(held, _logs(shown[0]), logs) for held, shown in zip(memory.held, maps, strict=True)]
        scores, highest = [pooled(one) for one in both], [float(one.max()) for one in both]
        return cls(logs, Scale.of(scores), Scale.of(highest))

    def judge(self, recalled: Recollection, maps: Floats) -> Recollection:
        """What both say of a crop, from what the memory said and the expert's maps (n, side, side) of it."""
        distances = _weighed(recalled, _logs(maps), self.logs)
        score = pooled(distances)
        return recalled.as_of(distances, score, self.scale, self.places)


def _logs(maps: Floats) -> Floats:
    return np.asarray(np.log(maps.reshape(-1) + _FLOOR), np.float32)


def _weighed(recalled: Recollection, logs: Floats, known: Floats) -> Floats:
    common = np.float32(known.mean()) if recalled.nearest is None else known[recalled.nearest]
    return np.asarray(recalled.distances * np.exp(np.float32(WEIGHT) * (logs - common)), np.float32)
