"""The voters that cost nothing: keywords, meaning, measurements.

A vote for an anomaly scores above one half and a vote for normal below, so that no sum of contented voters can alarm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from streamproc.deduction.evidence import Evidence, Measured, Met
from streamproc.types import Measurement, Part, Vote

AT_THRESHOLD = 0.7
"""Score of a measurement that just reaches its threshold; 1 at twice the threshold."""
BELOW_THRESHOLD = 0.3
"""Score that a measurement approaches from below its threshold; 0 at the median of the normal footage."""
UNKNOWN = 0.5
LEAST_ALONE = 0.6
"""What a match must be worth to raise the default alarm by itself, while the other voters see nothing to judge."""
MOST_CITES = 8
"""So many rules a vote cites at most, the best matches first."""


def keyword_vote(evidence: Evidence, weight: float) -> Vote:
    """Words of the caption that rules list."""
    return _matched("keyword", evidence, weight)


def semantic_vote(evidence: Evidence, weight: float) -> Vote:
    """Sentences that mean what rules say; scores the likeness, so that a weak one counts little."""
    return _matched("semantic", evidence, weight)


def _matched(how: Literal["keyword", "semantic"], evidence: Evidence, weight: float) -> Vote:
    standing = [met for met in evidence.standing() if met.match.how == how]
    if standing:
        return Vote(how, "anomaly", _cites(standing), weight, _strength(standing, how), _told(standing))
    answered = [met for met in evidence.anomalies if met.match.how == how and met.answered_by is not None]
    normals = [met for met in evidence.normals if met.match.how == how]
    if answered:
        by = dict.fromkeys((met.rule.id, met.answered_by.id) for met in answered if met.answered_by)
        reason = "; ".join(f"rule {answer} calls normal what rule {rule} is about" for rule, answer in by)
        # What answers a match by meaning may have been met by keyword: a vote cites only what was met its own way.
        cites = _cites(normal for normal in normals if normal.rule.id in {answer for _, answer in by})
        return Vote(how, "normal" if cites else "unknown", cites, weight, 0.0 if cites else UNKNOWN, reason)
    if normals:
        return Vote(how, "normal", _cites(normals), weight, 0.0, _told(normals))
    return Vote(how, "unknown", (), weight, UNKNOWN, "no rule is met")


def novelty_vote(evidence: Evidence, weight: float) -> Vote:
    """Measurements beside the camera's normal footage; what was not measured is never passed as normal."""
    novel = evidence.novel()
    if novel:
        carrying = {i for one in novel for i in one.facts}
        cited = [met for met in evidence.standing() if carrying & set(met.facts)]
        score = max(novelty_score(one.measurement) for one in novel)
        return Vote("novelty", "anomaly", _cites(cited), weight, score, "; ".join(measured_words(one) for one in novel))
    answered = [one for one in evidence.measured if one.beyond]
    if answered:
        cites = tuple(dict.fromkeys(one.answered_by.id for one in answered if one.answered_by))
        reason = "; ".join(
            f"{measured_words(one)}, which rule {one.answered_by.id} calls normal"
            for one in answered
            if one.answered_by
        )
        return Vote("novelty", "normal", cites, weight, 0.0, reason)
    if evidence.not_judged:
        return Vote("novelty", "unknown", (), weight, UNKNOWN, "not judged: " + "; ".join(evidence.not_judged))
    if not evidence.measured:
        return Vote("novelty", "unknown", (), weight, UNKNOWN, "nothing was measured")
    score = max(novelty_score(one.measurement) for one in evidence.measured)
    return Vote("novelty", "normal", (), weight, score, "; ".join(measured_words(one) for one in evidence.measured))


def novelty_score(measurement: Measurement) -> float:
    """The calibrated score on the voters' common scale, 0..1; never decreasing, with a step at the threshold."""
    if measurement.score < measurement.threshold:
        return BELOW_THRESHOLD * max(0.0, measurement.score / max(measurement.threshold, 1e-9))
    beyond = measurement.score / measurement.threshold - 1 if measurement.threshold > 0 else 1.0
    return AT_THRESHOLD + (1 - AT_THRESHOLD) * min(1.0, beyond)


def measured_words(measured: Measured) -> str:
    """``speed 2.5 times normal speed (normal up to 1.3)``; of several parts also what they come to together."""
    m = measured.measurement
    told = ", ".join(_beside_normal(one) for one in m.parts or [m])
    if len(m.parts) < 2 or m.threshold <= 0:
        return told
    return f"{told}, together {m.score / m.threshold:.1f} times the limit"


def _beside_normal(one: Measurement | Part) -> str:
    """With as many digits as tell the value from the limit."""
    digits = next((n for n in (1, 2) if f"{one.value:.{n}f}" != f"{one.normal:.{n}f}"), 1)
    return f"{one.name} {one.value:.{digits}f} {one.unit} (normal up to {one.normal:.{digits}f})"


def strength_of(scores: Iterable[tuple[str, float]]) -> float:
    """The score of a vote for an anomaly, above one half, from the rules that are met and what each match is worth.

    Of a rule the strongest match counts, since the same thing is said again; different rules support each other (noisy
    or). A weak sign votes as softly as can be, and yet a weaker one more softly: below ``LEAST_ALONE`` a voter that
    stands alone does not reach the default alarm.
    """
    best: dict[str, float] = {}
    for rule, score in scores:
        best[rule] = max(best.get(rule, 0.0), score)
    strength = 1 - math.prod(1 - score for score in best.values())
    return max(strength, UNKNOWN + (LEAST_ALONE - UNKNOWN) * strength / LEAST_ALONE)


def _strength(standing: Sequence[Met], how: Literal["keyword", "semantic"]) -> float:
    """Of sentences by meaning the likest counts."""
    met = standing if how == "keyword" else [max(standing, key=lambda one: one.match.score)]
    return strength_of((one.rule.id, one.match.score) for one in met)


def _cites(met: Iterable[Met]) -> tuple[str, ...]:
    best_first = sorted(met, key=lambda one: -one.match.score)
    return tuple(dict.fromkeys(one.rule.id for one in best_first))[:MOST_CITES]


def _told(met: Sequence[Met]) -> str:
    best_first = sorted(met, key=lambda one: -one.match.score)[:MOST_CITES]
    return "; ".join(f'rule {_weighed(one)} is met by "{one.match.words}"' for one in best_first)


def _weighed(met: Met) -> str:
    return met.rule.id + (f" (weight {met.rule.weight:g})" if met.rule.weight != 1.0 else "")
