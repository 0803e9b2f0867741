"""What feedback comes to for a camera's rules: which keywords weigh less, and from which score on an alarm is raised.

No alert that was right is given up, and of the false alarms as few as can be are left. What raised a false alarm and
no right one loses its weight first, keyword by keyword, for that leaves all else as it was. Only what still stands
moves the alarm's threshold: above the false alarms, at most to what the right ones scored, and never so high that a
keyword could not raise an alarm by itself.

An alert is judged anew from what its messages told: their captions' words, by the rules as they are now, and the other
voters' scores as they were. Windows between messages are taken to be like those.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from streamproc.alerts.message import VoteRecord
from streamproc.config import DeductionSettings
from streamproc.deduction.calibration import MARGIN, highest_threshold
from streamproc.deduction.combining import combined
from streamproc.deduction.voters import UNKNOWN
from streamproc.feedback.records import Feedback, Told
from streamproc.rules.keywords import compile_keyword, find
from streamproc.rules.people import sentences_of
from streamproc.rules.schema import BlamedKeyword, FeedbackModel, RuleSetModel
from streamproc.types import Caption, ModelRef, Rule, Vote

_WRITTEN = ModelRef("perception", "told by an alert", "")
_Voter = Literal["keyword", "semantic", "novelty", "llm"]


@dataclass(frozen=True, slots=True)
class Weighed:
    """What feedback comes to."""

    feedback: FeedbackModel | None
    """For the rule file; None where nothing was said."""
    notes: tuple[str, ...]
    """What changed, and what could not be reconciled, in words."""


def weigh(model: RuleSetModel, said: Collection[Feedback], settings: DeductionSettings) -> Weighed:
    """What ``said`` comes to for the rules of ``model``, whatever feedback they have taken in before."""
    if not said:
        return Weighed(None, ())
    plain = model.model_copy(update={"feedback": None})
    right = [one for one in said if one.says == "right"]
    false = [one for one in said if one.says == "false"]
    notes: list[str] = []
    blamed = _blamed(_rules(plain), right, false, notes)
    feedback = FeedbackModel(
        right=tuple(one.alert_id for one in right),
        false_alarms=tuple(one.alert_id for one in false),
        blamed_keywords=tuple(BlamedKeyword(rule=r, keyword=k, false_alarms=n) for (r, k), n in blamed.items()),
    )
    rules = _rules(plain.model_copy(update={"feedback": feedback}))
    base = max(settings.alarm_score, plain.noun("").alarm_score or 0.0)
    scores = {one.alert_id: _score(one, rules) for one in said}
    given_up = [one for one in right if scores[one.alert_id] < base]
    notes += [
        f"right alert {one.alert_id} scores {scores[one.alert_id]:.2f} by these rules, without feedback, and would "
        f"not be raised from {base:.2f} on: its rules were changed since, or the threshold was"
        for one in given_up
    ]
    raised = [scores[one.alert_id] for one in right if one not in given_up]
    alone = max(base, highest_threshold(settings.weights))
    ceiling = min([alone, *raised])
    standing = [one for one in false if scores[one.alert_id] >= base]
    kept = [one for one in standing if scores[one.alert_id] >= ceiling]
    quiet = [scores[one.alert_id] for one in standing if one not in kept]
    score = _above(max(quiet), ceiling) if quiet else None
    if score is not None:
        notes.append(f"alarm from a score of {score:.2f} on, not {base:.2f}")
    notes += [_unresolved(one, scores[one.alert_id], min(raised, default=None), alone) for one in kept]
    unresolved = tuple(one.alert_id for one in kept)
    return Weighed(feedback.model_copy(update={"alarm_score": score, "unresolved": unresolved}), tuple(notes))


def _blamed(
    rules: Mapping[str, Rule], right: Collection[Feedback], false: Collection[Feedback], notes: list[str]
) -> dict[tuple[str, str], int]:
    """In how many false alarms a keyword had a part, where it had none in an alert that was right."""
    trusted = {key: one.alert_id for one in right for key in _raised_by(one, rules)}
    counts: Counter[tuple[str, str]] = Counter()
    for one in false:
        counts.update(key for key in _raised_by(one, rules) if one.rule in (None, key[0]))
    for (rule, keyword), count in counts.items():
        told = f"{keyword!r} of rule {rule} had a part in {count} false alarm{'' if count == 1 else 's'}"
        by = trusted.get((rule, keyword))
        notes.append(f"{told}, so it weighs less" if by is None else f"{told} and in right alert {by}, so it stays")
    return {key: count for key, count in sorted(counts.items()) if key not in trusted}


def _raised_by(one: Feedback, rules: Mapping[str, Rule]) -> set[tuple[str, str]]:
    return {(rule, keyword) for told in one.windows for rule, keyword, _, _ in _met(told, rules) if keyword}


def _met(told: Told, rules: Mapping[str, Rule]) -> Iterator[tuple[str, str, str, float]]:
    """Rule, keyword, the words that met it, what it weighs: of the rules that the window's keyword vote cited."""
    sentences = sentences_of(Caption("", 0, 0.0, told.text, (), _WRITTEN))
    cited = {cite for vote in told.votes if vote.voter == "keyword" and _speaks(vote) for cite in vote.cites}
    for rule in (rules[cite] for cite in sorted(cited) if cite in rules):
        if rule.more_people_than is not None:
            yield rule.id, "", "", rule.weight  # a number of people has no word to be blamed
        for keyword, strength in zip(rule.keywords, rule.strengths or (1.0,) * len(rule.keywords), strict=True):
            compiled = compile_keyword(keyword)
            for sentence in sentences:
                if run := find(compiled, sentence.words_for(rule.about)):
                    yield rule.id, keyword, sentence.text[run[0].start : run[-1].end].casefold(), strength * rule.weight


