"""What a rule forbids, affirmed: "No cycling here" is about someone who is cycling here.

A sentence that denies may tell of two opposite things. "No guard at the gate" names an absence, and the absence is the
anomaly; "no cycling here" forbids, and what it denies is the anomaly. Of a rule that says normal it is always the
second: that nobody runs is normal, so running is not. Of one that says anomaly it is the second where it says so ("not
allowed", "forbidden", "do not"), where it denies an activity ("nobody runs", "no cycling") or things that are many or
unusual at most places ("no vehicles"). Nobody who *is* somewhere, attends to something or wears something, and "there
is no …", are absences. These are rules of thumb for short sentences; ``lint`` tells how a sentence was understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from streamproc.rules.affirming import WHERE, Affirmed, turned
from streamproc.rules.taxonomy import is_unusual, kind_of, synonyms_of
from streamproc.rules.wording import wording_of
from streamproc.types import About, Says

_SENTENCE_END = re.compile(r"[.!;]+\s*")
_LIMITS = re.compile(
    r"\b(?:except|unless|other than|apart from|without|only|but|off|(?:at|by) (?:night|day)|weekends?|hours|"
    r"\d+(?::\d+| ?[ap]m))\b"
)
"""What makes a prohibition narrower than its words."""
_EXCEPTED = re.compile(r",? (?:except|unless|other than|apart from|but)\b.*")
_PLACED = re.compile(rf" (?:{'|'.join(sorted(WHERE))})\b.*")
_HERE = re.compile(r" (?:here|anywhere)$")
_INTO = frozenset(("enter", "cross", "climb"))
"""Their objects are places."""
_DONE_WITH = {"bicycle": "cycle", "bike": "cycle"}


@dataclass(frozen=True, slots=True)
class Forbidden:
    """What a rule forbids."""

    text: str
    """Affirmed, in one sentence: ``Someone is cycling or skating here.``"""
    about: About
    """Things, or what people do."""
    keywords: tuple[str, ...]
    """Words to know it by; empty where single words would tell of more than is forbidden."""


@lru_cache(maxsize=4096)
def forbidden(text: str, says: Says) -> Forbidden | None:
    """What a rule of this ``text`` forbids; None where it forbids nothing, or names an absence."""
    lower = " ".join(text.lower().replace("\u2019", "'").split())
    parts = [part for part in _SENTENCE_END.split(lower.rstrip(" .!;")) if part]
    found = [turned(_EXCEPTED.sub("", part), says) for part in parts]
    if not found or found[0] is None:
        return None
    told = [one for one in found if one is not None]
    about: About = "environment" if all(one.kind != "act" for one in told) else "human"
    words = [word for one in told for word in _keywords(one)] if not _LIMITS.search(lower) else []
    sentences = " ".join(f"{one.text[0].upper()}{one.text[1:]}." for one in told)
    return Forbidden(sentences, about, tuple(dict.fromkeys(words)))


def _keywords(one: Affirmed) -> list[str]:
    named = wording_of(_PLACED.sub("", one.text))
    # "Nobody stands at the till": standing alone is not it. What is unusual at most places is, wherever it is done.
    anywhere = _HERE.sub("", one.text) != one.text or _PLACED.search(one.text) is None
    match one.kind:
        case "thing":
            words = named.heads
        case "act":
            objects = named.heads & named.objects
            into = bool(named.heads) and not named.actions.isdisjoint(_INTO)
            # "Nobody carries a ladder": neither of the two by itself.
            known = frozenset(thing for thing in objects if synonyms_of(thing))
            words, anywhere = known or named.actions, anywhere and not into and not objects
        case _:
            words = frozenset[str]()
    return [word for first in sorted(words) if anywhere or is_unusual(first) for word in _meant_by(first)]


def _meant_by(word: str) -> list[str]:
    with_it = [_DONE_WITH[word], *synonyms_of(_DONE_WITH[word])] if word in _DONE_WITH else []
    return [word, *kind_of(word), *synonyms_of(word), *with_it]
