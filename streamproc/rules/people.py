"""Which words of a sentence tell what people do: in "a man runs past fallen leaves", not the last two.

A rule about people must not be met by a thing: "falls" by fallen leaves, "strike" by a striking wall. The perception
of AnomalyRuler keeps people and things apart by two questions (section 3.1), but its answers come as one text, and a
captioner's parts are not always filed rightly. So it is read off the sentence, by rules of thumb like those of
``negation``: a clause is about people if it names somebody, or goes on with what somebody does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from streamproc.facts import facts_of
from streamproc.rules.negation import Word, words_of
from streamproc.types import About, Caption

_NAMES = (
    "person people persons man men woman women child children kid kids boy boys girl girls baby infant toddler "
    "adult adults individual individuals human humans pedestrian pedestrians passer passers bystander "
    "bystanders someone somebody anyone anybody everyone everybody nobody they them he him she her who guy guys "
    "lady ladies gentleman student students teacher worker workers guard guards officer officers driver drivers "
    "rider riders cyclist cyclists skater skaters skateboarder skateboarders runner runners jogger joggers walker "
    "walkers player players visitor visitors customer customers shopper shoppers commuter commuters couple group "
    "groups crowd crowds family families figure figures stranger strangers intruder intruders thief thieves "
    "tourist tourists patient patients passenger passengers"
)
_PEOPLE = frozenset(_NAMES.split())
_COUNTS = (
    "one another other others first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "last next both some most several many few all two three four five six seven eight nine ten eleven twelve"
)
# "Another is standing", "two of them walk", "the third walks": a count that acts stands for a person.
_ACTING = re.compile(
    rf"\b(?:{'|'.join(_COUNTS.split())})(?: of (?:them|whom))?(?: also| then)? "
    r"(?:is|are|was|were|appears?|seems?|has|have|walk|walks|stand|stands|sit|sits|run|runs|ride|rides|[a-z]+ing)\b",
    re.IGNORECASE,
)
# What goes on with the subject of the clause before: "…, in a grey coat, is in motion, possibly running".
_GOES_ON = re.compile(
    r"^\W*(?:(?:and|or|but|while|whereas|also|then|still|just|either|as if|possibly|perhaps|maybe|apparently|seemingly|"
    r"probably|likely) )*"
    r"(?:(?!(?:some|any|every|no)thing\b)[a-z]+ing|"
    r"is|are|was|were|has|have|seems?|appears?|looks?|in|on|at|with|without|near|by|next to|behind|"
    r"walks?|stands?|sits?|runs?|rides?|falls?|hits?|jumps?|throws?|holds?|carries|carry|dressed|bent|seated)\b",
    re.IGNORECASE,
)
# "One bicycle glides, as if cycling or skating": whatever it is said of, what it is likened to people do.
_LIKENED = re.compile(r"^\W*as if [a-z]+ing\b", re.IGNORECASE)
# "Something larger than a person glides": of a thing, beside people.
_COMPARED = re.compile(r"\b(?:size of|larger than|smaller than) an? $", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r"[.;:!?\n]|,|\b(?:while|whereas|but)\b|"
    r"\band (?=(?:the|a|an|another|one|some|two|three|four|others|there|in|on)\b)",
    re.IGNORECASE,
)
_SHORT = 4
_FROM_HERE_ON_THINGS = re.compile(
    r"\b(?:other than|apart from|aside from|besides|in addition to|beyond|except for)\b[^,.]{0,20}"
    r"\b(?:people|persons?|individuals?|humans?|pedestrians?|them|these|this)\b",
    re.IGNORECASE,
)


def names_somebody(word: str) -> bool:
    """Whether the word, in lower case, stands for people: person, rider, they."""
    return word in _PEOPLE


def words_about_people(text: str, words: Sequence[Word]) -> tuple[Word, ...]:
    """Those of a sentence's ``words`` that stand in clauses about people."""
    found: list[Word] = []
    for start, end in _spans(text, _people(text, words)):
        found += [word for word in words if start <= word.start < end]
    return tuple(found)


def _people(text: str, words: Sequence[Word]) -> list[int]:
    """Where somebody is named, and no thing compared with them."""
    return [word.start for word in words if word.text in _PEOPLE and not _COMPARED.search(text, 0, word.start)]


def _spans(text: str, people: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where the clauses about people are; ``people`` is where they are named."""
    turn = _FROM_HERE_ON_THINGS.search(text)
    about_things = turn.start() if turn else len(text)
    start, went_before = 0, True
    for end in [*(match.start() for match in _CLAUSE_END.finditer(text)), len(text)]:
        clause = text[start:end]
        if clause.strip(" ,.;:!?\n") and start < about_things:
            named = any(start <= place < end for place in people) or _ACTING.search(clause)
            about_people = bool(named or _LIKENED.search(clause) or (went_before and _GOES_ON.search(clause)))
            if about_people:
                yield start, min(end, about_things)
            # "Someone in glasses and a red shirt, running": a short piece between is no new subject.
            went_before = about_people or (went_before and len(clause.split()) <= _SHORT)
        start = end


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a caption, as rules look at it."""

    text: str
    words: tuple[Word, ...]
    about_people: tuple[Word, ...]
    """Those of the words that tell of people."""
    place: str
    """Where it is, in words."""
    people: int = 0
    """How many people it tells of, where the captioner counted them."""

    @property
    def nameless(self) -> bool:
        """Whether it tells of something that has no name, and of nobody: what moves fast does not run.

        What moves "as if cycling or skating" is likened to somebody.
        """
        return not self.about_people and self.text.casefold().startswith("something ")

    def words_for(self, about: About) -> tuple[Word, ...]:
        """The words that may meet a rule: of a rule about things all, for people carry and ride them."""
        return self.about_people if about == "human" else self.words


def sentences_of(caption: Caption) -> tuple[Sentence, ...]:
    """The caption's sentences in order; what a captioner filed under people is about people."""
    counted = bool(caption.facts)
    return tuple(
        _sentence(fact.text, fact.about, fact.place, fact.count if counted and fact.about == "human" else 0)
        for fact in facts_of(caption)
    )


@lru_cache(maxsize=4096)
def _sentence(text: str, about: About, place: str, people: int) -> Sentence:
    # Captions repeat themselves: from window to window most sentences stay.
    words = words_of(text)
    return Sentence(text, words, words if about == "human" else words_about_people(text, words), place, people)
