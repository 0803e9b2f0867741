"""Keywords as whole words in all their inflections, and never where the sentence denies them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from streamproc.rules.negation import Word, is_negator, words_of

_VERBS_AND_NOUNS = ("VB", "NN")
_AS_THEY_ARE = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "by",
        "to",
        "up",
        "off",
        "out",
        "over",
        "down",
        "with",
        "without",
        "from",
        "and",
        "or",
        "no",
        "not",
        "is",
        "are",
        "be",
    ]
)


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword, ready to be looked for."""

    text: str
    """As the rule lists it."""
    parts: tuple[frozenset[str], ...]
    """For each of its words, the forms that meet it."""
    denies: bool
    """Whether it denies something itself ("without a helmet"), and so is met by a denial."""


@lru_cache(maxsize=4096)
def compile_keyword(text: str) -> Keyword:
    """The keyword ``text``; one without any word in it is never met."""
    words = [word.text for word in words_of(text)]
    return Keyword(text, tuple(forms_of(word) for word in words), any(is_negator(word) for word in words))


@lru_cache(maxsize=4096)
def forms_of(word: str) -> frozenset[str]:
    """``word`` in all inflections as verb and as noun, itself included: run, runs, running, ran.

    A form stands for its base (``running`` for ``run``) where it is no base of its own.
    """
    if word in _AS_THEY_ARE or not word.isalpha():
        return frozenset({word})
    # The dictionary takes a third of a second to load; a pipeline without rules need not wait for it.
    import lemminflect

    bases = {word}
    lemmas = lemminflect.getAllLemmas(word)
    for kind in ("VERB", "NOUN"):
        found = set(lemmas.get(kind, ()))
        own = bool(lemminflect.getAllInflections(word)) and not (kind == "VERB" and word.endswith("ing"))
        if found and word not in found and not (kind == "VERB" and own):
            bases |= found
    forms = {word}
    for base in bases:
        known = lemminflect.getAllInflections(base)
        if not known and not lemmas:
            known = lemminflect.getAllInflectionsOOV(base, "NOUN")  # a word of the site's own: its plural, no verb
        forms |= {form for tag, found in known.items() if tag.startswith(_VERBS_AND_NOUNS) for form in found}
    return frozenset(forms)


def find(keyword: Keyword, words: Sequence[Word]) -> tuple[Word, ...] | None:
    """The first run of ``words`` that meets ``keyword`` and is not denied; None where there is none."""
    return next((run for start in range(len(words)) if (run := found_at(keyword, words, start))), None)


def found_at(keyword: Keyword, words: Sequence[Word], start: int) -> tuple[Word, ...] | None:
    """The run of ``words`` from ``start`` on that meets ``keyword`` and is not denied; None if it does not."""
    run = words[start : start + len(keyword.parts)]
    if not run or len(run) < len(keyword.parts):
        return None
    if not all(word.text in part for word, part in zip(run, keyword.parts, strict=True)):
        return None
    return tuple(run) if keyword.denies or not any(word.denied for word in run) else None


def meets(keywords: Iterable[str], text: str) -> str | None:
    """The first of ``keywords`` that ``text`` meets, as the rule lists it."""
    words = words_of(text)
    return next((k for k in keywords if find(compile_keyword(k), words) is not None), None)


def verb_of(form: str) -> str:
    """The base of a verb's form: hurries, hurry; a word that is none is its own."""
    import lemminflect

    found = lemminflect.getLemma(form, "VERB")
    return found[0] if found else form


def plural_of(noun: str) -> str:
    """The plural of a noun, of its last word where it has several: traffic light, traffic lights."""
    import lemminflect

    first, space, last = noun.rpartition(" ")
    found = lemminflect.getInflection(last, "NNS") or (f"{last}s",)
    return f"{first}{space}{found[0]}"
