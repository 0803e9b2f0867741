"""What a rule file could mean better: findings with line numbers, beyond what keeps it from loading."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamproc.errors import ConfigError
from streamproc.rules.keywords import compile_keyword, meets
from streamproc.rules.negation import words_of
from streamproc.rules.schema import RuleModel, RuleSetModel, parse_rules
from streamproc.yamlfile import read_bytes
from streamproc.yamltree import Node, Place

_WORDS_ONLY = re.compile(r"[\w\s'\u2019-]*")
_COMMON = "a an the is are was were in on at of and or to with there it this that he she they"
_TOO_COMMON = frozenset(_COMMON.split())
Level = Literal["error", "warning", "info"]
_Loc = tuple[str | int, ...]
_Found = tuple[_Loc, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at in a rule file."""

    level: Level
    """An error keeps the file from loading; a warning does not; an info tells how a rule was understood."""
    path: str
    line: int | None
    column: int | None
    field: str
    """Dotted path of the field; empty for the file as a whole."""
    message: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}:{self.column}"
        return f"{place}: {self.level}: {self.field + ': ' if self.field else ''}{self.message}"


def lint(path: Path, zones: Collection[str] | None = None) -> list[Finding]:
    """Findings in the rule file at ``path``, in the file's order; empty if all is well.

    ``zones`` are the camera's, by name; None leaves zones unchecked.
    """
    try:
        _, model, root = parse_rules(read_bytes(path), str(path))
    except ConfigError as error:
        return [Finding("error", str(path), f.line, f.column, f.field, f.message) for f in error.faults]
    warned = [*_of_the_set(model), *_of_rules(model, zones), *_of_keywords(model)]
    findings = []
    leveled: tuple[tuple[Level, Iterable[_Found]], ...] = (("warning", warned), ("info", _understood(model)))
    for level, found in leveled:
        for loc, message in found:
            place, field = _place(root, loc), ".".join(str(part) for part in loc)
            findings.append(Finding(level, str(path), place.line, place.column, field, message))
    return sorted(findings, key=lambda finding: (finding.line or 0, finding.column or 0))


def _of_the_set(model: RuleSetModel) -> Iterator[tuple[_Loc, str]]:
    enabled = [rule for rule in model.rules if rule.enabled]
    if not model.rules:
        yield ("rules",), "no rules: only measurements can raise an alert, and none will cite a rule"
    elif not enabled:
        yield ("rules",), "every rule is switched off: only measurements can raise an alert"
    elif not any(rule.noun().says == "anomaly" for rule in enabled):
        yield ("rules",), "no rule says anomaly: only measurements can raise an alert"


def _of_rules(model: RuleSetModel, zones: Collection[str] | None) -> Iterator[tuple[_Loc, str]]:
    texts: dict[str, str] = {}
    for index, rule in enumerate(model.rules):
        said = " ".join(word.text for word in words_of(rule.text))
        if said in texts:
            yield ("rules", index, "text"), f"says the same as {texts[said]}; each sentence meets only one of them"
        texts.setdefault(said, rule.id)
        noun = rule.noun()
        if len(said.split()) < 3 and not (noun.forbids and noun.keywords):
            yield ("rules", index, "text"), "too short to compare meanings with; write a whole sentence"
        if noun.says == "anomaly" and rule.enabled and not noun.keywords and rule.more_people_than is None:
            yield (
                ("rules", index),
                "no keywords: likeness of meaning alone raises no alert; list words to know it by",
            )
        if rule.when is None:
            continue
        for position, zone in enumerate(rule.when.zones if zones is not None else ()):
            if zone not in (zones or ()):
                known = ", ".join(sorted(zones or ())) or "none"
                yield ("rules", index, "when", "zones", position), f"the camera has no zone {zone}; it has {known}"
        if rule.when.hours is not None and rule.when.hours.partition("-")[0] == rule.when.hours.partition("-")[2]:
            yield ("rules", index, "when", "hours"), "begins when it ends, which means the whole day"


def _understood(model: RuleSetModel) -> Iterator[tuple[_Loc, str]]:
    for index, rule in enumerate(model.rules):
        loc, noun = ("rules", index, "text"), rule.noun()
        if noun.forbids:
            known = f", known by {', '.join(noun.keywords)}" if noun.keywords else ""
            anywhere = "" if noun.when and noun.when.zones else "; anywhere in view, as it names no zones"
            yield loc, f'understood as: forbids "{noun.forbids}"{known}{anywhere}'
        elif rule.says == "anomaly" and words_of(rule.text)[:1] and words_of(rule.text)[0].denied:
            yield loc, 'understood as: an absence is the anomaly; to forbid it write "… is not allowed"'


def _of_keywords(model: RuleSetModel) -> Iterator[tuple[_Loc, str]]:
    for index, rule in enumerate(model.rules):
        seen: dict[tuple[frozenset[str], ...], str] = {}
        for position, text in enumerate(rule.keywords):
            loc: _Loc = ("rules", index, "keywords", position)
            keyword = compile_keyword(text)
            if not keyword.parts or not _WORDS_ONLY.fullmatch(text):
                yield loc, f"{text!r} is never met: keywords are plain words, met whole and in any inflection"
            elif text.lower() in _TOO_COMMON:
                yield loc, f"{text!r} is in almost every sentence"
            elif keyword.parts in seen:
                yield loc, f"{text!r} is met wherever {seen[keyword.parts]!r} is; inflections need not be listed"
            seen.setdefault(keyword.parts, text)
            if rule.noun().says == "anomaly" and rule.enabled and (other := _normal_with(model, rule, text)):
                yield loc, f"{text!r} is also in the normal rule {other}: {_outcome(rule)}"


def _outcome(anomaly: RuleModel) -> str:
    if anomaly.support is None:
        return "footage that was normal when rules were learned will raise alerts; is that meant?"
    return "the normal rule answers it, so it raises no alert"


def _normal_with(model: RuleSetModel, anomaly: RuleModel, keyword: str) -> str | None:
    """The normal rule, in force at any time this one is, whose keywords or words hold the keyword."""
    for rule in model.rules:
        if rule.noun().says != "normal" or not rule.enabled or rule.when != anomaly.when:
            continue
        if any(meets([keyword], text) for text in (rule.text, *rule.keywords)):
            return rule.id
    return None


def _place(root: Node, loc: _Loc) -> Place:
    node = root
    for part in loc:
        if part not in node.children:
            break
        node = node.children[part]
    return node.place
