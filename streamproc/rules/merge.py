"""Merges a new induction into the rules of a file that people may have edited, in ruamel.yaml's round-trip data.

What an operator may count on, rule by rule:

- comments, the order of rules and of fields, and rules that people wrote stay;
- a rule that people changed stays as they changed it, but for its support;
- a rule that nobody changed is brought up to date;
- a rule that is new is added at the end; one that people deleted is not written again (``provenance.removed``);
- a rule that was induced earlier and now is not is switched off, and is switched on again when it comes back
  (``provenance.retired``); if people changed it or switched it on again, it stays as it is;
- a rule that too few batches speak for is written switched off (``provenance.proposed``), and switched on when enough
  do; if people switch it on, it stays on;
- a proposal that is not made again is taken out, unless people changed it or wrote a comment there: a language model
  words its rules anew each time, and they would pile up. It is in the history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from streamproc.rules.induction import Induction
from streamproc.rules.schema import ProvenanceModel, RuleModel
from streamproc.types import Rule

_LATER = ("weight", "more_people_than")
"""Fields that rule files did not have at first: at their default they leave a fingerprint as it was."""
_OPTIONAL: Mapping[str, Any] = {"keywords": [], "weight": 1.0, "more_people_than": None}
"""Fields that a rule may leave out, and what they are then."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What became of the rules, by id."""

    version: int
    """The file's new version."""
    added: tuple[str, ...]
    updated: tuple[str, ...]
    """Induced again; nobody had changed them."""
    kept: tuple[str, ...]
    """Changed or written by people, so left as they are."""
    retired: tuple[str, ...]
    """No longer induced, so switched off."""
    removed: tuple[str, ...]
    """Induced, but deleted by people earlier, so not written."""
    proposed: tuple[str, ...] = ()
    """Switched off, as too few batches speak for them."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next merge must know of this one."""

    induced: dict[str, str]
    """Fingerprints of the rules as induced, by id."""
    retired: list[str]
    removed: list[str]
    proposed: list[str]


def fingerprint(rule: RuleModel | Rule) -> str:
    """Hash of what a rule says, without what induction keeps up to date or people switch: support and enabled."""
    model = rule if isinstance(rule, RuleModel) else RuleModel.model_validate(_plain(rule))
    said = model.model_dump(mode="json", exclude={"id", "support", "enabled"})
    for name in _LATER:
        if said[name] == RuleModel.model_fields[name].default:
            del said[name]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def merge(
    data: CommentedMap, known: Mapping[str, RuleModel], old: ProvenanceModel | None, induction: Induction
) -> tuple[Merge, Memory]:
    """Merge into ``data``, whose rules are ``known``; ``old`` is the provenance that the last induction wrote."""
    entries: CommentedSeq = data["rules"]
    if not entries:
        entries.fa.set_block_style()  # ``rules: []`` would put all that is added on its line
    by_id: dict[str, CommentedMap] = {entry["id"]: entry for entry in entries}
    written = {rule.id: rule.sha256 for rule in old.induced} if old else {}
    retired, removed = (list(old.retired), list(old.removed)) if old else ([], [])
    before, proposed = (set(old.proposed) if old else set[str]()), list[str]()
    induced: dict[str, str] = {}
    added, updated, kept, switched_off = [], [], [], []
    for rule in induction.rules:
        entry = by_id.get(rule.id)
        if entry is None:
            if rule.id in written or rule.id in removed:
                removed.append(rule.id)
                continue
            entries.append(_entry(rule))
            added.append(rule.id)
            proposed += [] if rule.enabled else [rule.id]
        elif rule.id in written and fingerprint(known[rule.id]) == written[rule.id]:
            fields = _plain(rule, switched=False)
            _update(entry, {name: default for name, default in _OPTIONAL.items() if name in entry} | fields)
            updated.append(rule.id)
            on, by_us = known[rule.id].enabled, rule.id in retired or rule.id in before
            if rule.enabled and not on and by_us:
                entry["enabled"] = True  # taking the field out would take the comment after it along
            elif not rule.enabled and on and not by_us:
                _put(entry, "enabled", False)
            if not rule.enabled and (on or by_us):
                proposed.append(rule.id)
        else:
            if rule.support and known[rule.id].support:
                _update(entry, {"support": _plain(rule)["support"]})
            kept.append(rule.id)
        induced[rule.id] = fingerprint(rule)
        if rule.id in retired:
            retired.remove(rule.id)
    for rule_id, sha256 in written.items():
        if rule_id in induced or rule_id not in by_id:
            continue
        untouched = not known[rule_id].enabled and fingerprint(known[rule_id]) == sha256
        if untouched and rule_id in before and not _commented(entries, by_id[rule_id]):
            entries.remove(by_id.pop(rule_id))
            continue
        induced[rule_id] = sha256
        proposed += [rule_id] if rule_id in before else []
        if rule_id not in retired and known[rule_id].enabled and fingerprint(known[rule_id]) == sha256:
            _put(by_id[rule_id], "enabled", False)
            retired.append(rule_id)
            switched_off.append(rule_id)
    people_s = [rule_id for rule_id in known if rule_id not in written and rule_id not in kept]
    retired = [rule_id for rule_id in dict.fromkeys(retired) if rule_id in by_id]
    removed = [rule_id for rule_id in dict.fromkeys(removed) if rule_id not in by_id]
    stays_away = tuple(rule.id for rule in induction.rules if rule.id in removed)
    version = int(data["version"]) + 1
    memory = Memory(induced, retired, removed, proposed)
    return Merge(
        version,
        tuple(added),
        tuple(updated),
        (*kept, *people_s),
        tuple(switched_off),
        stays_away,
        tuple(rule_id for rule_id in proposed if rule_id not in by_id or not by_id[rule_id].get("enabled", True)),
    ), memory


