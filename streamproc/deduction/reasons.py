"""A verdict's reason: what it rests on, with rule, words and numbers, then who voted how."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.deduction.evidence import Evidence
from streamproc.deduction.voters import measured_words
from streamproc.types import Fact, Judgement, Rule, Vote

MOST_NAMED = 3


def reason(judgement: Judgement, alarm: bool, cited: Sequence[Rule], evidence: Evidence, votes: Sequence[Vote]) -> str:
    """Two sentences for people. ``cited`` are the verdict's rules, the leading one first."""
    match judgement:
        case "anomaly":
            why = _of_anomaly(cited, evidence)
        case "normal":
            why = _veto(votes) or _of_normal(cited, evidence)
        case "unknown":
            why = "Nothing can be said of this window."
    if alarm and judgement != "anomaly":
        why = "The alarm holds from the moments before. " + why
    return f"{why} {_tally(votes)}"


def _of_anomaly(cited: Sequence[Rule], evidence: Evidence) -> str:
    novel = evidence.novel()
    measured = " and ".join(measured_words(one) for one in novel)
    if cited:
        told = _met(cited[0], evidence) + _others(cited)
        return f"{told}; measured: {measured}." if measured else f"{told}."
    where = next((f' "{evidence.facts[i].text}"' for one in novel for i in one.facts), "")
    return f"No rule names it; it is unlike this camera's normal footage: {measured}.{where}"


def _veto(votes: Sequence[Vote]) -> str | None:
    """What the language model held against the others, where its word outweighed theirs."""
    heard = [vote for vote in votes if vote.void is None and vote.weight > 0]
    veto = next((vote for vote in heard if vote.voter == "llm" and vote.verdict == "normal"), None)
    overruled = [vote for vote in heard if vote.verdict == "anomaly"]
    if veto is None or not overruled:
        return None
    rules = ", ".join(dict.fromkeys(cite for vote in overruled for cite in vote.cites[:MOST_NAMED]))
    by = f" by rule {', '.join(veto.cites[:MOST_NAMED])}" if veto.cites else ""
    said = f" (rules met: {rules})" if rules else ""
    return f"The language model vetoes {' and '.join(vote.voter for vote in overruled)}{said}{by}: {veto.reason}."


def _of_normal(cited: Sequence[Rule], evidence: Evidence) -> str:
    answered = next((met for met in evidence.anomalies if met.answered_by is not None), None)
    if answered is not None and answered.answered_by is not None:
        rule = answered.answered_by
        return f'Rule {rule.id} "{rule.text}" calls normal what rule {answered.rule.id} is about.'
    beyond = next((one for one in evidence.measured if one.beyond and one.answered_by is not None), None)
    if beyond is not None and beyond.answered_by is not None:
        rule = beyond.answered_by
        return f'{measured_words(beyond).capitalize()}, which rule {rule.id} "{rule.text}" calls normal.'
    if cited:
        return _met(cited[0], evidence) + _others(cited) + "."
    return "Nothing speaks of an anomaly strongly enough."


def _met(rule: Rule, evidence: Evidence) -> str:
    mets = [one for one in (*evidence.anomalies, *evidence.normals) if one.rule.id == rule.id]
    mets = [one for one in mets if one.answered_by is None] or mets
    if rule.more_people_than is not None:
        counted = next((one.match.words for one in mets if one.match.words.partition(" ")[2].startswith("people")), "")
        if counted:
            return f'Rule {rule.id} "{rule.text}" is met by {counted}'
    best = max((evidence.facts[i] for one in mets for i in one.facts), key=_strength, default=None)
    how = "broken" if rule.forbids else "met"
    return f'Rule {rule.id} "{rule.text}"' + (f' is {how} by "{best.text}"' if best else " is cited")


def _strength(fact: Fact) -> float:
    return fact.measurement.score if fact.measurement else float("-inf")


def _others(cited: Sequence[Rule]) -> str:
    others = [rule.id for rule in cited[1 : 1 + MOST_NAMED]]
    if not others:
        return ""
    more = len(cited) - 1 - len(others)
    return f" (also {', '.join(others)}{f' and {more} more' if more > 0 else ''})"


def _tally(votes: Sequence[Vote]) -> str:
    valid = [vote for vote in votes if vote.void is None]
    parts = [
        f"{verdict}: {', '.join(names)}"
        for verdict in ("anomaly", "normal", "unknown")
        if (names := [vote.voter for vote in valid if vote.verdict == verdict])
    ]
    parts += [f"void: {vote.voter} ({vote.void})" for vote in votes if vote.void is not None]
    return f"Votes {'; '.join(parts)}." if parts else "No votes."
