"""What was said of alerts, one line each, in a file beside the rules: ``.feedback/gate.jsonl``.

A line holds what the rules are recalibrated by, so that it outlives the alert's own record. Captions tell of people, so
the folder is its owner's alone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamproc.alerts.message import Alert, RuleSetRef, VoteRecord
from streamproc.alerts.private import make_folder
from streamproc.errors import ConfigError
from streamproc.rules.atomic import replace
from streamproc.yamlfile import read_bytes

Says = Literal["right", "false"]


class Part(BaseModel):
    """Part of a line: frozen; what a newer version adds is skipped when it is read."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Told(Part):
    """A window of the alert that a message told of."""

    text: str
    """Its captions."""
    votes: tuple[VoteRecord, ...]


class Feedback(Part):
    """What an operator said of an alert, and the alert as far as it is needed."""

    alert_id: str
    says: Says
    rule: str | None = None
    """The cited rule that was wrong; None where the operator does not say, and all may have been."""
    note: str = ""
    said_at: datetime
    camera: str
    start: datetime
    category: str
    reason: str
    rule_set: RuleSetRef
    score: float = Field(ge=0, le=1)
    """The highest that is known."""
    cited: tuple[str, ...]
    windows: tuple[Told, ...]


def recorded(messages: tuple[Alert, ...], says: Says, rule: str | None, note: str, said_at: datetime) -> Feedback:
    """What is kept of an alert, from its messages in order.

    Raises:
        ConfigError: ``rule`` is none that the alert cites as an anomaly.
    """
    first, last = messages[0].data, messages[-1].data
    cited = tuple(cite.id for cite in last.cited_rules if cite.says == "anomaly")
    if rule is not None and rule not in cited:
        raise ConfigError(f"alert {first.alert_id} cites {', '.join(cited) or 'no rule'}, not {rule}")
    windows = {
        " ".join(caption.text for caption in one.captions): one.votes
        for one in (message.data for message in messages)
        if one.action != "resolve"
    }
    return Feedback(
        alert_id=first.alert_id,
        says=says,
        rule=rule,
        note=note,
        said_at=said_at,
        camera=first.camera.id,
        start=first.start,
        category=last.category,
        reason=first.reason,
        rule_set=first.rule_set,
        score=max(score for one in messages for score in (one.data.score, one.data.score_max or 0.0)),
        cited=cited,
        windows=tuple(Told(text=text, votes=votes) for text, votes in windows.items()),
    )


def feedback_path(rules: Path) -> Path:
    """Where the feedback on the alerts of a rule file lies; of the file itself where ``rules`` is a link."""
    file = rules.resolve()
    return file.parent / ".feedback" / f"{file.stem}.jsonl"


def load_feedback(rules: Path) -> dict[str, Feedback]:
    """The feedback by alert, in the order in which the alerts began.

    Raises:
        ConfigError: the file cannot be read, or a line is not what was written; names the line.
    """
    path = feedback_path(rules)
    if not path.exists():
        return {}
    found = []
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        try:
            found.append(Feedback.model_validate_json(line))
        except ValidationError as error:
            fault = error.errors()[0]["msg"]
            raise ConfigError(f"{path}:{number}: not a line of feedback ({fault}); take the line out") from None
    return {one.alert_id: one for one in _in_order(found)}


def put(rules: Path, feedback: Feedback) -> Feedback | None:
    """Keep ``feedback`` in place of what was said of the alert before, which is returned.

    Raises:
        ConfigError: it cannot be written.
    """
    return _change(rules, feedback.alert_id, lambda known: {**known, feedback.alert_id: feedback})


def withdraw(rules: Path, alert_id: str) -> Feedback | None:
    """Forget what was said of an alert; returns it, None where nothing was.

    Raises:
        ConfigError: it cannot be written.
    """
    return _change(rules, alert_id, lambda known: {key: one for key, one in known.items() if key != alert_id})


def _change(
    rules: Path, alert_id: str, change: Callable[[Mapping[str, Feedback]], Mapping[str, Feedback]]
) -> Feedback | None:
    path = feedback_path(rules)
    with _alone(path):
        before = load_feedback(rules)
        after = change(before)
        if after != before:
            replace(path, "".join(one.model_dump_json() + "\n" for one in _in_order(after.values())).encode())
    return before.get(alert_id)


def _in_order(several: Iterable[Feedback]) -> list[Feedback]:
    return sorted(several, key=lambda one: (one.start, one.alert_id))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two people may say something at once, and neither is to be lost."""
    try:
        make_folder(path.parent)
        lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
