"""How many people a caption tells of: "There are seven people in the image" tells of seven."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from streamproc.rules.people import Sentence, names_somebody, sentences_of
from streamproc.types import Caption

EXCEEDED = 0.01
"""Share of normal captions that may tell of more people than is called usual: captioners miscount."""
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_VALUES = {word: value for value, word in enumerate(_NUMBERS.split())}
_DIGITS = 3
_WITHIN = 2
"""Words behind a number in which people are named: "two young men", but not "two cars beside some people"."""


def people_told(sentences: Sequence[Sentence]) -> tuple[int, str]:
    """How many people the ``sentences`` of a caption tell of together, and in words; 0 where they tell no number.

    The counts of a captioner that gives them are added up. Those of free text are not: after "five people" it goes on
    with "two of them" and "one person", so its largest number counts.
    """
    counted = sum(one.people for one in sentences)
    if counted:
        return counted, "one person" if counted == 1 else f"{counted} people in all"
    free = [told for one in sentences for told in _told(one)]
    return max(free, key=lambda told: told[0], default=(0, ""))


def usual_most(captions: Sequence[Caption]) -> int:
    """The number of people that at most ``EXCEEDED`` of normal ``captions`` tell more of; 0 where none tells any."""
    counts = sorted(people_told(sentences_of(caption))[0] for caption in captions)
    return counts[max(0, math.ceil((1 - EXCEEDED) * len(counts)) - 1)] if counts else 0


def _told(sentence: Sentence) -> Iterator[tuple[int, str]]:
    words = sentence.words
    for index, word in enumerate(words):
        figures = word.text.isdecimal() and len(word.text) <= _DIGITS
        value = int(word.text) if figures else _VALUES.get(word.text)
        if value is None:
            continue
        following = words[index + 1 : index + 1 + _WITHIN]
        if people := next((one for one in following if names_somebody(one.text)), None):
            yield value, sentence.text[word.start : people.end]
