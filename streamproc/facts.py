"""A caption sentence by sentence, also where its captioner wrote free text."""

from __future__ import annotations

import re

from streamproc.types import Caption, Fact

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def facts_of(caption: Caption) -> tuple[Fact, ...]:
    """The caption's facts; free text is split into sentences, each of which says itself where it is."""
    if caption.facts:
        return caption.facts
    parts = (part.strip() for part in _SENTENCE_END.split(caption.text))
    return tuple(Fact("environment", "", 1, "", part, part) for part in parts if part)
