"""Writes rule files: a new one with an explanation at its top, or a new induction merged into one that is there.

The file's version goes up by one. It takes its place whole, and only if it loads and nobody wrote to it meanwhile; what
it replaces is kept (``history``). What a merge keeps is told in ``merge``.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from streamproc.errors import ConfigError
from streamproc.rules import history
from streamproc.rules.atomic import replace
from streamproc.rules.induction import Induction
from streamproc.rules.merge import Memory, Merge, flow, merge
from streamproc.rules.schema import FeedbackModel, RuleModel, RuleSetModel, parse_rules
from streamproc.types import ModelRef, RuleSet
from streamproc.yamlfile import read_bytes

_HEAD = """\
# yaml-language-server: $schema=ruleset.schema.json
# What is normal on one camera, and what is not. Edit it as you like: a running pipeline takes a valid edit within 2 s
# and keeps the rules it has if an edit is not valid. `streamproc rules lint FILE` checks it.
#
#   says      normal or anomaly; an alert cites the anomaly rules that were met.
#   text      one sentence; what the camera sees is compared with its meaning. It may forbid: "No cycling here." is
#             met by someone who cycles, whatever it says; `streamproc rules lint` tells how it was understood.
#   keywords  words that meet the rule in any inflection (run: runs, running, ran), unless they are denied. A rule that
#             forbids needs none.
#   more_people_than  a number: the rule is also met where more people are seen (in its zones, if it has any).
#   weight    what meeting the rule is worth, 1 if left out; below 0.6 it raises no alert by itself.
#   severity  critical, error, warning or info; an alert has that of the gravest rule it cites.
#   when      where and when the rule holds: {zones: [gate], hours: "22:00-06:00", days: [sat, sun]}; left out: always.
#   support   in how many of n batches of normal footage the rule was found; learned, and left out of your own rules.
#   enabled   false keeps a rule here and out of use. A rule that too few batches speak for is proposed so: look at it.
#
# `streamproc induce` merges into this file: comments, order and rules that you changed or wrote stay as they are, and
# rules that you deleted stay away.
"""
_SECTIONS = {
    ("human", "normal"): "What people do here.",
    ("human", "anomaly"): "What people do not do here.",
    ("environment", "normal"): "What is seen here.",
    ("environment", "anomaly"): "What is not seen here.",
}


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of normal footage that was learned from."""

    name: str
    sha256: str
    seconds: float
    """How much of it was looked at."""


@dataclass(frozen=True, slots=True)
class Footage:
    """What an induction rests on."""

    clips: tuple[Clip, ...]
    created_at: datetime
    """When it was done, timezone-aware."""
    calibration: str | None = None
    """Name of the calibration's file, beside the rule file."""
    calibration_sha256: str | None = None
    false_alarms_per_hour_max: float | None = None
    """95 % upper bound of the rate of false alarms that the footage supports."""
    alarms: int = 0
    """Alarms that the footage itself raises, judged by what was learned from the rest of it."""
    alarm_score: float | None = None
    """Score that raises an alarm, from what the footage scored."""
    videos: tuple[str, ...] = ()
    """Videos of a file of captions, where that was learned from."""


Taught = Callable[[RuleSetModel], FeedbackModel | None]
"""What operators' feedback comes to for rules."""


def save_rules(
    path: Path,
    site: str,
    camera: str,
    induction: Induction,
    footage: Footage,
    taught: Taught = lambda rules: rules.feedback,
) -> Merge:
    """Write what was learned to ``path``, merged with what is there, with what ``taught`` makes of feedback on it.

    Raises:
        ConfigError: the file that is there is not valid, is another camera's, changed meanwhile, or cannot be written.
    """
    before = read_bytes(path) if path.exists() else None
    yaml = _yaml()
    if before is None:
        data = yaml.load(f"{_HEAD}schema_version: 1\nsite: {site}\ncamera: {camera}\nversion: 0\n")
        data["rules"] = CommentedSeq()
        old, known = None, dict[str, RuleModel]()
    else:
        rules, model, _ = parse_rules(before, str(path))
        _require_same(path, rules, site, camera)
        data = yaml.load(before.decode("utf-8-sig"))
        old, known = model.provenance, {rule.id: rule for rule in model.rules}
    result, memory = merge(data, known, old, induction)
    if before is None:
        _add_sections(data["rules"])
    data["version"] = result.version
    if "provenance" not in data:
        data.yaml_add_eol_comment("written by `streamproc induce`; not meant to be edited", "provenance")
    data["provenance"] = _provenance(memory, induction, footage)
    _feed(data, taught(parse_rules(_dumped(yaml, data, before), _would_be(path))[1]))
    _exchange(path, before, _dumped(yaml, data, before))
    return result


