"""How many people a caption tells of: "There are seven people in the image" tells of seven."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from streamproc.rules.people import Sentence, names_somebody, sentences_of
from streamproc.types import Caption

EXCEEDED = 0.01
"""Share of normal captions that may tell of more people than is called usual: captioners miscount."""
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_VALUES = {word: value for value, word in enumerate(_NUMBERS.split())}
# The number and at most two words behind it: "two young men", but not "two cars beside people".
_NUMBER = re.compile(rf"\b(\d{{1,3}}|{'|'.join(_VALUES)})\b(?=([ -][a-z-]+)([ -][a-z-]+)?)", re.IGNORECASE)


def people_told(sentences: Sequence[Sentence]) -> tuple[int, str]:
    """How many people the ``sentences`` of a caption tell of together, and in which words; 0 where they tell no number.

    The counts of a captioner that gives them are added up. Those of free text are not: after "five people" it goes on
    with "two of them" and "one person", so its largest number counts.
    """
    counted = [(one.people, one.text) for one in sentences if one.people]
    if counted:
        return sum(count for count, _ in counted), max(counted)[1]
    return max((_largest(one.text) for one in sentences), default=(0, ""), key=lambda told: told[0])


def usual_most(captions: Sequence[Caption]) -> int:
    """The number of people that at most ``EXCEEDED`` of normal ``captions`` tell more of; 0 where none tells any."""
    counts = sorted(people_told(sentences_of(caption))[0] for caption in captions)
    return counts[max(0, math.ceil((1 - EXCEEDED) * len(counts)) - 1)] if counts else 0


@lru_cache(maxsize=4096)
def _largest(text: str) -> tuple[int, str]:
    return max(_told(text), default=(0, ""), key=lambda told: told[0])


def _told(text: str) -> Iterator[tuple[int, str]]:
    for found in _NUMBER.finditer(text):
        said = found[1]
        for word in (found[2], found[3] or ""):
            said += word
            if names_somebody(word[1:]):
                yield int(found[1]) if found[1].isdigit() else _VALUES[found[1].casefold()], said
                break
