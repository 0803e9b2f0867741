"""Which calibration an operator means: a camera's of a site, a rule file's, or the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamproc.calibrations import NONE, calibration_path, find_calibration, kept_path
from streamproc.camera_rules import rules_path
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration
from streamproc.rules.schema import load_rules
from streamproc.site import load_site


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A calibration, and where it was found."""

    file: Path
    calibration: Calibration
    doubt: str | None = None
    """Why it may be the wrong one, in words."""


def find(target: Path, camera: str | None = None) -> Named:
    """The calibration at ``target``: a site file with the ``camera``'s id, a rule file, or a calibration.

    A site of one camera needs no id.

    Raises:
        ConfigError: there is none, or it does not load; of a site's camera also where it does not fit the settings.
    """
    if target.name.endswith(".json"):
        _needs_no_camera(target, camera)
        return Named(target, Calibration.load(target))
    if _is_rule_file(target):
        _needs_no_camera(target, camera)
        return _of_rules(target)
    return _of_site(target, camera)


def _is_rule_file(target: Path) -> bool:
    if calibration_path(target).is_file():
        return True
    try:
        load_rules(target)
    except ConfigError:
        return False
    return True


def _of_rules(rules: Path) -> Named:
    wanted, beside = load_rules(rules).calibration_sha256, calibration_path(rules)
    if not beside.is_file():
        raise ConfigError(f"{rules}: {NONE}")
    calibration = Calibration.load(beside)
    if wanted is None or calibration.sha256 == wanted:
        return Named(beside, calibration)
    return Named(beside, calibration, f"{beside} is not the calibration that the rules beside it were learned with")


def _of_site(site: Path, camera: str | None) -> Named:
    loaded = load_site(site)
    ids = [one.id for one in loaded.settings.cameras]
    if camera is None and len(ids) > 1:
        raise ConfigError(f"{site} has several cameras; name one with --camera: {', '.join(ids)}")
    rules = rules_path(loaded, loaded.camera(camera or ids[0]))
    found = find_calibration(rules, load_rules(rules), loaded.pipeline.normality)
    if found.calibration is None:
        raise ConfigError(f"{rules}: {NONE}")
    beside, kept = calibration_path(rules), kept_path(rules)
    # While an induction writes, the rules' own lies aside.
    file = kept if kept.is_file() and Calibration.load(beside).sha256 != found.sha256 else beside
    return Named(file, found.calibration, found.doubt)


def _needs_no_camera(target: Path, camera: str | None) -> None:
    if camera is not None:
        raise ConfigError(f"{target} is one camera's; --camera goes with a site file")
