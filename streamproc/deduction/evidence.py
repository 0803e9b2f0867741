"""What speaks for an anomaly in a window, sentence by sentence, and what a normal rule already answers.

A normal rule is a site's word that something is all right. It answers an anomaly only when it is about the same thing:

- an anomaly by **keyword** is answered by a normal rule that met the same word of the same sentence;
- an anomaly by **meaning** by a normal rule that fits the same sentence at least as well, or that lists its verb;
- a **measurement** by a normal rule that lists the verb of each sentence which rests on it. Likeness of meaning is not
  enough there: "people walk here" is like "a person hurries by", and would silence every speed.

A verb must tell how: that people walk and cars drive here says nothing of how fast, nor of what else they do.

So "joggers run here" keeps runners quiet and leaves the cart beside them to its own rule.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from streamproc.areas import named
from streamproc.facts import facts_of
from streamproc.types import Caption, Fact, Match, Measurement, ObservedWindow, Rule

_WORD = re.compile(r"\w+")
_TELLS_NOTHING = frozenset(
    ("be", "come", "drive", "go", "move", "pass", "rest", "ride", "see", "stand", "travel", "walk")
)
"""Verbs that are said of what is usual and unusual alike."""


@dataclass(frozen=True, slots=True)
class Met:
    """A rule in force that the caption meets."""

    match: Match
    rule: Rule
    facts: tuple[int, ...]
    """Indices of the sentences that it met."""
    answered_by: Rule | None = None
    """For an anomaly rule: the normal rule that calls the same thing normal."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A calibrated measurement, and the sentences that rest on it."""

    measurement: Measurement
    facts: tuple[int, ...]
    answered_by: Rule | None = None
    """The normal rule that calls it normal, where it is beyond its threshold."""

    @property
    def beyond(self) -> bool:
        """Whether it reaches the threshold that was calibrated for it."""
        return self.measurement.score >= self.measurement.threshold

    @property
    def stands(self) -> bool:
        """Beyond the threshold, and no normal rule answers it."""
        return self.beyond and self.answered_by is None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the voters look at."""

    facts: tuple[Fact, ...]
    """The caption's sentences; split from its text where the captioner gave no parts."""
    anomalies: tuple[Met, ...]
    normals: tuple[Met, ...]
    measured: tuple[Measured, ...]
    not_judged: tuple[str, ...]

    def standing(self) -> tuple[Met, ...]:
        """Anomaly rules that are met and not answered."""
        return tuple(met for met in self.anomalies if met.answered_by is None)

    def novel(self) -> tuple[Measured, ...]:
        """Measurements beyond their thresholds and not answered, farthest first."""
        beyond = [measured for measured in self.measured if measured.stands]
        return tuple(sorted(beyond, key=lambda one: -one.measurement.score / max(one.measurement.threshold, 1e-9)))


def gather(
    observed: ObservedWindow,
    caption: Caption,
    matches: Sequence[Match],
    rules: Mapping[str, Rule],
    zones: Collection[str] = (),
) -> Evidence:
    """Sort what was matched and measured; ``rules`` by id, ``zones`` the names of the camera's zones.

    Matches of rules that do not exist or are disabled are left out.
    """
    facts = facts_of(caption)
    texts = [fact.text.casefold() for fact in facts]
    met = [
        Met(match, rule, _where(match, rule, facts, texts, zones))
        for match in matches
        if (rule := rules.get(match.rule_id)) is not None and rule.enabled
    ]
    normals = tuple(one for one in met if one.rule.says == "normal")
    anomalies = tuple(
        Met(one.match, one.rule, one.facts, _answer_to_match(one, normals, facts))
        for one in met
        if one.rule.says == "anomaly"
    )
    return Evidence(facts, anomalies, normals, _measured(observed, facts, normals), observed.not_judged)


