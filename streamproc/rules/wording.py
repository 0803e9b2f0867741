"""What a rule's sentence names: what is done, and which things. By rules of thumb for short plain sentences.

Sentence embeddings hold "people walk along the path" and "people run along the path" for the same (likeness 1.0 on the
scale of ``meaning``), and "people carry bags" and "people leave bags behind" too. So where two rules are held to mean
the same, or one to contradict the other, the words that tell them apart must agree as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from streamproc.rules.negation import words_of
from streamproc.rules.people import names_somebody
from streamproc.rules.taxonomy import ANOMALIES
from streamproc.types import About


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PLACING = _set(
    "on in at by near along across over under behind through into onto from towards toward around beside between "
    "within inside outside past upon against among during of for off up down out about above below after before"
)
_NAMING = _set(
    "a an the this these those their his her its any some no each every another other one two three many several with "
    "without more most all"
)
_ACTING = _set("is are was were be been being am has have had does do did to who which that while can may must")
_JOINING = _set("and or nor but")
_SAYS_NOTHING = (
    _PLACING
    | _NAMING
    | _ACTING
    | _JOINING
    | _set(
        "will would could might should as if than then there here where when whom what how why so too very also just "
        "only such something anything everything nothing it they them he him she we us you not together well"
    )
)
_FOLLOW = _PLACING | _NAMING | {"", "where", "and"}
_VAGUE = _set(
    "appear seem look see show occur happen involve include engage make take get go come keep remain stay move use "
    "perform act behave cause create present display observe exist contain consist hold "
    "thing object item activity action behaviour behavior movement motion manner way part kind type form area zone "
    "scene view camera image picture moment time side front back centre center middle rest end number pair variety "
    "purpose presence state condition nature speed pace distance direction reason visible present sight "
    "background foreground"
)
_PLACES = _set(
    "ground path pathway walkway road street sidewalk pavement floor lawn grass building wall campus square plaza "
    "corridor hall room entrance exit station platform yard park step stair crosswalk roadway lane sky place space "
    "environment surroundings site property"
)
_ALIKE = {
    (category.about, word): f"{category.id}:{'' if category.about == 'human' else synonyms[0]}"
    for category in ANOMALIES
    for synonyms in category.words
    for word in synonyms
    if " " not in word
}
"""What the taxonomy holds for one kind: all ways to hurry, but only real synonyms of things."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The base forms of a sentence's words, without those for people."""

    acts: frozenset[str]
    """Verbs: what is done."""
    heads: frozenset[str]
    """Nouns before the first word that says where."""
    things: frozenset[str]
    """All nouns."""
    all: frozenset[str]
    """Every word that tells something, of any kind."""

    @property
    def objects(self) -> frozenset[str]:
        """Nouns that tell something, without places."""
        return self.things - self.acts - _VAGUE - _PLACES

    @property
    def actions(self) -> frozenset[str]:
        """Verbs that tell something."""
        return self.acts - _VAGUE

    def keywords(self, about: About) -> tuple[str, ...]:
        """What to know it by: of people verbs, then nouns; of things nouns. Places only where there is nothing else."""
        nouns = sorted(self.things - self.acts - _VAGUE)
        verbs = sorted(self.acts - _VAGUE)
        telling = [noun for noun in nouns if noun not in _PLACES]
        if about == "environment":
            return tuple(telling or nouns or verbs)
        return tuple([*verbs, *telling] or nouns)

    def subject(self, about: About) -> frozenset[str]:
        """What the sentence is about, in kinds of the taxonomy where it knows the word: acts of people, else things."""
        first = self.acts if about == "human" else self.heads
        words = (first - _VAGUE) or (self.things - _VAGUE)
        return frozenset(_ALIKE.get((about, word), word) for word in words)


def same_subject(about: About, one: Wording, other: Wording) -> bool:
    """Whether at least half of what the shorter one is about is what the other is about."""
    mine, theirs = one.subject(about), other.subject(about)
    if not mine or not theirs:
        return mine == theirs
    return len(mine & theirs) * 2 >= min(len(mine), len(theirs))


@lru_cache(maxsize=4096)
def wording_of(text: str) -> Wording:
    """What ``text`` names; what it denies is not among it."""
    acts: set[str] = set()
    nouns: list[str] = []
    heads: set[str] = set()
    others: set[str] = set()
    before, last, previous, placed = "", "", "", False
    words = words_of(text)
    for word, after in zip(words, [*(one.text for one in words[1:]), ""], strict=True):
        said = word.text
        if names_somebody(said):
            before, last = "somebody", ""
        elif said in _SAYS_NOTHING:
            placed = placed or said in _PLACING
            if said in _JOINING:
                before = last
            elif said in _PLACING | _NAMING:
                before = "naming"
            elif said in _ACTING:
                before = "acting"
        elif not word.denied:
            verb, noun = _bases(said)
            ing = said.endswith("ing") and noun not in _PLACES
            # "Smoke rises from", "trees stand by", but "a traffic light by".
            does = last == "noun" and after in _FOLLOW and said.endswith("s") == (previous == nouns[-1])
            if verb and (
                ing
                or does
                or (not noun and not said.endswith("ed"))
                or before in {"somebody", "verb"}
                or (before == "acting" and verb != said)
            ):
                acts.add(verb)
                last, before = "verb", "naming"
            elif noun:
                nouns.append(noun)
                heads |= set() if placed else {noun}
                last, before, previous = "noun", "naming", said
            elif not said.endswith("ly"):
                others.add(said)
    things = frozenset(nouns)
    return Wording(frozenset(acts), frozenset(heads), things, frozenset((acts | things | others) - _VAGUE))


@lru_cache(maxsize=4096)
def _bases(word: str) -> tuple[str, str]:
    """The word's base as a verb and as a noun, each "" where it is none."""
    import lemminflect

    found = lemminflect.getAllLemmas(word)
    if not found and word.isalpha():
        return "", word  # a word of the site's own
    return found.get("VERB", ("",))[0], "" if _is_adjective(word, found) else found.get("NOUN", ("",))[0]


def _is_adjective(word: str, found: dict[str, tuple[str, ...]]) -> bool:
    return "ADJ" in found and (word.endswith("ed") or "VERB" not in found or "ADV" in found)
