"""The expert, who has never seen a thing, and the memory of how it looks, taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from streamproc.inspection.agreement import Agreement
from streamproc.inspection.distances import Kind
from streamproc.inspection.heat import heat_over_crop
from streamproc.inspection.memory import Memory, kept
from streamproc.inspection.nouns import Backbone, By, Features, Floats, Layout, Pixels, Reading, Score, Views
from streamproc.inspection.scale import Scale, share
from streamproc.inspection.views import views_of


class Expert(Protocol):
    """Tells defects without a memory; ``serving.OnnxExpert`` is one."""

    @property
    def revision(self) -> str:
        """Which weights."""
        ...

    @property
    def close_ups(self) -> int:
        """How it wants a crop to be cut, for ``views_of``."""
        ...

    def score(self, features: Features) -> Reading:
        """What it says of one crop; raises InferenceError."""
        ...


class Seen(NamedTuple):
    """A crop as it is needed once it was looked at; 3 MB where the views of a large encoder were 170."""

    whole: Features
    """Without close-ups: what a memory is of."""
    reading: Reading | None
    """The expert's, where there is one."""


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """What was said of one crop; times are of the speaker's own threshold, from which it speaks of a defect.

    They are below 0 where a crop is more ordinary than half of the normal ones.
    """

    score: Score
    """``value`` is 0.5 where ``times`` is 1."""
    times: float
    """Of both together: the memory's distances, raised where the expert sees more than in what is normal."""
    memory: float | None
    """None where there is no memory."""
    expert: float | None
    """None where there is no expert."""
    reading: Reading | None = None
    """All that the expert said, where there is one."""


@dataclass(frozen=True, slots=True)
class Fused:
    """A memory, an expert, or both, each on the scale of its own scores of normal crops.

    Together they are the memory's distances weighed by the expert's maps (`Agreement`). Their scores are not added: on
    a thing that the expert misjudges, the sum was far below the memory alone.
    """

    memory: Memory | None = None
    expert: Expert | None = None
    scale: Scale | None = None
    """Of the expert's logits on the crops that the memory was learned from; None: its threshold is a score of 0.5."""
    agreement: Agreement | None = None
    """None: with a memory, the expert is told of and has no say."""

    def judge(self, features: Features) -> Opinions:
        """What they say of a crop.

        Raises:
            InferenceError: a part failed.
            ValueError: there is neither memory nor expert.
        """
        return self.say(Seen(features.whole, None if self.expert is None else self.expert.score(features)))

    def say(self, seen: Seen) -> Opinions:
        """``judge`` of a crop that the expert has read."""
        whole, reading = seen
        recalled = self.memory.judge(whole) if self.memory is not None else None
        if recalled is not None and reading is not None:
            scale = self.scale or Scale(-1.0, -0.5)  # a logit of 0 is a score of 0.5
            memory, expert = recalled.times, scale.times(reading.logit)
            both = recalled if self.agreement is None else self.agreement.judge(recalled, reading.maps[:1])
            score = _score(both.times, _shares(both.maps), whole.layout, who(memory, expert))
            return Opinions(score, both.times, memory, expert, reading)
        if recalled is not None:
            score = _score(recalled.times, _shares(recalled.maps), whole.layout, "memory")
            return Opinions(score, recalled.times, recalled.times, None)
        if reading is not None:
            times = 2 * reading.score.value if self.scale is None else self.scale.times(reading.logit)
            return Opinions(reading.score, times, None, times, reading)
        raise ValueError("neither a memory nor an expert to ask")


def look(backbone: Backbone, crop: Pixels, expert: Expert | None) -> Features:
    """A crop, (h, w, 3) uint8 RGB, cut as ``expert`` wants it; without one the whole alone, which a memory is of.

    Raises:
        ValueError: the crop is empty.
        InferenceError: the encoder failed.
    """
    return backbone.encode(cut(backbone, crop, expert))


def cut(backbone: Backbone, crop: Pixels, expert: Expert | None) -> Views:
    """The pictures of a crop that ``look`` has encoded."""
    return views_of(crop, backbone.side_px, 1 if expert is None else expert.close_ups)


def see(backbone: Backbone, crop: Pixels, expert: Expert | None) -> Seen:
    """What is kept of a normal crop, (h, w, 3) uint8 RGB, to learn from; raises as ``look``."""
    features = look(backbone, crop, expert)
    return Seen(kept(features), None if expert is None else expert.score(features))


def show(backbone: Backbone, crop: Pixels, expert: Expert | None = None) -> tuple[Seen, ...]:
    """A normal crop, (h, w, 3) uint8 RGB, each way it is ``turned``: what a memory learns from; raises as ``look``."""
    return tuple(see(backbone, each, expert) for each in turned(crop))


def turned(crop: Pixels) -> tuple[Pixels, ...]:
    """A crop as it is, mirrored, upside down and both."""
    return crop, crop[:, ::-1], crop[::-1], crop[::-1, ::-1]


def learn(crops: Sequence[Sequence[Seen]], expert: Expert | None = None, kind: Kind = "knn") -> Fused:
    """From two or more normal crops of one thing, each as ``expert`` saw it, as it is and maybe mirrored.

    Raises:
        ValueError: there are fewer than two crops.
    """
    memory = Memory.learn([[seen.whole for seen in shown] for shown in crops], kind)
    if expert is None:
        return Fused(memory)
    readings = [[seen.reading for seen in shown if seen.reading is not None] for shown in crops]
    scale = Scale.of([first.logit for first, *_ in readings])
    return Fused(
        memory, expert, scale, Agreement.learn(memory, [[one.maps[:1] for one in shown] for shown in readings])
    )


class Inspector:
    """From a crop's pixels to what is said of it."""

    def __init__(self, backbone: Backbone, fused: Fused) -> None:
        """The memory and the expert must be of ``backbone``'s features."""
        self._backbone, self._fused = backbone, fused

    def inspect(self, crop: Pixels) -> Opinions:
        """What is said of a crop, (h, w, 3) uint8 RGB.

        Raises:
            ValueError: the crop is empty.
            InferenceError: a part failed.
        """
        return self.judge(self.look(crop))

    def look(self, crop: Pixels) -> Features:
        """What is judged of a crop; raises as ``inspect``."""
        return look(self._backbone, crop, self._fused.expert)

    def judge(self, features: Features) -> Opinions:
        """What is said of a crop by what ``look`` gave; raises as ``inspect``."""
        return self._fused.judge(features)


def who(memory: float, expert: float) -> By:
    """Who spoke: those who are at their threshold, or who is nearer to it where neither is."""
    if (memory >= 1) == (expert >= 1):
        return "both" if memory >= 1 else ("memory" if memory >= expert else "expert")
    return "memory" if memory >= 1 else "expert"


def _shares(times: Floats) -> Floats:
    return np.asarray(times / (1 + times), np.float32)


def _score(times: float, maps: Floats, layout: Layout, by: By) -> Score:
    return Score(share(times), heat_over_crop(maps, layout), by)
