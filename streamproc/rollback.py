"""`streamproc rules rollback`: an earlier version of a rule file becomes the current one, as a new version."""

from __future__ import annotations

import re
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamproc.calibrations import calibration_path, exchanged
from streamproc.errors import ConfigError
from streamproc.feedback.records import load_feedback
from streamproc.normality.calibration import Calibration
from streamproc.rules import history
from streamproc.rules.atomic import replace
from streamproc.rules.diff import Diff
from streamproc.rules.schema import FeedbackModel, parse_rules
from streamproc.rules.versions import difference, load
from streamproc.yamlfile import read_bytes


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What was put back."""

    rules: Path
    restored: int
    """The version that was put back."""
    version: int
    """Its new number."""
    changes: Diff | None
    """What that changed; None where the file that was there does not load."""
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        changes = self.changes.as_dict() if self.changes else None
        fields = {"rules": self.rules, "restored": self.restored, "version": self.version}
        return fields | {"changes": changes, "notes": self.notes}


def roll_back(path: Path, name: str) -> RolledBack:
    """Make the version called ``name`` (``history.find``) current, under the next number; the present one is kept.

    The calibration that it was learned with comes back with it, where that was kept.

    Raises:
        ConfigError: there is no such version, it does not load, is another camera's, or cannot be written.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such rule file; the versions that were kept are in {history.folder(path)}")
    chosen = history.find(path, name)
    restored = load(chosen.path, f"{path}, version {chosen.version}")
    present = read_bytes(path)
    try:
        now = load(path)
    except ConfigError:
        now = None  # an edit gone wrong: what rolling back is for
    ours = None if now is None else (now.model.site, now.model.camera)
    if ours not in (None, (restored.model.site, restored.model.camera)):
        raise ConfigError(
            f"{chosen.path} holds the rules of {restored.model.site}/{restored.model.camera}, not of {'/'.join(ours)}"
        )
    version = max(history.version_of(present), *(one.version for one in history.kept(path))) + 1
    after = _numbered(read_bytes(chosen.path), chosen.path, version)
    provenance = restored.model.provenance
    calibration, notes = _calibration(path, provenance.calibration_sha256 if provenance else None)
    if read_bytes(path) != present:
        raise ConfigError(f"{path} was changed meanwhile; nothing was written")
    with exchanged(path, calibration) if calibration is not None else nullcontext():
        history.keep(path, present)
        replace(path, after)
        history.keep(path, after)
    notes += _untaken(path, restored.model.feedback)
    changes = None if now is None else difference(now, load(path))
    return RolledBack(path, chosen.version, version, changes, notes)


def _untaken(path: Path, feedback: FeedbackModel | None) -> tuple[str, ...]:
    """What to know where operators said more of alerts than the version takes in."""
    taken = () if feedback is None else (*feedback.right, *feedback.false_alarms)
    more = 0
    with suppress(ConfigError):  # what cannot be read is said when it is to be taken in
        more = len(load_feedback(path).keys() - set(taken))
    if not more:
        return ()
    said = "`streamproc rules recalibrate` or the next `induce` takes it in, unless it is withdrawn"
    return (f"there is feedback on {more} alert{'' if more == 1 else 's'} that this version does not know of: {said}",)


def _calibration(path: Path, wanted: str | None) -> tuple[Calibration | None, tuple[str, ...]]:
    """The calibration to be put back, None where the right one is there or none can be had."""
    if wanted is None:
        return None, ()
    beside = calibration_path(path)
    with suppress(ConfigError):  # one that is not there or does not load is replaced
        if Calibration.load(beside).sha256 == wanted:
            return None, ()
    kept = history.kept_calibration(path, wanted)
    if kept is not None:
        return Calibration.load(kept), ()
    return None, (f"the calibration that it was learned with was not kept; {beside} stays as it is",)


def _numbered(data: bytes, path: Path, version: int) -> bytes:
    """The file with another version, else as it is to the byte."""
    _, model, root = parse_rules(data, str(path))
    place = root.children["version"].place
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", data.decode())
    lines = [line for line in lines if line]
    line, bom = lines[place.line - 1], place.line == 1 and lines[0].startswith("\ufeff")
    at = place.column - 1 + bom
    lines[place.line - 1] = line[:at] + re.sub(r"^[^\s,}\]]+", str(version), line[at:])
    after = "".join(lines).encode()
    if parse_rules(after, str(path))[1] != model.model_copy(update={"version": version}):
        raise ConfigError(f"{path}: its version stands where it cannot be counted up; write it as `version: N`")
    return after
