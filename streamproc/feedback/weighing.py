"""What feedback comes to for a camera's rules: which keywords weigh less, and from which score on an alarm is raised.

No alert that was right is given up, and of the false alarms as few as can be are left. What raised a false alarm and
no right one loses its weight first, keyword by keyword, for that leaves all else as it was. Only what still stands
moves the alarm's threshold: above the false alarms, at most to what the right ones scored, and never so high that a
keyword could not raise an alarm by itself.

A rule that a person wrote, one without support, is blamed only where the feedback names it: it says what is wanted, and
one false alarm by it is no word against it. Nor does the threshold silence what was spared so.

An alert is judged anew from what its messages told: their captions' words, by the rules as they are now, and the other
voters' scores as they were. Windows between messages are taken to be like those.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

from streamproc.alerts.message import VoteRecord
from streamproc.config import DeductionSettings, VoterWeights
from streamproc.deduction.calibration import MARGIN, highest_threshold, keyword_alone
from streamproc.deduction.combining import combined
from streamproc.deduction.voters import strength_of
from streamproc.feedback.records import Feedback, Told
from streamproc.rules.keywords import compile_keyword, find
from streamproc.rules.people import sentences_of
from streamproc.rules.schema import BlamedKeyword, FeedbackModel, RuleSetModel
from streamproc.types import Caption, ModelRef, Rule, Vote

_WRITTEN = ModelRef("perception", "told by an alert", "")
_Voter = Literal["keyword", "semantic", "novelty", "llm"]
_Key = tuple[str, str]
"""A rule's id and a keyword of it."""


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
    unblamed = _rules(plain)
    trusted = {key: one.alert_id for one in right for key in _raised_by(one, unblamed)}
    counts, written = _counted(unblamed, false)
    blamed = {key: count for key, count in sorted(counts.items()) if key not in trusted}
    feedback = FeedbackModel(
        right=tuple(one.alert_id for one in right),
        false_alarms=tuple(one.alert_id for one in false),
        blamed_keywords=tuple(BlamedKeyword(rule=r, keyword=k, false_alarms=n) for (r, k), n in blamed.items()),
    )
    rules = _rules(plain.model_copy(update={"feedback": feedback}))
    base = max(settings.alarm_score, plain.noun("").alarm_score or 0.0)
    scores = {one.alert_id: _score(one, rules) for one in said}
    given_up = [one for one in right if scores[one.alert_id] < base]
    notes = [
        f"right alert {one.alert_id} scores {scores[one.alert_id]:.2f} by these rules, without feedback, and would "
        f"not be raised from {base:.2f} on: its rules were changed since, or the threshold was"
        for one in given_up
    ]
    raised = [scores[one.alert_id] for one in right if one not in given_up]
    alone = max(base, highest_threshold(settings.weights))
    heard = min((own for key in written if (own := _alone(key, rules, settings.weights)) >= base), default=1.0)
    ceiling = min([alone, heard, *raised])
    standing = [one for one in false if scores[one.alert_id] >= base]
    kept = [one for one in standing if scores[one.alert_id] >= ceiling]
    quiet = [scores[one.alert_id] for one in standing if one not in kept]
    score = _above(max(quiet), ceiling) if quiet else None
    if score is not None:
        notes.append(f"alarm from a score of {score:.2f} on, not {base:.2f}")
    notes += [_unresolved(one, scores[one.alert_id], min(raised, default=None), alone, heard) for one in kept]
    unresolved = tuple(one.alert_id for one in kept)
    silenced = {
        key
        for key in blamed
        if _alone(key, unblamed, settings.weights) >= base
        and _alone(key, rules, settings.weights) < (base if score is None else score)
    }
    said_of = [
        _of_keyword(key, count, trusted.get(key), key in silenced, key not in counts)
        for key, count in (counts | {key: count for key, count in written.items() if key not in counts}).items()
    ]
    taken = feedback.model_copy(update={"alarm_score": score, "unresolved": unresolved})
    return Weighed(taken, (*said_of, *notes))


