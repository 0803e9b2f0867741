"""From captions of normal footage to rules: what is met often is normal, what is never met and worth a look is not.

The captions are split in time into batches, and a rule's support is counted over batches, so that one long visit does
not outweigh the rest (AnomalyRuler, section 3.2, aggregates over batches of reference frames; here the votes are
counted). Anomaly rules come by ``contrast``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from streamproc.errors import ConfigError
from streamproc.rules.contrast import by_contrast
from streamproc.rules.keywords import compile_keyword, find, plural_of, verb_of
from streamproc.rules.negation import words_of
from streamproc.rules.strength import Counted
from streamproc.rules.taxonomy import ANOMALIES, ORDINARY_ACTIONS, ORDINARY_THINGS
from streamproc.types import About, Caption, ModelRef, Rule, Support


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An anomaly rule that was left out, as what it is about is normal here."""

    text: str
    normal: str
    """What says so: a normal rule's sentence, or what the footage holds."""


@dataclass(frozen=True, slots=True)
class Induction:
    """What was learned."""

    how: str
    """The way of induction and its parameters, in words."""
    rules: tuple[Rule, ...]
    """Unique ids; people before things, normal before anomaly."""
    dropped: tuple[Counted, ...]
    """Keywords that are met too often, and that their rules therefore do not list."""
    doubted: tuple[Counted, ...]
    """Keywords that are met now and then, and weigh less for it (``strength``)."""
    captions: int
    """Captions that were counted."""
    models: tuple[ModelRef, ...]
    """Models that had a part."""
    contradicted: tuple[Contradiction, ...] = ()
    """Anomaly rules that were left out."""


@dataclass(frozen=True, slots=True)
class _Seen:
    about: About
    subject: str
    action: str
    count: int
    """0 where the caption does not tell how many."""


class StatisticalInducer:
    """Counts; no model has a part in it beyond those that wrote the captions."""

    def __init__(self, batches: int = 10, least_share: float = 0.3, least_captions: int = 10) -> None:
        """``least_share`` is the share of batches in which something must be met to be called normal;
        ``least_captions`` the fewest captions to learn from."""
        self._batches = batches
        self._least_share = least_share
        self._least_captions = least_captions

    def induce(self, captions: Sequence[Caption], references: Sequence[Sequence[Caption]] = ()) -> Induction:
        """Rules from captions of normal footage, in order of time.

        What is normal is counted over the batches of ``references`` where they are given, else over all captions.

        Raises:
            ConfigError: there are too few captions.
        """
        if len(captions) < self._least_captions:
            raise ConfigError(
                f"the normal footage gave {len(captions)} captions, and at least {self._least_captions} are needed; "
                "give more footage, or footage in which something moves"
            )
        batches = _split(captions, min(self._batches, len(captions)))
        normal = self._normal(references or batches)
        # What all footage speaks for is normal, whatever else it is. References are chosen to differ, so that what is
        # rare is met in them more often than it is: there the contrast with all captions decides.
        called_normal = frozenset[str]() if references else frozenset(word for rule in normal for word in rule.keywords)
        anomalies, met = by_contrast(batches, called_normal)
        unusual = {keyword for rule in anomalies for keyword in rule.keywords}
        normal = [rule for rule in normal if unusual.isdisjoint(rule.keywords)]
        listed = {(rule.id, keyword) for rule in anomalies for keyword in rule.keywords}
        dropped = [one for one in met if (one.rule_id, one.keyword) not in listed]
        doubted = [one for one in met if (one.rule_id, one.keyword) in listed]
        rules = sorted([*normal, *anomalies], key=lambda rule: (rule.about != "human", rule.says != "normal"))
        models = {caption.model: None for caption in captions}
        how = f"statistics of captions, {len(references or batches)} batches"
        return Induction(how, tuple(rules), tuple(dropped), tuple(doubted), len(captions), tuple(models))

    def _normal(self, batches: Sequence[Sequence[Caption]]) -> list[Rule]:
        met: Counter[tuple[About, str, str]] = Counter()
        most: Counter[tuple[About, str, str]] = Counter()
        for batch in batches:
            in_batch: set[tuple[About, str, str]] = set()
            for caption in batch:
                together: Counter[tuple[About, str, str]] = Counter()
                for seen in _seen_in(caption):
                    key = (seen.about, seen.subject, seen.action if seen.about == "human" else "")
                    together[key] += seen.count
                in_batch |= together.keys()
                most |= together
            met.update(in_batch)
        least = max(1, math.ceil(self._least_share * len(batches)))
        keys = sorted((key for key in met if met[key] >= least), key=lambda key: (-met[key], key))
        rules = [_normal_rule(*key, most[key], Support(met[key], len(batches))) for key in keys]
        return list({rule.id: rule for rule in reversed(rules)}.values())[::-1]


def _split(captions: Sequence[Caption], parts: int) -> list[Sequence[Caption]]:
    edges = [round(index * len(captions) / parts) for index in range(parts + 1)]
    return [captions[first:last] for first, last in pairwise(edges)]


def _seen_in(caption: Caption) -> list[_Seen]:
    if caption.facts:
        return [
            _Seen(fact.about, fact.subject, fact.action, fact.count)
            for fact in caption.facts
            if fact.count > 0 and not any(word.denied for word in words_of(fact.text))
        ]
    words = words_of(caption.text)
    things = dict.fromkeys([*ORDINARY_THINGS, *(name for category in ANOMALIES for name in category.names)])
    return [_Seen("human", "person", verb, 0) for verb in ORDINARY_ACTIONS if find(compile_keyword(verb), words)] + [
        _Seen("environment", name, "", 0) for name in things if find(compile_keyword(name), words)
    ]


def _normal_rule(about: About, subject: str, action: str, most: int, support: Support) -> Rule:
    several = "people" if subject == "person" else plural_of(subject)
    at_a_time = f", up to {most} at a time" if most > 1 else ", one at a time" if most else ""
    if about == "human" and action:
        first, _, rest = action.partition(" ")
        base = verb_of(first)  # "walks" becomes "people walk"
        text = f"{several.capitalize()} {base}{' ' + rest if rest else ''} here{at_a_time}."
        name, keywords = f"{several}-{base}", (base,)
    else:
        text = f"{several.capitalize()} are seen here{at_a_time}."
        name, keywords = f"seen-{subject}", (subject,)
    return Rule(_slug(f"normal-{name}"), about, "normal", text, keywords, "info", support)


def _slug(text: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    return "-".join(part for part in kept.split("-") if part)[:63]
