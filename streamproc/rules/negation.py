"""Words of a sentence, each with whether it is denied: in "nobody is running", "running" is.

A denial holds inside its clause and forward from the word that denies ("no bicycle or scooter"), except where a
thing is said and then denied ("a bicycle is not visible"). "Without a bag" and "with no bag" deny one thing and not the
clause.
These are rules of thumb for the short declarative sentences of captions, not a grammar of English. Where they are in
doubt a denial ends: a false alarm can be seen and mended, a missed one cannot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"\d+(?:\.\d+)?|[^\W_]+(?:['\u2019][^\W\d_]+)?")
_TOKEN = re.compile(rf"{_WORD.pattern}|[.;:!?()\n,\u2013\u2014]")
_STRONG = frozenset(".;:!?()\n\u2013\u2014")
_BREAKS = frozenset(
    ["but", "however", "although", "though", "while", "whereas", "yet", "except", "besides", "because", "when", "until"]
)
_BREAK_PAIRS = frozenset({("other", "than"), ("apart", "from"), ("aside", "from")})
_STARTERS = frozenset(
    [
        "a",
        "an",
        "the",
        "this",
        "that",
        "these",
        "those",
        "there",
        "here",
        "he",
        "she",
        "they",
        "it",
        "someone",
        "somebody",
        "something",
        "everyone",
        "everybody",
        "another",
        "other",
        "others",
        "people",
        "some",
        "several",
        "many",
        "most",
        "both",
        "all",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "is",
        "are",
        "was",
        "were",
        "has",
        "have",
        "with",
        "only",
        "just",
    ]
)
_NEGATORS = frozenset(
    ["no", "not", "never", "nobody", "nothing", "none", "nowhere", "neither", "nor", "cannot", "hardly", "without"]
)
_NEGATOR_PAIRS = frozenset(
    {("lack", "of"), ("absence", "of"), ("free", "of"), ("devoid", "of"), ("rather", "than"), ("instead", "of")}
)
_NOT_NEGATORS = frozenset(
    {("not", "only"), ("not", "just"), ("not", "far"), ("no", "doubt"), ("no", "matter"), ("no", "sooner")}
)
_SEEN = frozenset(
    [
        "visible",
        "seen",
        "present",
        "there",
        "shown",
        "detected",
        "found",
        "anywhere",
        "noticeable",
        "apparent",
        "evident",
    ]
)
_BE = frozenset(
    ["is", "are", "was", "were", "be", "been", "isn't", "aren't", "wasn't", "weren't", "can", "cannot", "can't"]
)
_ENDS_PHRASE = _BE | frozenset(
    [
        "has",
        "have",
        "had",
        "does",
        "do",
        "did",
        "who",
        "which",
        "that",
        "near",
        "on",
        "in",
        "at",
        "by",
        "along",
        "across",
        "toward",
        "towards",
    ]
)
_DETERMINERS = frozenset(["a", "an", "the", "any", "his", "her", "their", "its", "some"])


_DENYING = _NEGATORS | {first for first, _ in _NEGATOR_PAIRS} | {"absent"}
"""Words of which a text must hold one, or "n't", for any word of it to be denied."""


class Word(NamedTuple):
    """One word of a text."""

    text: str
    """In lower case, with straight apostrophes."""
    start: int
    """Where it starts in the text."""
    end: int
    """Where it ends."""
    denied: bool
    """Whether the sentence says that it is not so."""


@dataclass(slots=True)
class _Scan:
    words: list[str]
    denied: list[bool]
    clause: int = 0
    """Where the clause began."""
    scope: str = ""
    """What a denial covers at this place: "" nothing, "clause" or "phrase"."""
    content: int = 0
    """Words of content so far in a denied phrase."""


def words_of(text: str) -> tuple[Word, ...]:
    """The words of ``text`` in order; figures are words, punctuation is not."""
    lower = _lower(text)
    found = [(match[0], *match.span()) for match in _WORD.finditer(lower)]
    if "n't" not in lower and _DENYING.isdisjoint([word for word, _, _ in found]):
        return tuple(Word(word.removesuffix("'s"), start, end, False) for word, start, end in found)
    found = [(match[0], *match.span()) for match in _TOKEN.finditer(lower)]
    scan = _Scan([word for word, _, _ in found], [False] * len(found))
    for index in range(len(found)):
        _step(scan, index)
    return tuple(
        Word(word.removesuffix("'s"), start, end, denied)
        for (word, start, end), denied in zip(found, scan.denied, strict=True)
        if word not in _STRONG and word != ","
    )


def _lower(text: str) -> str:
    """In lower case and with straight apostrophes, place by place."""
    lower = text.lower().replace("\u2019", "'")
    return lower if len(lower) == len(text) else "".join(low if len(low := one.lower()) == 1 else one for one in text)


def is_negator(word: str) -> bool:
    """Whether the word by itself denies."""
    return word in _NEGATORS or word.endswith("n't")


def affirmed(text: str, words: Sequence[Word] | None = None) -> str | None:
    """``text`` without what it denies; None where it denies nothing, "" where nothing is left.

    ``words`` are those of the text, where they are known.
    """
    words = words_of(text) if words is None else words
    if not any(word.denied for word in words):
        return None
    kept = [word for word in words if not word.denied]
    return " ".join(text[word.start : word.end] for word in kept) if len(kept) > 2 else ""


def _step(scan: _Scan, index: int) -> None:
    word, after = scan.words[index], _at(scan.words, index + 1)
    if word in _STRONG or word in _BREAKS or (word, after) in _BREAK_PAIRS:
        _begin_clause(scan, index + 1)
    elif word in {",", "and", "then"}:
        following = _at(scan.words, index + 2) if after in {"and", "then"} else after
        if following in _STARTERS or following[:1].isdigit():
            _begin_clause(scan, index + 1)
    elif _denies(word, after):
        before = _at(scan.words, index - 1)
        scan.scope = "phrase" if word == "without" or (word == "no" and before == "with") else "clause"
        scan.content = 0
        scan.denied[index] = True
        if before in _BE | {""} or word.endswith("n't") or word == "cannot":
            _deny_what_was_said(scan, index)
    elif scan.scope:
        if scan.scope == "phrase" and _ends_phrase(scan, word):
            scan.scope = ""
            return
        scan.denied[index] = True
        scan.content += word not in _DETERMINERS
    elif word == "absent" and _at(scan.words, index - 1) in _BE:
        _deny_back(scan, index)


def _denies(word: str, after: str) -> bool:
    if word == "no" and after in {",", "", "."}:
        return False
    return (is_negator(word) and (word, after) not in _NOT_NEGATORS) or (word, after) in _NEGATOR_PAIRS


def _ends_phrase(scan: _Scan, word: str) -> bool:
    # After the thing itself, what looks like a verb says what its owner does: "a man without a hat runs".
    return word in _ENDS_PHRASE or (scan.content > 0 and word.endswith(("s", "ing", "ed")))


def _deny_what_was_said(scan: _Scan, index: int) -> None:
    ahead = scan.words[index + 1 : index + 3]
    if (ahead and ahead[0] in _SEEN) or ahead in (["be", "seen"], ["in", "view"], ["in", "sight"], ["to", "be"]):
        _deny_back(scan, index)


def _deny_back(scan: _Scan, index: int) -> None:
    for back in range(scan.clause, index + 1):
        scan.denied[back] = True


def _begin_clause(scan: _Scan, index: int) -> None:
    scan.clause, scan.scope = index, ""


def _at(words: list[str], index: int) -> str:
    return words[index] if 0 <= index < len(words) else ""