def _score(one: Feedback, rules: Mapping[str, Rule]) -> float:
    """The alert's highest score, as far as the rules that it was raised by still say what they said."""
    shares = [share for told in one.windows if (share := _share(told, rules)) is not None]
    return min(1.0, one.score * max(shares, default=1.0))


def _share(told: Told, rules: Mapping[str, Rule]) -> float | None:
    """The window's score by ``rules`` as a share of what it was; None where no vote spoke of an anomaly."""
    if not any(_speaks(vote) for vote in told.votes):
        return None
    votes = [
        Vote(cast(_Voter, vote.voter), vote.verdict, vote.cites, vote.weight, _told_score(vote), "", vote.void)
        for vote in told.votes
    ]
    before = combined(votes)
    words = {(rule, said): strength for rule, _, said, strength in _met(told, rules)}
    after = []
    for vote in votes:
        if vote.voter == "keyword" and vote.verdict == "anomaly":
            if not words:
                continue
            strength = max(UNKNOWN, 1 - math.prod(1 - value for value in words.values()))
            vote = Vote("keyword", "anomaly", vote.cites, vote.weight, strength, "", vote.void)
        elif vote.voter == "semantic" and vote.verdict == "anomaly" and rules.keys().isdisjoint(vote.cites):
            continue
        after.append(vote)
    return combined(after) / before if before else 1.0


def _told_score(vote: VoteRecord) -> float:
    """As the message told it; messages of earlier versions did not."""
    return vote.score if vote.score is not None else 1.0 if vote.verdict == "anomaly" else 0.0


def _speaks(vote: VoteRecord) -> bool:
    return vote.verdict == "anomaly" and vote.void is None and vote.weight > 0


def _above(score: float, ceiling: float) -> float:
    """A threshold above ``score``, by the margin if ``ceiling`` permits."""
    above = min(score + MARGIN, ceiling)
    rounded = math.floor(above * 1000) / 1000
    return rounded if rounded > score else above


def _unresolved(one: Feedback, score: float, lowest_right: float | None, alone: float) -> str:
    head = f"not resolved: false alarm {one.alert_id} ({one.reason}) scores {score:.2f}"
    if lowest_right is not None and lowest_right <= alone:
        return f"{head}, and a right alert {lowest_right:.2f}: edit or switch off the rule that is wrong"
    return (
        f"{head}, and with a threshold above it no keyword would raise an alarm by itself: run `streamproc induce` "
        "with footage of it among the normal clips, or edit or switch off the rule"
    )


def _rules(model: RuleSetModel) -> dict[str, Rule]:
    return {rule.id: rule for rule in model.noun("").rules if rule.enabled}
