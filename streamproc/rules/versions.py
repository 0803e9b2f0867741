"""A rule file's versions as people ask for them: told in order, and one beside another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streamproc.errors import ConfigError
from streamproc.rules import history
from streamproc.rules.diff import Diff, Side, compare
from streamproc.rules.merge import fingerprint
from streamproc.rules.schema import RuleSetModel, parse_rules
from streamproc.yamlfile import read_bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version's file, read."""

    side: Side
    model: RuleSetModel


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a history."""

    version: int | None
    """None for a file whose version cannot be read."""
    name: str
    """What ``--version`` takes."""
    current: bool
    written_at: datetime
    """When it was last written, edits included; UTC."""
    how: str
    """How it came about: the way of induction, by hand, or that it does not load."""
    rules: int
    """Rules that are switched on."""
    changed: str
    """What differs from the version before."""
    sha256: str
    """The first 12 digits."""

    def __str__(self) -> str:
        mark = "*" if self.current else " "
        when = f"{self.written_at:%Y-%m-%d %H:%M}"
        return (
            f"{mark} {self.version or '?':>4}  {self.sha256}  {when}  {self.rules:>3} rules  {self.how}: {self.changed}"
        )


def load(path: Path, name: str | None = None) -> Loaded:
    """The rule set in a file; ``name`` is what a diff calls it.

    Raises:
        ConfigError: it does not load.
    """
    data = read_bytes(path)
    model = parse_rules(data, str(path))[1]
    return Loaded(Side(name or str(path), model.version, hashlib.sha256(data).hexdigest()[:12]), model)


def told(path: Path) -> list[Told]:
    """The versions of the rule file at ``path``, the oldest first, the one that is there last.

    Raises:
        ConfigError: there is no such file and there never was.
    """
    now = hashlib.sha256(read_bytes(path)).hexdigest()[:12] if path.exists() else None
    every = [(one.path, one.name) for one in history.kept(path) if one.sha != now]
    if now is not None:
        every.append((path, ""))
    if not every:
        read_bytes(path)  # says what is wrong with it
    rows: list[Told] = []
    earlier: list[Loaded] = []
    for file, name in every:
        sha256 = hashlib.sha256(read_bytes(file)).hexdigest()[:12]
        written_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        try:
            loaded = load(file)
        except ConfigError as error:
            first = error.faults[0].message if error.faults else error.message
            rows.append(Told(None, name, file == path, written_at, "does not load", 0, first, sha256))
            continue
        number, rules = loaded.side.version, sum(rule.enabled for rule in loaded.model.rules)
        changed = difference(earlier[-1], loaded).summary if earlier else f"{len(loaded.model.rules)} rules"
        how = _how(loaded, earlier)
        rows.append(Told(number, name or str(number), file == path, written_at, how, rules, changed, sha256))
        earlier.append(loaded)
    return rows


def difference(old: Loaded, new: Loaded) -> Diff:
    """How ``new`` differs from ``old``."""
    return compare(old.model, old.side, new.model, new.side)


def since(path: Path, other: Path | None = None, version: str | None = None) -> Diff:
    """What changed in ``path`` beside another file, a version that was kept, or, with neither, the version before.

    Raises:
        ConfigError: one of them is not there or does not load.
    """
    now = load(path)
    if other is not None:
        return difference(load(other), now)
    if version is None:
        before = [one for one in history.kept(path) if one.sha != now.side.sha256]
        if not before:
            raise ConfigError(f"{path} has no version before this one; name another file to compare it with")
        chosen = before[-1]
    else:
        chosen = history.find(path, version)
    return difference(load(chosen.path, f"{path}, version {chosen.version}"), now)


def _how(loaded: Loaded, earlier: Sequence[Loaded]) -> str:
    model = loaded.model
    for one in reversed(earlier[:-1]):
        if _same_but(model, one.model):
            return f"version {one.model.version} again"
    if earlier and model.feedback != earlier[-1].model.feedback and _same_but(model, earlier[-1].model, "feedback"):
        return "recalibrated from feedback"
    if model.provenance is None or (earlier and model.provenance == earlier[-1].model.provenance):
        return "by hand"
    induced = {rule.id: rule.sha256 for rule in model.provenance.induced}
    there = {rule.id: fingerprint(rule) for rule in model.rules}
    edited = sum(induced.get(rule_id) != sha256 for rule_id, sha256 in there.items())
    edited += sum(rule_id not in there for rule_id in induced)
    return model.provenance.how + (f", {edited} rules edited" if edited else "")


def _same_but(one: RuleSetModel, other: RuleSetModel, *fields: str) -> bool:
    """Whether both are the same but for their version and ``fields``."""
    return one.model_copy(update={name: getattr(other, name) for name in ("version", *fields)}) == other
