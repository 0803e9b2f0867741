"""Rules by a language model, a batch of reference captions at a time; ``aggregation`` counts what they are worth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from streamproc.errors import InferenceError, ReplyError
from streamproc.modelreply import quoted
from streamproc.modelserver import ModelServer
from streamproc.rules.negation import words_of
from streamproc.rules.people import names_somebody
from streamproc.rules.prohibition import forbidden
from streamproc.rules.prompts import RuleLists, messages
from streamproc.rules.wording import wording_of
from streamproc.types import About, Caption, Says

log = structlog.get_logger(__name__)

AGAIN_TEMPERATURE = 0.3
"""Of the second and last attempt at a batch whose reply was unusable: the same again would be unusable again."""
LEAST_USABLE = 0.5
"""Share of the batches that must be answered usably."""
LEAST_A_LIST, MOST_A_LIST = 4, 10
"""Rules that are asked for in each list; a small model left to itself writes no anomaly rules at all, or never ends."""
_READ_A_LIST = 20
_LONGEST, _SHORTEST = 200, 3
_OF_RULES = frozenset({"anomaly", "anomalies", "anomalous", "rule", "rules"})
"""Words of a sentence about the rules that were asked for, which is none itself."""
_NUMBER = re.compile(r"^\s*(?:[-*\u2022]|\(?\d{1,3}[.):]|rule\s+\d+[.:)])\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """One rule as a model wrote it for one batch."""

    batch: int
    about: About
    says: Says
    text: str


def generate(server: ModelServer, batches: Sequence[Sequence[Caption]]) -> tuple[list[Said], int]:
    """The rules of all batches, and how many batches were answered usably; those are numbered from 0.

    Raises:
        InferenceError: the server does not answer, or answers too many batches unusably.
    """
    with ThreadPoolExecutor(min(len(batches), server.settings.max_in_flight)) as pool:
        replies = list(pool.map(lambda batch: _ask(server, batch), batches))
    usable = [reply for reply in replies if isinstance(reply, RuleLists)]
    failed = [reply for reply in replies if isinstance(reply, ReplyError)]
    for error in failed:
        log.warning("batch_without_rules", error=str(error), said=quoted(error.text))
    if len(usable) < LEAST_USABLE * len(batches) or not usable:
        raise InferenceError(
            f"model server {server.name} wrote usable rules for {len(usable)} of {len(batches)} batches: "
            f"{failed[0]}; it said: {quoted(failed[0].text) or 'nothing'}"
        )
    return [said for number, reply in enumerate(usable) for said in _read(number, reply)], len(usable)


def _ask(server: ModelServer, batch: Sequence[Caption]) -> RuleLists | ReplyError:
    asked = messages(batch)
    error: ReplyError | None = None
    for temperature in (0.0, AGAIN_TEMPERATURE):
        try:
            return server.ask_one(asked, RuleLists, temperature=temperature, schema=_narrow())
        except ReplyError as unusable:
            error = unusable
    assert error is not None  # noqa: S101 - the loop ran
    return error


def _narrow() -> dict[str, object]:
    """The schema with what a grammar backend may not know: so many sentences, of such a length."""
    schema = RuleLists.model_json_schema()
    for one in schema["properties"].values():
        one |= {"minItems": LEAST_A_LIST, "maxItems": MOST_A_LIST}
        one["items"] |= {"minLength": _SHORTEST, "maxLength": _LONGEST}
    return schema


def _read(batch: int, reply: RuleLists) -> list[Said]:
    lists: tuple[tuple[About, Says, list[str]], ...] = (
        ("human", "normal", reply.normal_people),
        ("human", "anomaly", reply.anomaly_people),
        ("environment", "normal", reply.normal_things),
        ("environment", "anomaly", reply.anomaly_things),
    )
    return [
        Said(batch, about, says, text)
        for about, says, texts in lists
        for text in dict.fromkeys(_sentence(text) for text in texts[:_READ_A_LIST])
        if text and _names(about, text)
    ]


def _names(about: About, text: str) -> bool:
    """Whether it says what people do or have, or names a thing; small models list words ("The man.", "Reading.")."""
    wording, words = wording_of(text), {word.text for word in words_of(text)}
    if words & _OF_RULES:
        return False
    if about == "environment" or any(names_somebody(word) for word in words):
        return bool(wording.things or (wording.acts and about == "human"))
    return bool(wording.acts)


def _sentence(text: str) -> str:
    """One line without a number before it, with its full stop; "" for what is no rule.

    A sentence that begins by denying ("No bags", "Nobody runs") says the opposite of the list it stands in, or the
    same: which one was meant cannot be told. Nor can it of "Cycling is not allowed".
    """
    line = " ".join(_NUMBER.sub("", text).split())
    words = words_of(line)
    if not words or words[0].denied or forbidden(line, "normal") or not _SHORTEST <= len(line) <= _LONGEST:
        return ""
    return line[0].upper() + line[1:] + ("" if line[-1] in ".!?" else ".")
