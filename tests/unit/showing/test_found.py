"""A site's camera, a rule file and a calibration all lead to the calibration; whatever does not says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamproc.calibrations import calibration_path, kept_path
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration
from streamproc.showing.found import find
from streamproc.testing_wiring import write_rules, write_site

MEASURED = Calibration.load(
    Path(__file__).parents[2] / "integration" / "site" / "rules" / "two.normality.json"
).model_copy(update={"camera_id": "gate"})
OTHER = MEASURED.model_copy(update={"busy_s": 12.0})


def camera_of(folder: Path, camera: str = "gate", calibration: Calibration | None = MEASURED) -> Path:
    """A rule file that names ``MEASURED`` as its calibration, and what lies beside it."""
    rules = write_rules(folder / "rules" / f"{camera}.yaml", camera, {"calibration_sha256": MEASURED.sha256})
    if calibration is not None:
        calibration.save(calibration_path(rules))
    return rules


def test_all_that_names_a_camera_leads_to_its_calibration(tmp_path: Path) -> None:
    rules, site = camera_of(tmp_path), write_site(tmp_path)
    for target, camera in ((site, "gate"), (site, None), (rules, None), (calibration_path(rules), None)):
        named = find(target, camera)
        assert named.calibration == MEASURED
        assert named.file == calibration_path(rules)
        assert named.doubt is None


def test_of_several_cameras_one_is_named(tmp_path: Path) -> None:
    camera_of(tmp_path)
    site = write_site(tmp_path, "gate", "yard")
    assert find(site, "gate").calibration == MEASURED
    with pytest.raises(ConfigError, match="name one with --camera: gate, yard"):
        find(site)


def test_what_is_not_there_is_told_with_its_remedy(tmp_path: Path) -> None:
    rules, site = camera_of(tmp_path, calibration=None), write_site(tmp_path)
    with pytest.raises(ConfigError, match=r"no calibration beside the rule file.*induce"):
        find(site, "gate")
    with pytest.raises(ConfigError, match="cannot be read"):
        find(calibration_path(rules))
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        find(tmp_path / "none.yaml")


def test_a_rule_file_without_a_calibration_says_so_too(tmp_path: Path) -> None:
    rules = camera_of(tmp_path, calibration=None)
    with pytest.raises(ConfigError, match=r"no calibration beside the rule file.*induce"):
        find(rules)


def test_a_camera_goes_with_a_site_alone(tmp_path: Path) -> None:
    rules = camera_of(tmp_path)
    for target in (rules, calibration_path(rules)):
        with pytest.raises(ConfigError, match="--camera goes with a site file"):
            find(target, "gate")


def test_another_calibration_than_the_rules_name_is_shown_with_a_doubt(tmp_path: Path) -> None:
    rules, site = camera_of(tmp_path, calibration=OTHER), write_site(tmp_path)
    for target in (rules, site):
        named = find(target)
        assert named.calibration == OTHER
        assert named.doubt is not None
        assert "is not the calibration" in named.doubt
    assert find(calibration_path(rules)).doubt is None


def test_while_an_induction_writes_a_site_shows_what_is_in_force(tmp_path: Path) -> None:
    rules, site = camera_of(tmp_path, calibration=OTHER), write_site(tmp_path)
    MEASURED.save(kept_path(rules))
    named = find(site)
    assert (named.file, named.calibration, named.doubt) == (kept_path(rules), MEASURED, None)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"form": "other"}))
    with pytest.raises(ConfigError, match="not a calibration"):
        find(path)