def _commented(entries: CommentedSeq, entry: CommentedMap) -> bool:
    """Whether a comment may belong to the entry, or to what follows it; one above may hang on the entry before."""
    at = entries.index(entry)
    above = any("#" in token.value for token in _tokens(entries.ca.items.get(at)))
    return above or at == 0 or _has_comment(entries[at - 1]) or _has_comment(entry)


def _has_comment(node: Any) -> bool:
    if not isinstance(node, CommentedMap | CommentedSeq):
        return False
    parts = node.values() if isinstance(node, CommentedMap) else node
    return any("#" in token.value for token in _tokens([node.ca.comment, *node.ca.items.values()])) or any(
        _has_comment(part) for part in parts
    )


def _tokens(held: Any) -> Iterator[Any]:
    for one in held or ():
        if isinstance(one, list):
            yield from _tokens(one)
        elif one is not None:
            yield one


def _update(entry: CommentedMap, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if entry.get(name) == value:
            continue
        fresh, stale = flow(value), entry.get(name)
        if isinstance(stale, CommentedSeq | CommentedMap) and isinstance(fresh, CommentedSeq | CommentedMap):
            stale.copy_attributes(fresh)  # with the comment behind it
        _put(entry, name, fresh)


def _put(entry: CommentedMap, name: str, value: Any) -> None:
    """Set a field; a new one goes before the last, behind which the next rule's heading stands."""
    if name in entry:
        entry[name] = value
    else:
        entry.insert(len(entry) - 1, name, value)


def _plain(rule: Rule, *, switched: bool = True) -> dict[str, Any]:
    """The rule's fields as YAML has them, without those at their default; ``enabled`` only if ``switched``."""
    fields: dict[str, Any] = {"id": rule.id, "about": rule.about, "says": rule.says, "text": rule.text}
    if rule.keywords:
        fields["keywords"] = list(rule.keywords)
    if rule.more_people_than is not None:
        fields["more_people_than"] = rule.more_people_than
    if rule.weight != 1.0:
        fields["weight"] = rule.weight
    fields["severity"] = rule.severity
    if rule.support is not None:
        fields["support"] = {"k": rule.support.k, "n": rule.support.n}
    if rule.when is not None:
        when = {"zones": list(rule.when.zones), "hours": rule.when.hours, "days": list(rule.when.days)}
        fields["when"] = {name: value for name, value in when.items() if value}
    if switched and not rule.enabled:
        fields["enabled"] = False
    return fields


def _entry(rule: Rule) -> CommentedMap:
    return CommentedMap({name: flow(value) for name, value in _plain(rule).items()})


def flow(value: Any) -> Any:
    """Lists and small maps on one line."""
    if isinstance(value, list):
        flowing: Any = CommentedSeq(flow(item) for item in value)
    elif isinstance(value, dict):
        flowing = CommentedMap({name: flow(item) for name, item in value.items()})
    else:
        return value
    flowing.fa.set_flow_style()
    return flowing
