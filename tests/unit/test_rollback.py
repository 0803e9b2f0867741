"""`streamproc rules rollback`: an earlier version is current again, whole, and a running pipeline takes it over."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamproc.calibrations import CalibrationInForce, calibration_path, exchanged, find_calibration, kept_path
from streamproc.config import NormalitySettings
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration
from streamproc.rollback import roll_back
from streamproc.rules import history
from streamproc.rules.induction import Induction
from streamproc.rules.schema import load_rules
from streamproc.rules.store import Footage, save_rules
from streamproc.rules.versions import told
from streamproc.rules.watch import RuleFile
from streamproc.testing import FakeClock
from streamproc.types import Rule

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
WALK = Rule("walk", "human", "normal", "People walk here.", ("walk",))
RUN = Rule("run", "human", "anomaly", "Someone runs.", ("run",))
MEASURED = Calibration.load(
    Path(__file__).parent.parent / "integration" / "site" / "rules" / "two.normality.json"
).model_copy(update={"camera_id": "gate"})


def calibration(number: int) -> Calibration:
    return MEASURED.model_copy(update={"observed_s": 10.0 + number})


def learn(path: Path, number: int, *rules: Rule) -> None:
    measured = calibration(number)
    footage = Footage((), NOW, calibration_path(path).name, measured.sha256, alarm_score=number / 10)
    with exchanged(path, measured):
        save_rules(
            path,
            "depot",
            "gate",
            Induction(how="statistics", rules=rules, dropped=(), doubted=(), captions=60, models=()),
            footage,
        )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three versions: people walk; they also run; the same again."""
    path = tmp_path / "gate.yaml"
    learn(path, 1, WALK)
    learn(path, 2, WALK, RUN)
    learn(path, 3, WALK, RUN)
    return path


def test_an_earlier_version_is_current_again_under_a_new_number_and_the_present_one_is_kept(path: Path) -> None:
    present = path.read_bytes()
    first = history.find(path, "1").path.read_text()
    done = roll_back(path, "1")
    assert (done.restored, done.version, done.notes) == (1, 4, ())
    assert path.read_text() == first.replace("version: 1\nrules", "version: 4\nrules")
    assert done.changes is not None
    assert [(one.id, one.what) for one in done.changes.rules] == [("run", "removed")]
    assert history.find(path, "3").path.read_bytes() == present
    assert [row.how for row in told(path)][-1] == "version 1 again"
    assert done.as_dict()["changes"]["summary"] == "1 removed"


def test_its_calibration_comes_back_with_it_and_goes_again(path: Path) -> None:
    for name, number, version in (("1", 1, 4), ("3", 3, 5), ("4", 1, 6)):
        roll_back(path, name)
        rules = load_rules(path)
        found = find_calibration(path, rules, NormalitySettings())
        assert (rules.version, found.calibration, found.doubt) == (version, calibration(number), None)
        assert not kept_path(path).exists()


def test_without_its_calibration_the_rules_come_back_and_that_is_said(path: Path) -> None:
    kept = history.kept_calibration(path, calibration(1).sha256)
    assert kept is not None
    kept.unlink()
    done = roll_back(path, "1")
    assert load_rules(path).alarm_score == 0.1
    assert "was not kept" in done.notes[0]
    assert Calibration.load(calibration_path(path)) == calibration(3)


def test_an_edit_gone_wrong_is_what_it_is_for(path: Path) -> None:
    path.write_text(path.read_text().replace("rules:", "rulez:", 1))
    done = roll_back(path, "2")
    assert (done.version, done.changes) == (4, None)
    assert [one.version for one in history.kept(path)] == [1, 2, 3, 3, 4]


def test_the_last_version_that_was_written_is_there_to_undo_an_edit(path: Path) -> None:
    written = path.read_text()
    path.write_text(written.replace("Someone runs.", "Nobody runs."))
    done = roll_back(path, "3")
    assert path.read_text() == written.replace("version: 3", f"version: {done.version}")


def test_what_does_not_load_is_refused_and_nothing_is_changed(path: Path) -> None:
    before = path.read_bytes()
    kept = history.find(path, "1").path
    kept.write_text("version: 1\nrules: 7\n")
    with pytest.raises(ConfigError, match=kept.name):
        roll_back(path, "1")
    kept.write_text(before.decode().replace("camera: gate", "camera: yard"))
    with pytest.raises(ConfigError, match="holds the rules of depot/yard, not of depot/gate"):
        roll_back(path, "1")
    with pytest.raises(ConfigError, match="no version 9 is kept"):
        roll_back(path, "9")
    with pytest.raises(ConfigError, match="no such rule file"):
        roll_back(path.parent / "none.yaml", "1")
    assert path.read_bytes() == before
    assert [one.version for one in history.kept(path)] == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "# mine\r\nschema_version: 1\r\nsite: s\r\ncamera: c\r\nversion: 1 # first\r\nrules: []\r\n",
        "\ufeffversion: 1\nschema_version: 1\nsite: s\ncamera: c\nrules: []",
        "{schema_version: 1, site: s, camera: c, version: 1, rules: []}\n",
    ],
)
def test_only_the_number_is_other_whatever_the_files_form(tmp_path: Path, text: str) -> None:
    path = tmp_path / "gate.yaml"
    path.write_bytes(text.encode())
    history.keep(path, text.replace("version: 1 ", "version: 1  ").encode())
    (kept,) = history.kept(path)
    kept.path.write_bytes(text.encode())
    roll_back(path, kept.name)
    assert (
        path.read_bytes()
        == text.replace(" version: 1", " version: 2")
        .replace("\nversion: 1", "\nversion: 2")
        .replace("\ufeffversion: 1", "\ufeffversion: 2")
        .encode()
    )


def test_a_running_pipeline_takes_it_over_with_its_calibration_within_two_seconds(path: Path) -> None:
    clock = FakeClock(NOW)

    def touch() -> None:
        for file in (path, calibration_path(path)):
            os.utime(file, (clock.now().timestamp(), clock.now().timestamp()))

    touch()
    in_force = CalibrationInForce(path, NormalitySettings())
    file = RuleFile(path, clock, calibration=in_force)
    for _ in range(10):
        clock.advance(1.0)
        assert file.poll().version == 3
    roll_back(path, "1")
    touch()
    for _ in range(2):
        clock.advance(1.0)
        file.poll()
    assert (file.rules.version, file.rules.alarm_score) == (4, 0.1)
    assert [rule.id for rule in file.rules.rules] == ["walk"]
    assert in_force.calibration() == calibration(1)
