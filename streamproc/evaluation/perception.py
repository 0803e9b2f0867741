"""Captioners on the same pictures: what each says, what of it is labelled, and where they agree.

Their words are compared as rules look at them: base forms of nouns and verbs, without what a sentence denies, without
places and without words that say nothing. People are compared by their number.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from streamproc.evaluation.scene_labels import Scene
from streamproc.rules.counting import people_told
from streamproc.rules.keywords import meets
from streamproc.rules.people import sentences_of
from streamproc.rules.wording import wording_of
from streamproc.types import Caption

_MOST_SAID = 8
_NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
)
_NAMES_NOTHING = re.compile(
    r"\b(?:starting )?(?:from|on|to|at|in|towards?) the (?:far |very )?(?:left|right|top|bottom|middle)\b"
    rf"|\b(?:{'|'.join(_NUMBERS.split())})\b"
    r"|\bas \w+ as\b[^,.;]*",
    re.IGNORECASE,
)
"""Sides, counts and comparisons: "on the left" names no leaving, "as fast as people walk" no walking."""
_IS_THERE = re.compile(r"\bthere (?:is|are|was|were)\b", re.IGNORECASE)
"""After which something is named, not done: "there are trees"."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one captioner made of one moment."""

    caption: Caption | None
    """None where it failed."""
    ms: float | None = None
    """How long it took; None of a recorded caption."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One window, as it was put into words."""

    clip: str
    frame: int
    """Its last picture, from 0."""
    said: Mapping[str, Said]
    """By captioner; one that was not asked, or left this picture out of its record, is not in it."""
    scene: Scene | None = None
    """What is labelled there; None where nothing is."""


@dataclass(frozen=True, slots=True)
class Told:
    """A caption's words."""

    objects: frozenset[str]
    actions: frozenset[str]
    people: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A labelled thing or action, and how often one captioner names it."""

    words: str
    there: int
    """Moments at which it is labelled."""
    found: int
    """Of them, those at which it is named."""
    absent: int
    """Labelled moments at which it is not listed."""
    named_anyway: int
    """Of them, those at which it is named."""


@dataclass(frozen=True, slots=True)
class Captioned:
    """One captioner."""

    name: str
    moments: int
    """At which it was asked."""
    failed: int
    """Of them, those without a caption: windows that would have been unknown."""
    words_mean: float | None
    sentences_mean: float | None
    ms_median: float | None
    ms_p95: float | None
    people_mean: float | None
    objects_most: tuple[tuple[str, int], ...]
    """Those named at the most moments, and at how many."""
    actions_most: tuple[tuple[str, int], ...]
    objects: tuple[Entry, ...]
    """Labelled ones; empty without labels."""
    actions: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two captioners, at the moments that both put into words."""

    one: str
    other: str
    moments: int
    objects_jaccard: float | None
    """Share of the words that both say of those that either says, the mean over moments at which either says any."""
    objects_kappa: float | None
    """Cohen's kappa of naming each word at each moment, over all words that either ever says: 0 is chance."""
    actions_jaccard: float | None
    actions_kappa: float | None
    people_difference: float | None
    """In how many people they tell of, the mean of absolute differences."""


def told_by(caption: Caption) -> Told:
    """The caption's words."""
    sentences = sentences_of(caption)
    wordings = [wording_of(_NAMES_NOTHING.sub("", _IS_THERE.sub("the", one.text))) for one in sentences]
    return Told(
        frozenset[str]().union(*(one.objects for one in wordings)),
        frozenset[str]().union(*(one.actions for one in wordings)),
        people_told(sentences)[0],
    )


def captioned(name: str, moments: Sequence[Moment]) -> Captioned:
    """What captioner ``name`` says at all ``moments`` at which it was asked."""
    asked = [moment for moment in moments if name in moment.said]
    captions = [moment.said[name].caption for moment in asked]
    spoken = [caption for caption in captions if caption is not None]
    told = [told_by(caption) for caption in spoken]
    took_ms = sorted(ms for moment in asked if (ms := moment.said[name].ms) is not None)
    return Captioned(
        name=name,
        moments=len(asked),
        failed=len(captions) - len(spoken),
        words_mean=_mean([len(caption.text.split()) for caption in spoken]),
        sentences_mean=_mean([len(sentences_of(caption)) for caption in spoken]),
        ms_median=statistics.median(took_ms) if took_ms else None,
        ms_p95=took_ms[min(len(took_ms) - 1, int(0.95 * len(took_ms)))] if took_ms else None,
        people_mean=_mean([one.people for one in told]),
        objects_most=_most(one.objects for one in told),
        actions_most=_most(one.actions for one in told),
        objects=_entries(name, moments, lambda scene: scene.objects),
        actions=_entries(name, moments, lambda scene: scene.actions),
    )


def agreements(names: Sequence[str], moments: Sequence[Moment]) -> tuple[Agreement, ...]:
    """Of each two captioners."""
    return tuple(_agreement(one, other, moments) for one, other in combinations(names, 2))


def _agreement(one: str, other: str, moments: Sequence[Moment]) -> Agreement:
    pairs = []
    for moment in moments:
        first, second = moment.said.get(one), moment.said.get(other)
        if first and second and first.caption and second.caption:
            pairs.append((told_by(first.caption), told_by(second.caption)))
    objects = [(a.objects, b.objects) for a, b in pairs]
    actions = [(a.actions, b.actions) for a, b in pairs]
    return Agreement(
        one=one,
        other=other,
        moments=len(pairs),
        objects_jaccard=_jaccard(objects),
        objects_kappa=_kappa(objects),
        actions_jaccard=_jaccard(actions),
        actions_kappa=_kappa(actions),
        people_difference=_mean([abs(a.people - b.people) for a, b in pairs]),
    )


_Pairs = Sequence[tuple[frozenset[str], frozenset[str]]]


def _jaccard(pairs: _Pairs) -> float | None:
    return _mean([len(a & b) / len(a | b) for a, b in pairs if a | b])


def _kappa(pairs: _Pairs) -> float | None:
    """None where there is nothing to agree on: no words, or all said always."""
    words = frozenset[str]().union(*(a | b for a, b in pairs))
    count = len(words) * len(pairs)
    if not count:
        return None
    one, other = (sum(len(pair[side]) for pair in pairs) / count for side in (0, 1))
    same = 1 - sum(len(a ^ b) for a, b in pairs) / count
    chance = one * other + (1 - one) * (1 - other)
    return (same - chance) / (1 - chance) if chance < 1 else None


def _entries(name: str, moments: Sequence[Moment], of: Callable[[Scene], frozenset[str]]) -> tuple[Entry, ...]:
    scenes = [(moment.said.get(name), moment.scene) for moment in moments if moment.scene is not None]
    labelled = [(of(scene), said.caption) for said, scene in scenes if said is not None]
    entries = []
    for words in sorted(frozenset[str]().union(*(of(scene) for _, scene in scenes))):
        # A window without a caption names nothing.
        named = [
            (words in listed, caption is not None and meets(words.split("|"), caption.text) is not None)
            for listed, caption in labelled
        ]
        entries.append(
            Entry(
                words,
                there=sum(there for there, _ in named),
                found=sum(there and said for there, said in named),
                absent=sum(not there for there, _ in named),
                named_anyway=sum(said and not there for there, said in named),
            )
        )
    return tuple(entries)


def _most(of_each: Iterable[frozenset[str]]) -> tuple[tuple[str, int], ...]:
    counts = Counter(word for words in of_each for word in words)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_SAID])


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None
