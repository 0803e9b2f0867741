"""The calibration that belongs to a rule file: where it lies, and how the two are exchanged together.

Rules that were induced name their calibration's hash. Induction writes the calibration first and the rules last, and
until the rules are there the calibration of the old ones is kept beside the new: whenever a process looks, or wherever
induction is killed, the rules that are there find the calibration they were learned with. Then it goes to the history.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from streamproc.config import NormalitySettings
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration
from streamproc.rules import history
from streamproc.rules.schema import load_rules
from streamproc.types import RuleSet

log = structlog.get_logger(__name__)

NONE = "no calibration beside the rule file: nothing is measured; `streamproc induce` makes one"


def calibration_path(rules: Path) -> Path:
    """The file beside a rule file with what was measured on the camera's normal footage."""
    return rules.with_suffix(".normality.json")


def kept_path(rules: Path) -> Path:
    """Where the old rules' calibration is kept while an induction writes new ones."""
    return rules.with_suffix(".normality.kept.json")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The calibration found for a rule set."""

    calibration: Calibration | None = None
    sha256: str | None = None
    """Of the calibration."""
    doubt: str | None = NONE
    """Why there is none, or why it may be the wrong one, in words; None where it belongs to the rules."""


def find_calibration(path: Path, rules: RuleSet, settings: NormalitySettings) -> Found:
    """The calibration for ``rules``, those of the file at ``path``.

    Raises:
        ConfigError: it does not load, or was measured otherwise than ``settings`` say.
    """
    wanted, beside = rules.calibration_sha256, calibration_path(path)
    found = _load(beside)
    if wanted is not None and found.sha256 != wanted:
        kept = _load(kept_path(path))
        found = kept if kept.sha256 == wanted else found
    if found.calibration is None:
        return Found()
    found.calibration.require(settings)
    if found.calibration.camera_id != rules.camera:
        doubt = f"{beside} was measured on camera {found.calibration.camera_id}: is it the right file?"
    elif wanted is not None and found.sha256 != wanted:
        doubt = (
            f"{beside} is not the calibration that these rules were learned with: put that one back, or run "
            "`streamproc induce` again"
        )
    else:
        return Found(found.calibration, found.sha256, None)
    return Found(found.calibration, found.sha256, doubt)


def _load(path: Path) -> Found:
    if not path.exists():
        return Found()
    calibration = Calibration.load(path)
    return Found(calibration, calibration.sha256, None)


class CalibrationInForce:
    """A camera's calibration, exchanged with its rules: those are taken over by one thread, others look at it."""

    def __init__(self, rules: Path, settings: NormalitySettings) -> None:
        """``rules`` is the camera's rule file."""
        self._path, self._settings = rules, settings
        self.file = calibration_path(rules)
        """The file it is read from; looked at together with the rule file."""
        self.found = Found(doubt=None)

    def calibration(self) -> Calibration | None:
        """The calibration in force."""
        return self.found.calibration

    def take(self, rules: RuleSet) -> str | None:
        """Have the calibration of ``rules`` in force from now on; returns its hash, None where there is none.

        Raises:
            ConfigError: it does not load, does not fit, or is gone; the one in force stays.
        """
        found = find_calibration(self._path, rules, self._settings)
        before = self.found
        if found.calibration is None and before.calibration is not None and rules.calibration_sha256 is not None:
            raise ConfigError(f"{self.file} is gone; the calibration that was read from it stays in force")
        if found.calibration is not None and found.sha256 == before.sha256:
            # The same again: whoever measures by it goes on, and does not begin anew.
            found = replace(found, calibration=before.calibration)
        self.found = found
        if found.doubt is not None and found.doubt != before.doubt:
            event = "not_calibrated" if found.calibration is None else "calibration_in_doubt"
            log.warning(event, camera=rules.camera, reason=found.doubt)
        if found.sha256 is not None and before.sha256 is not None and found.sha256 != before.sha256:
            log.info("calibration_changed", camera=rules.camera, path=str(self.file), sha256=found.sha256[:12])
        return found.sha256


@contextmanager
def exchanged(rules: Path, calibration: Calibration) -> Iterator[None]:
    """Write ``calibration`` beside the rule file at ``rules``, before the body writes the rules it belongs to.

    Where the body fails, what was there is put back.

    Raises:
        ConfigError: it cannot be written.
    """
    path, kept = calibration_path(rules), kept_path(rules)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # After a kill the one that is kept is still that of the rules: it must not be lost to a second attempt.
        if path.exists() and not _belongs(kept, rules):
            _retire(rules, kept)
            draft = kept.with_name(f".{kept.name}.new")
            shutil.copy(path, draft)  # with its mode: it shows people
            draft.replace(kept)
        calibration.save(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    try:
        yield
    except BaseException:
        if kept.exists():
            kept.replace(path)
        else:
            path.unlink(missing_ok=True)
        raise
    _retire(rules, kept)


def _retire(rules: Path, calibration: Path) -> None:
    """To the history of the rule file, where a version in it names the calibration; else it goes."""
    try:
        history.keep_calibration(rules, Calibration.load(calibration).sha256, calibration.read_bytes(), calibration)
    except ConfigError as error:
        if calibration.exists():
            log.warning("calibration_not_kept", path=str(calibration), error=str(error))
    calibration.unlink(missing_ok=True)


def _belongs(calibration: Path, rules: Path) -> bool:
    try:
        wanted = load_rules(rules).calibration_sha256
        return wanted is not None and _load(calibration).sha256 == wanted
    except ConfigError:
        return False
