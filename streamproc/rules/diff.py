"""What differs between two rule sets, rule by rule and field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from streamproc.rules.schema import RuleModel, RuleSetModel

What = Literal["added", "removed", "changed", "switched on", "switched off"]
Colour = Literal["green", "red", "yellow", "cyan", ""]
_SIGNS: Mapping[What, tuple[str, Colour]] = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "changed": ("~", "yellow"),
    "switched on": (">", "cyan"),
    "switched off": ("x", "cyan"),
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field, what it was and what it is; None where it is left out."""

    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if isinstance(self.old, list) and isinstance(self.new, list):
            gone = [f"-{one}" for one in self.old if one not in self.new]
            come = [f"+{one}" for one in self.new if one not in self.old]
            return f"{self.field}: {', '.join(gone + come) or 'in another order'}"
        return f"{self.field}: {_shown(self.old)} -> {_shown(self.new)}"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What became of a rule. One that was switched may have changed as well: then ``fields`` holds something."""

    id: str
    what: What
    says: str
    text: str
    """As it is; as it was for one that was removed."""
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    name: str
    version: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Diff:
    """How ``new`` differs from ``old``."""

    old: Side
    new: Side
    rules: tuple[RuleChange, ...]
    file: tuple[FieldChange, ...]
    """Of the file as a whole: alarm score, calibration, hours of normal footage."""

    @property
    def summary(self) -> str:
        """``2 added, 1 switched off``; ``no rule changed``."""
        counts = {what: sum(one.what == what for one in self.rules) for what in _SIGNS}
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no rule changed"

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "summary": self.summary}

    def lines(self) -> Iterator[tuple[str, Colour]]:
        """For people, each line with its colour."""
        for one in self.rules:
            sign, colour = _SIGNS[one.what]
            switched = f" ({one.what})" if one.what.startswith("switched") else ""
            yield f"{sign} {one.id} [{one.says}]{switched}: {one.text}", colour
            yield from ((f"    {change}", "") for change in one.fields)
        yield from ((str(change), "") for change in self.file)
        yield self.summary, ""


def compare(old: RuleSetModel, old_side: Side, new: RuleSetModel, new_side: Side) -> Diff:
    """How ``new`` differs from ``old``; rules are the same by their ids, their order does not count."""
    before, after = ({rule.id: rule for rule in one.rules} for one in (old, new))
    weighs = (_weights(old), _weights(new))
    changes = [_change(before.get(rule_id), rule, weighs) for rule_id, rule in after.items()]
    changes += [
        RuleChange(rule.id, "removed", rule.says, rule.text) for rule_id, rule in before.items() if rule_id not in after
    ]
    found = [one for one in changes if one is not None]
    order: Sequence[What] = tuple(_SIGNS)
    found.sort(key=lambda one: order.index(one.what))
    return Diff(old_side, new_side, tuple(found), _fields(_of_file(old), _of_file(new)))


def _change(
    old: RuleModel | None, new: RuleModel, weighs: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> RuleChange | None:
    if old is None:
        return RuleChange(new.id, "added", new.says, new.text)
    was, now = ({**_plain(rule), **by_id.get(rule.id, {})} for rule, by_id in zip((old, new), weighs, strict=True))
    fields = _fields(was, now)
    if old.enabled != new.enabled:
        return RuleChange(new.id, "switched on" if new.enabled else "switched off", new.says, new.text, fields)
    return RuleChange(new.id, "changed", new.says, new.text, fields) if fields else None


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    names = dict.fromkeys((*old, *new))
    return tuple(FieldChange(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name))


def _plain(rule: RuleModel) -> dict[str, Any]:
    fields = rule.model_dump(mode="json", exclude={"id", "enabled", "support", "when"})
    fields["support"] = f"{rule.support.k}/{rule.support.n}" if rule.support else None
    when = rule.when.model_dump(mode="json") if rule.when else {}
    return fields | {f"when.{name}": value or None for name, value in when.items()}


def _weights(rules: RuleSetModel) -> dict[str, dict[str, Any]]:
    """By rule, what its keywords weigh where that is less than in full."""
    found: dict[str, dict[str, Any]] = {}
    for rule in rules.noun("").rules:
        less = zip(rule.keywords, rule.strengths, strict=False)
        found[rule.id] = {f"weight of {word!r}": round(weight, 2) for word, weight in less if weight < 1}
    return found


def _of_file(rules: RuleSetModel) -> dict[str, Any]:
    came_from, told = rules.provenance, rules.feedback
    return {
        "id": rules.id,
        "site": rules.site,
        "camera": rules.camera,
        "how": came_from and came_from.how,
        "alarm_score": rules.noun("").alarm_score,
        "feedback": told and f"{len(told.right)} right, {len(told.false_alarms)} false",
        "calibration": came_from and came_from.calibration_sha256 and came_from.calibration_sha256[:12],
        "hours_observed": came_from and came_from.hours_observed,
    }


def _shown(value: Any) -> str:
    return "(none)" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
