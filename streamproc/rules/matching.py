"""Which rules a caption meets: by a keyword, a number of people, or a sentence that means what the rule says.

Each sentence is looked at by itself, so that a rule for a zone is met only by what happens in that zone. By meaning, a
sentence meets at most the one rule it is most like: next to the rules it might also resemble, normal ones included.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import structlog

from streamproc.areas import named
from streamproc.errors import InferenceError
from streamproc.rules.counting import people_told
from streamproc.rules.keywords import Keyword, compile_keyword, found_at
from streamproc.rules.meaning import Embedder, Meanings
from streamproc.rules.negation import affirmed
from streamproc.rules.people import Sentence, sentences_of
from streamproc.runtime.timetable import holds
from streamproc.types import About, Caption, Match, Rule, RuleSet

log = structlog.get_logger(__name__)
_Flags = npt.NDArray[np.bool_]
_Hits = tuple[tuple[int, float], ...]
"""Rules and likenesses 0..1 of those that a sentence is enough like."""
_REMEMBERED = 4096
"""Sentences whose hits are kept; captions repeat themselves a lot."""
_NUMBER = re.compile(r"\b\d+(\.\d+)?\b")
_FEW = 64
"""Hits of more rules than that are not kept: a low threshold would fill the memory."""


@dataclass(frozen=True, slots=True)
class _Placed:
    sentence: Sentence
    zones: frozenset[str]
    """Names of the zones that it places itself in."""

    @property
    def text(self) -> str:
        return self.sentence.text


@dataclass(frozen=True, slots=True)
class _Listed:
    """A keyword of a rule."""

    rule: int
    order: int
    keyword: Keyword
    strength: float
    part: int
    """Which of the keyword's parts it is found by."""


