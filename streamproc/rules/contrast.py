"""Anomaly rules by contrast with normal footage: a taxonomy less what is normal here, and more people than usual.

AnomalyRuler (section 3.2) has a language model name what contrasts with the normal rules. Without one, what contrasts
is all that ``taxonomy`` holds and normal footage does not often meet. One clip makes no habit: where there are several,
a word is normal here if more than half of them meet it often, or if they meet it so often together that it tells
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from streamproc.rules.counting import usual_most
from streamproc.rules.matching import Matcher
from streamproc.rules.strength import Counted, strength, too_common
from streamproc.rules.taxonomy import ANOMALIES, WEAK, Category
from streamproc.types import Caption, Rule, RuleSet, Support

_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
_SYNONYMS = [(category, synonyms) for category in ANOMALIES for synonyms in category.words]


def by_contrast(
    batches: Sequence[Sequence[Caption]], called_normal: frozenset[str] = frozenset()
) -> tuple[list[Rule], list[Counted]]:
    """Anomaly rules from normal captions, in batches in order of time; and all keywords that the captions meet.

    Words in ``called_normal``, and their synonyms, are in no anomaly rule.
    """
    hits = [[_met(caption) for caption in batch] for batch in batches]
    clips, total = _by_clip(batches, hits), sum(len(batch) for batch in batches)
    rules: list[Rule] = []
    met: list[Counted] = []
    kept: dict[str, list[str]] = {category.id: [] for category in ANOMALIES}
    normal_in: dict[str, set[int]] = {category.id: set() for category in ANOMALIES}
    for index, (category, synonyms) in enumerate(_SYNONYMS):
        captions = sum(index in caption for batch in hits for caption in batch)
        met += [Counted(category.id, text, captions) for text in synonyms if captions]
        often = sum(too_common(sum(index in caption for caption in clip), len(clip)) for clip in clips)
        if 2 * often > len(clips) or not strength(captions, total) or not called_normal.isdisjoint(synonyms):
            normal_in[category.id] |= {n for n, batch in enumerate(hits) if any(index in caption for caption in batch)}
        else:
            kept[category.id] += synonyms
    for category in ANOMALIES:
        unmet = len(batches) - len(normal_in[category.id])
        if rule := _rule(category, kept[category.id], unmet, len(batches)):
            rules.append(rule)
    return [*rules, *_too_many(batches)], met


def _met(caption: Caption) -> frozenset[int]:
    """Indices into ``_SYNONYMS``."""
    return frozenset(int(match.rule_id) for match in _taxonomy().match(caption, _ALWAYS, "UTC"))


@lru_cache(maxsize=1)
def _taxonomy() -> Matcher:
    rules = tuple(
        Rule(str(index), category.about, "anomaly", category.text, synonyms)
        for index, (category, synonyms) in enumerate(_SYNONYMS)
    )
    return Matcher(RuleSet("taxonomy", "", "", 1, "0" * 64, rules), None, 1.0)


def _by_clip(
    batches: Sequence[Sequence[Caption]], hits: Sequence[Sequence[frozenset[int]]]
) -> list[list[frozenset[int]]]:
    clips: dict[int, list[frozenset[int]]] = {}
    for batch, met in zip(batches, hits, strict=True):
        for caption, one in zip(batch, met, strict=True):
            clips.setdefault(caption.run, []).append(one)
    return list(clips.values())


def _rule(category: Category, kept: Sequence[str], unmet: int, total: int) -> Rule | None:
    """None where the footage says that the category is normal here."""
    text = category.text
    if category.names:
        # The text names only what was not seen, so what was seen does not speak against it.
        names = [name for name in category.names if name in kept]
        if not names:
            return None
        text, unmet = text.replace("{things}", _joined(names)), total
    elif category.weight < 1:
        unmet = total  # weak signs of one category are unlike each other: that one is normal says nothing of the rest
    elif unmet * 2 < total:
        return None
    if not kept:
        return None
    support = Support(unmet, total)
    about, severity = category.about, category.severity
    return Rule(category.id, about, "anomaly", text, tuple(kept), severity, support, weight=category.weight)


def _too_many(batches: Sequence[Sequence[Caption]]) -> list[Rule]:
    usual = usual_most([caption for batch in batches for caption in batch])
    if not usual:
        return []
    people = "one person is" if usual == 1 else f"{usual} people are"
    within = Support(sum(usual_most(batch) <= usual for batch in batches), len(batches))
    text = f"More than {people} here at a time, which is rare."
    rule = Rule("people-many", "human", "anomaly", text, (), "info", within, weight=WEAK, more_people_than=usual)
    return [rule]


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