def _counted(rules: Mapping[str, Rule], false: Collection[Feedback]) -> tuple[Counter[_Key], Counter[_Key]]:
    """In how many false alarms keywords had a part that may be blamed, and those of rules that people wrote."""
    counts, written = Counter[_Key](), Counter[_Key]()
    for one in false:
        for key in sorted(_raised_by(one, rules)):
            if one.rule == key[0] or (one.rule is None and rules[key[0]].support is not None):
                counts[key] += 1
            elif rules[key[0]].support is None:
                written[key] += 1
    return counts, written


def _of_keyword(key: _Key, count: int, right: str | None, silenced: bool, written: bool) -> str:
    rule, keyword = key
    told = f"{keyword!r} of rule {rule} had a part in {count} false alarm{'' if count == 1 else 's'}"
    if right is not None:
        return f"{told} and in right alert {right}, so it stays"
    if written:
        return (
            f"{told}; a person wrote the rule, so it stays unless the feedback names it: "
            f"`streamproc feedback false SITE ALERT --rule {rule}`"
        )
    return f"{told}, so it weighs less" + (" and raises no alert by itself any more" if silenced else "")


def _alone(key: _Key, rules: Mapping[str, Rule], weights: VoterWeights) -> float:
    """The score of a window in which the keyword is met and nothing else."""
    rule = rules[key[0]]
    strength = rule.strengths[rule.keywords.index(key[1])] if rule.strengths else 1.0
    return keyword_alone(weights, strength_of([(rule.id, strength * rule.weight)]))


def _raised_by(one: Feedback, rules: Mapping[str, Rule]) -> set[_Key]:
    return {(rule, keyword) for told in one.windows for rule, keyword, _ in _met(told, rules) if keyword}


def _met(told: Told, rules: Mapping[str, Rule]) -> Iterator[tuple[str, str, float]]:
    """Rule, keyword, what its match is worth: of the rules that the window's keyword vote cited."""
    sentences = sentences_of(Caption("", 0, 0.0, told.text, (), _WRITTEN))
    cited = {cite for vote in told.votes if vote.voter == "keyword" and _speaks(vote) for cite in vote.cites}
    for rule in (rules[cite] for cite in sorted(cited) if cite in rules):
        if rule.more_people_than is not None:
            yield rule.id, "", rule.weight  # a number of people has no word to be blamed
        for keyword, strength in zip(rule.keywords, rule.strengths or (1.0,) * len(rule.keywords), strict=True):
            compiled = compile_keyword(keyword)
            for sentence in sentences:
                if find(compiled, sentence.words_for(rule.about)):
                    yield rule.id, keyword, strength * rule.weight


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
    words = [(rule, strength) for rule, _, strength in _met(told, rules)]
    after = []
    for vote in votes:
        if vote.voter == "keyword" and vote.verdict == "anomaly":
            if not words:
                continue
            vote = replace(vote, score=strength_of(words))
        elif vote.voter == "semantic" and vote.verdict == "anomaly" and rules.keys().isdisjoint(vote.cites):
            continue
        after.append(vote)
    return round(combined(after) / before, 9) if before else 1.0  # what is as it was is not to fall by a last digit


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


def _unresolved(one: Feedback, score: float, lowest_right: float | None, alone: float, heard: float) -> str:
    head = f"not resolved: false alarm {one.alert_id} ({one.reason}) scores {score:.2f}"
    if lowest_right is not None and lowest_right <= min(alone, heard):
        return f"{head}, and a right alert {lowest_right:.2f}: edit or switch off the rule that is wrong"
    if heard < alone:
        return f"{head}, and a keyword that a person wrote {heard:.2f}: name its rule, or edit or switch it off"
    return (
        f"{head}, and with a threshold above it no keyword would raise an alarm by itself: run `streamproc induce` "
        "with footage of it among the normal clips, or edit or switch off the rule"
    )


def _rules(model: RuleSetModel) -> dict[str, Rule]:
    return {rule.id: rule for rule in model.noun("").rules if rule.enabled}
