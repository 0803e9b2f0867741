"""One further question where the model contradicts what the other voters are sure of.

It is about the rule in doubt and the sentences in doubt alone, and goes on with the same conversation, so that a
server's prefix cache holds all that was said before. What comes of it is said in the vote: ``Vote.reflected``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from openai.types.chat import ChatCompletionMessageParam

from streamproc.deduction.evidence import Evidence
from streamproc.deduction.prompts import REFLECT, Opinion
from streamproc.deduction.voters import measured_words
from streamproc.types import Vote

STRONG = 0.75
"""A rule that is met less surely is no reason to doubt the model: its likeness alone would raise no alarm."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why the model's verdict is doubtful, in words that follow "You said normal"."""

    claim: str
    sentences: tuple[str, ...]
    question: str


def doubt(vote: Vote, evidence: Evidence) -> Doubt | None:
    """What the other voters hold against the model's vote; None where they do not contradict it strongly."""
    match vote.verdict:
        case "normal":
            return _of_veto(evidence)
        case "anomaly":
            return _of_alarm(vote, evidence)
        case _:
            return None


def conversation(
    asked: Sequence[ChatCompletionMessageParam], said: Opinion, about: Doubt
) -> list[ChatCompletionMessageParam]:
    """What was asked, what the model said, and the further question."""
    further = REFLECT.format(
        verdict=said.verdict,
        claim=about.claim,
        sentences=json.dumps(about.sentences, ensure_ascii=False),
        question=about.question,
    )
    return [
        *asked,
        {"role": "assistant", "content": said.model_dump_json()},
        {"role": "user", "content": further},
    ]


def _of_veto(evidence: Evidence) -> Doubt | None:
    met = max(evidence.standing(), key=lambda one: one.match.score, default=None)
    if met is not None and met.match.score >= STRONG:
        return Doubt(
            f'anomaly rule {met.rule.id} says "{met.rule.forbids or met.rule.text}" and seems to be met',
            _sentences(met.facts, evidence),
            "Do they tell what the rule is about, or does a normal rule cover the very same thing?",
        )
    novel = evidence.novel()
    if novel:
        return Doubt(
            f"{measured_words(novel[0])} is beyond normal",
            _sentences(novel[0].facts, evidence),
            "Is there a normal rule that covers it?",
        )
    return None


def _of_alarm(vote: Vote, evidence: Evidence) -> Doubt | None:
    if evidence.standing() or evidence.novel():
        return None
    met = next((one for cite in vote.cites for one in evidence.anomalies if one.rule.id == cite), None)
    if met is None or met.answered_by is None:
        return None
    answers = [one for one in evidence.normals if one.rule.id == met.answered_by.id]
    if max((one.match.score for one in answers), default=0.0) < STRONG:
        return None
    about = met.rule.forbids or met.rule.text
    return Doubt(
        f'normal rule {met.answered_by.id} says "{met.answered_by.text}" and seems to cover what you cite',
        _sentences(met.facts, evidence),
        f'Does it cover the very same thing, or do they tell what rule {met.rule.id} "{about}" is about?',
    )


def _sentences(facts: Sequence[int], evidence: Evidence) -> tuple[str, ...]:
    return tuple(evidence.facts[i].text for i in facts)