class Matcher:
    """Holds captions against one rule set."""

    def __init__(
        self, rules: RuleSet, embedder: Embedder | None, semantic_threshold: float, zones: Collection[str] = ()
    ) -> None:
        """Embed the rules' texts; without an ``embedder`` only keywords are looked for.

        ``semantic_threshold`` is the least likeness, 0..1 as ``meaning`` scales it, at which a sentence meets a rule.
        ``zones`` are the names of the camera's zones, so that its "back gate" is told from its "gate".

        Raises:
            InferenceError: the embedding model failed.
        """
        self.rules = rules
        self._active = tuple(rule for rule in rules.rules if rule.enabled)
        self._listed = _index(self._active)
        self._numbers = [
            (index, rule.more_people_than)
            for index, rule in enumerate(self._active)
            if rule.more_people_than is not None
        ]
        self._timed = [(index, rule.when) for index, rule in enumerate(self._active) if rule.when is not None]
        texts = [rule.forbids or rule.text for rule in self._active]
        self._denying = np.array([affirmed(text) is not None for text in texts], bool)
        self._meanings = Meanings(embedder, texts) if embedder else None
        self._threshold = semantic_threshold
        self._hits: dict[str, _Hits] = {}
        self._zones = frozenset(zones).union(*(rule.when.zones for rule in self._active if rule.when))

    def match(self, caption: Caption, at: datetime, timezone: str) -> list[Match]:
        """The rules in force at ``at`` (timezone-aware) that the caption meets, in the set's order, keywords first.

        Whatever words and sentences meet a rule are a match each: what answers one of them need not answer another.
        A model that fails costs the matches by meaning of this caption, and is logged.
        """
        placed = [
            _Placed(sentence, frozenset(named(sentence.place, self._zones))) for sentence in sentences_of(caption)
        ]
        in_force = np.ones(len(self._active), bool)
        for index, when in self._timed:
            in_force[index] = holds(when.hours, when.days, timezone, at)
        found: dict[tuple[int, str, str], Match] = {}
        for sentence in placed:
            for index, match in self._by_keyword(sentence, in_force):
                found.setdefault((index, "keyword", match.words.casefold()), match)
        for index, match in self._by_number(placed, in_force):
            found.setdefault((index, "keyword", match.words.casefold()), match)
        try:
            for index, match in self._by_meaning(placed, in_force):
                found.setdefault((index, "semantic", match.words), match)
        except InferenceError as error:
            log.warning("semantic_matching_failed", camera=caption.camera_id, error=str(error))
        return [found[key] for key in sorted(found, key=lambda key: key[:2])]

    def _by_keyword(self, placed: _Placed, in_force: _Flags) -> Iterator[tuple[int, Match]]:
        """Only keywords whose rarest word is in the sentence are looked at: a set may hold thousands."""
        runs: dict[tuple[int, int], Match] = {}
        for about, listed in self._listed.items():
            words = placed.sentence.words_for(about)
            for at, word in enumerate(words):
                for one in listed.get(word.text, ()):
                    key, rule, start = (one.rule, one.order), self._active[one.rule], at - one.part
                    if start < 0 or key in runs or not in_force[one.rule] or not _in_zone(rule, placed):
                        continue
                    if run := found_at(one.keyword, words, start):
                        said = placed.text[run[0].start : run[-1].end]
                        runs[key] = Match(rule.id, "keyword", one.strength, said)
        for key in sorted(runs):
            yield key[0], runs[key]

    def _by_number(self, placed: Sequence[_Placed], in_force: _Flags) -> Iterator[tuple[int, Match]]:
        for index, usual in self._numbers:
            rule = self._active[index]
            count, said = people_told([one.sentence for one in placed if _in_zone(rule, one)])
            if in_force[index] and count > usual:
                yield index, Match(rule.id, "keyword", rule.weight, said)

    def _by_meaning(self, sentences: Sequence[_Placed], in_force: _Flags) -> list[tuple[int, Match]]:
        if self._meanings is None or not self._active:
            return []
        # "Nobody runs" is close to "someone runs" in every encoder. So a rule that denies nothing is held against what
        # a sentence affirms, and only a rule of an absence ("nobody is at the till") against a sentence as it is.
        pairs = [(one, affirmed(one.text, one.sentence.words)) for one in sentences]
        texts = dict.fromkeys(_rounded(text) for one, rest in pairs for text in (one.text, rest) if text)
        hits = self._alike(self._meanings, texts)
        matches = []
        for sentence, rest in pairs:
            whole, part = hits.get(_rounded(sentence.text), ()), hits.get(_rounded(rest or ""), ())
            met = [hit for hit in whole if self._denying[hit[0]] == (rest is not None)]
            met += [hit for hit in part if not self._denying[hit[0]]]
            met = [hit for hit in met if in_force[hit[0]] and _in_zone(self._active[hit[0]], sentence)]
            if sentence.sentence.nameless:
                met = [hit for hit in met if self._active[hit[0]].about != "human"]
            if met:
                best, likeness = min(met, key=lambda hit: (-hit[1], hit[0]))
                rule = self._active[best]
                matches.append((best, Match(rule.id, "semantic", likeness * rule.weight, sentence.text)))
        return matches

    def _alike(self, meanings: Meanings, texts: Collection[str]) -> dict[str, _Hits]:
        """What each of ``texts`` is enough like; all that are not remembered in one product."""
        found = {text: self._hits[text] for text in texts if text in self._hits}
        new = [text for text in texts if text not in found]
        least = max(self._threshold, 1e-6)
        for text, row in zip(new, meanings.likeness(new), strict=True):
            # Rounded: a product's last digits depend on which other sentences are in it.
            near = [(int(index), round(float(row[index]), 5)) for index in np.flatnonzero(row >= least - 1e-5)]
            found[text] = hits = tuple(hit for hit in near if hit[1] >= least)
            if len(hits) <= _FEW:
                while len(self._hits) >= _REMEMBERED:
                    del self._hits[next(iter(self._hits))]
                self._hits[text] = hits
        return found


def _rounded(text: str) -> str:
    """With whole numbers of one digit, so that fewer sentences are embedded: 1.8 times as fast means what 2.1 times
    does, and 43 seconds what 40 do."""
    return _NUMBER.sub(lambda found: f"{float(f'{float(found.group()):.0e}'):.0f}", text)


def _index(rules: Sequence[Rule]) -> dict[About, dict[str, list[_Listed]]]:
    """Keywords by what their rules are about and by each form of the part that the fewest share: hundreds may begin
    with "person"."""
    keywords = {text: compile_keyword(text) for rule in rules for text in rule.keywords}
    shared = Counter(form for keyword in keywords.values() for part in keyword.parts for form in part)
    index: dict[About, dict[str, list[_Listed]]] = {"human": defaultdict(list), "environment": defaultdict(list)}
    for number, rule in enumerate(rules):
        for order, text in enumerate(rule.keywords):
            keyword = keywords[text]
            if not keyword.parts:
                continue
            part = min(range(len(keyword.parts)), key=lambda at: sum(shared[form] for form in keyword.parts[at]))
            strength = rule.strengths[order] if rule.strengths else 1.0
            listed = _Listed(number, order, keyword, strength * rule.weight, part)
            for form in keyword.parts[part]:
                index[rule.about][form].append(listed)
    return index


def _in_zone(rule: Rule, sentence: _Placed) -> bool:
    zones = rule.when.zones if rule.when else ()
    return not zones or not sentence.zones.isdisjoint(zones)