def _where(
    match: Match, rule: Rule, facts: Sequence[Fact], texts: Sequence[str], zones: Collection[str]
) -> tuple[int, ...]:
    """Sentences with the match's words; of a rule for zones, those that are told to be there."""
    words = match.words.strip().casefold()
    found = [i for i, text in enumerate(texts) if _spans(words, text)] or list(range(len(facts)))
    if rule.when is not None and rule.when.zones:
        own = set(rule.when.zones)
        found = [i for i in found if own.intersection(named(facts[i].place, own.union(zones)))] or found
    return tuple(found)


def _answer_to_match(anomaly: Met, normals: Sequence[Met], facts: Sequence[Fact]) -> Rule | None:
    """The normal rule that answers every sentence which the anomaly rule met; the last one's, where they differ."""
    rule = None
    # What was counted in footage does not overrule what a person wrote: induced rules have support, theirs none.
    peers = [n for n in normals if anomaly.rule.support is not None or n.rule.support is None]
    for i in anomaly.facts:
        rule = next((n.rule for n in peers if i in n.facts and _same_thing(anomaly, n, facts[i])), None)
        if rule is None:
            return None
    return rule


def _same_thing(anomaly: Met, normal: Met, fact: Fact) -> bool:
    if anomaly.match.how == "keyword":
        return normal.match.how == "keyword" and _overlap(anomaly.match.words, normal.match.words, fact.text)
    if normal.match.how == "semantic":
        return normal.match.score >= anomaly.match.score
    return _lists_the_verb(normal, fact)


def _overlap(one: str, other: str, text: str) -> bool:
    """Whether they stand at the same place of the text, at least in part."""
    ones, others = (_spans(words.strip().casefold(), text.casefold()) for words in (one, other))
    return any(a[0] < b[1] and b[0] < a[1] for a in ones for b in others)


def _lists_the_verb(normal: Met, fact: Fact) -> bool:
    verb = _WORD.search(fact.action.casefold())
    if normal.match.how != "keyword" or verb is None:
        return False
    listed = {lemma for word in _WORD.findall(normal.match.words.casefold()) for lemma in _lemmas(word)}
    return bool((_lemmas(verb.group()) - _TELLS_NOTHING) & listed)


def _measured(observed: ObservedWindow, facts: Sequence[Fact], normals: Sequence[Met]) -> tuple[Measured, ...]:
    result = []
    for measurement in observed.measurements:
        rests = tuple(i for i, fact in enumerate(facts) if _rests_on(fact, measurement))
        answer: Rule | None = None
        if measurement.score >= measurement.threshold:
            answers = [
                next((n.rule for n in normals if i in n.facts and _lists_the_verb(n, facts[i])), None) for i in rests
            ]
            answer = answers[-1] if answers and all(answers) else None
        result.append(Measured(measurement, rests, answer))
    return tuple(result)


def _rests_on(fact: Fact, measurement: Measurement) -> bool:
    if measurement.track_id is not None and measurement.track_id in fact.track_ids:
        return True
    # A scene's measurement without a track is carried by whichever sentences tell of the same measure as unusual.
    own = fact.measurement
    return own is not None and own.name == measurement.name and own.score >= own.threshold


def _spans(words: str, text: str) -> list[tuple[int, int]]:
    """Where ``words`` stand in the text as whole words; both casefolded."""
    spans = []
    start = text.find(words) if words else -1
    while start >= 0:
        end = start + len(words)
        if not _goes_on(text[start - 1 : start + 1]) and not _goes_on(text[end - 1 : end + 1]):
            spans.append((start, end))
        start = text.find(words, start + 1)
    return spans


def _goes_on(edge: str) -> bool:
    """Whether a word goes on over the edge between two characters."""
    return len(edge) > 1 and all(one.isalnum() or one == "_" for one in edge)


@lru_cache(maxsize=4096)
def _lemmas(word: str) -> frozenset[str]:
    """``hurry`` for hurries, hurry, hurrying: a caption's verb agrees with its count, its parts' verb does not."""
    import lemminflect  # its dictionary takes a third of a second to load

    return frozenset(lemminflect.getAllLemmas(word).get("VERB", ())) or frozenset({word})