def save_feedback(path: Path, taught: Taught) -> int | None:
    """Take feedback into the rule file at ``path``, as its next version; None, and nothing is written, if that changes
    nothing.

    Raises:
        ConfigError: the file is not valid, changed meanwhile, or cannot be written.
    """
    before = read_bytes(path)
    model = parse_rules(before, str(path))[1]
    feedback = taught(model)
    if feedback == model.feedback:
        return None
    yaml = _yaml()
    data = yaml.load(before.decode("utf-8-sig"))
    data["version"] = model.version + 1
    _feed(data, feedback)
    _exchange(path, before, _dumped(yaml, data, before))
    return model.version + 1


def _feed(data: CommentedMap, feedback: FeedbackModel | None) -> None:
    """Have ``feedback`` in a rule file's round-trip data, at its end."""
    if feedback is None:
        data.pop("feedback", None)
        return
    if "feedback" not in data:
        data.yaml_add_eol_comment("written by `streamproc rules recalibrate`; not meant to be edited", "feedback")
    fields = feedback.model_dump(mode="json", exclude_defaults=True)
    fields = {name: flow(value) if isinstance(value, list) else value for name, value in fields.items()}
    if feedback.blamed_keywords:
        fields["blamed_keywords"] = _rows(one.model_dump() for one in feedback.blamed_keywords)
    data["feedback"] = CommentedMap(fields)


def _dumped(yaml: YAML, data: CommentedMap, before: bytes | None) -> bytes:
    text = io.StringIO()
    yaml.dump(data, text)
    return _with_comments_of(before, text.getvalue()).encode()


def _would_be(path: Path) -> str:
    return f"{path} (as it would be written)"


def _exchange(path: Path, before: bytes | None, after: bytes) -> None:
    parse_rules(after, _would_be(path))
    if (read_bytes(path) if path.exists() else None) != before:
        raise ConfigError(f"{path} was changed meanwhile; nothing was written")
    if before is not None:
        history.keep(path, before)
    replace(path, after)
    history.keep(path, after)  # so that an edit made of it later can be undone


def _with_comments_of(before: bytes | None, after: str) -> str:
    """Comments that stood among what was replaced (the provenance) follow at the end, rather than get lost."""
    kept = Counter(_comments(after))
    lost = Counter(_comments(before.decode("utf-8-sig") if before else "")) - kept
    return after + "".join(f"{line}\n" for line in lost.elements())


def _comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


def _add_sections(entries: CommentedSeq) -> None:
    last: tuple[str, str] | None = None
    for index, entry in enumerate(entries):
        section = (entry["about"], entry["says"])
        if section != last:
            entries.yaml_set_comment_before_after_key(index, before="\n" + _SECTIONS[section], indent=2)
        last = section


def _provenance(memory: Memory, induction: Induction, footage: Footage) -> CommentedMap:
    hours = sum(clip.seconds for clip in footage.clips) / 3600
    fields: dict[str, Any] = {
        "how": induction.how,
        "created_at": footage.created_at.astimezone(UTC).isoformat(timespec="seconds"),
        "clips": _rows({"name": c.name, "sha256": c.sha256, "seconds": round(c.seconds, 3)} for c in footage.clips),
        "videos": flow(list(footage.videos)),
        "captions": induction.captions,
        "models": _rows(_model(model) for model in induction.models),
        "calibration": footage.calibration,
        "calibration_sha256": footage.calibration_sha256,
        "hours_observed": round(hours, 4),
        "false_alarms_per_hour_max": footage.false_alarms_per_hour_max,
        "alarms": footage.alarms or None,
        "alarm_score": None if footage.alarm_score is None else round(footage.alarm_score, 3),
        "dropped_keywords": _rows(
            {"rule": d.rule_id, "keyword": d.keyword, "captions": d.captions} for d in induction.dropped
        ),
        "doubted_keywords": _rows(
            {"rule": d.rule_id, "keyword": d.keyword, "captions": d.captions} for d in induction.doubted
        ),
        "contradicted": _rows({"text": c.text, "normal": c.normal} for c in induction.contradicted),
        "proposed": flow(memory.proposed),
        "retired": flow(memory.retired),
        "removed": flow(memory.removed),
        "induced": _rows({"id": rule_id, "sha256": sha256} for rule_id, sha256 in memory.induced.items()),
    }
    return CommentedMap({name: value for name, value in fields.items() if value not in (None, [])})


def _model(model: ModelRef) -> dict[str, str]:
    fields = {"role": model.role, "name": model.name, "revision": model.revision}
    return fields | ({"prompt_sha256": model.prompt_sha256} if model.prompt_sha256 else {})


def _rows(rows: Iterable[Mapping[str, Any]]) -> CommentedSeq:
    return CommentedSeq(flow(dict(row)) for row in rows)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 10_000  # a text is one line, however long
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _require_same(path: Path, rules: RuleSet, site: str, camera: str) -> None:
    if (rules.site, rules.camera) != (site, camera):
        raise ConfigError(
            f"{path} holds the rules of {rules.site}/{rules.camera}; those of {site}/{camera} need another file"
        )
