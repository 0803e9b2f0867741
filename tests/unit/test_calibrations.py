"""Rules and the calibration they were learned with: found together, exchanged together, kept through a kill."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streamproc.calibrations import NONE, CalibrationInForce, calibration_path, exchanged, find_calibration, kept_path
from streamproc.config import NormalitySettings
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration
from streamproc.rules import history
from streamproc.rules.live import LiveRules
from streamproc.rules.schema import load_rules
from streamproc.rules.watch import RuleFile
from streamproc.testing import FakeClock
from streamproc.testing_deduction import caption, fact, observed
from streamproc.testing_wiring import write_rules

MEASURED = Calibration.load(
    Path(__file__).parent.parent / "integration" / "site" / "rules" / "two.normality.json"
).model_copy(update={"camera_id": "gate"})
OLD, NEW = (MEASURED.model_copy(update={"observed_s": seconds}) for seconds in (39.0, 79.0))
SETTINGS = NormalitySettings()


def write(path: Path, calibration: Calibration, version: int, alarm_score: float = 0.5) -> None:
    """Rules that were learned with ``calibration``."""
    write_rules(path, provenance={"calibration_sha256": calibration.sha256, "alarm_score": alarm_score})
    path.write_text(path.read_text().replace("version: 3", f"version: {version}"))


class Camera:
    """A camera whose rules and calibration are followed; files carry the fake clock's time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate.yaml"
        self.clock = FakeClock(datetime(2026, 1, 5, 12, 0, tzinfo=UTC))
        self.refusals: list[ConfigError] = []
        OLD.save(calibration_path(self.path))
        write(self.path, OLD, 1)
        self.stamp()
        self.in_force = CalibrationInForce(self.path, SETTINGS)
        self.file = RuleFile(self.path, self.clock, calibration=self.in_force, on_refusal=self.refusals.append)
        self.clock.advance(60)

    def stamp(self) -> None:
        now_ns = int(self.clock.now().timestamp() * 1e9)
        for file in (self.path, calibration_path(self.path)):
            if file.exists():
                os.utime(file, ns=(now_ns, now_ns))

    def after(self, change: Callable[[], object], seconds: float = 2.0) -> tuple[int, float]:
        """Version and calibrated seconds that are in force, polled for ``seconds`` after a change."""
        change()
        self.stamp()
        for _ in range(round(seconds / 0.5)):
            self.clock.advance(0.5)
            rules = self.file.poll()
        calibration = self.in_force.calibration()
        return rules.version, calibration.observed_s if calibration else 0.0


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    return Camera(tmp_path)


def learn(path: Path, version: int = 2) -> None:
    with exchanged(path, NEW):
        write(path, NEW, version, 0.7)


_ABANDONED: list[object] = []


def killed(path: Path, calibration: Calibration) -> None:
    """What a kill leaves is what is there in the midst of learning: the end of it never comes."""
    begun = exchanged(path, calibration)
    begun.__enter__()
    _ABANDONED.append(begun)


# ---- what a process finds


def test_the_calibration_lies_beside_the_rules() -> None:
    assert calibration_path(Path("rules/gate.v2.yaml")) == Path("rules/gate.v2.normality.json")


def test_rules_and_calibration_that_belong_together_leave_no_doubt(camera: Camera) -> None:
    found = find_calibration(camera.path, load_rules(camera.path), SETTINGS)
    assert (found.calibration, found.sha256, found.doubt) == (OLD, OLD.sha256, None)


def test_rules_that_a_person_wrote_belong_to_the_calibration_beside_them(camera: Camera) -> None:
    assert find_calibration(camera.path, load_rules(write_rules(camera.path)), SETTINGS).doubt is None


def test_one_that_the_rules_were_not_learned_with_is_taken_in_doubt(camera: Camera) -> None:
    NEW.save(calibration_path(camera.path))
    found = find_calibration(camera.path, load_rules(camera.path), SETTINGS)
    assert found.calibration == NEW
    assert "gate.normality.json is not the calibration that these rules were learned with" in (found.doubt or "")


def test_another_cameras_is_taken_in_doubt_and_none_is_one_too(camera: Camera) -> None:
    MEASURED.model_copy(update={"camera_id": "two"}).save(calibration_path(camera.path))
    rules = load_rules(camera.path)
    assert "was measured on camera two" in (find_calibration(camera.path, rules, SETTINGS).doubt or "")
    calibration_path(camera.path).unlink()
    assert find_calibration(camera.path, rules, SETTINGS).doubt == NONE


def test_one_of_another_flow_width_is_refused(camera: Camera) -> None:
    with pytest.raises(ConfigError, match="flow_width_px: 384, the pipeline says 512"):
        find_calibration(camera.path, load_rules(camera.path), NormalitySettings(flow_width_px=512))


# ---- how learning writes them


@pytest.mark.parametrize("times", [1, 2])
def test_killed_before_the_rules_are_written_the_old_pair_is_usable(camera: Camera, times: int) -> None:
    for _ in range(times):
        killed(camera.path, NEW)
    assert Calibration.load(calibration_path(camera.path)) == NEW
    found = find_calibration(camera.path, load_rules(camera.path), SETTINGS)
    assert (found.calibration, found.doubt) == (OLD, None)


def test_after_a_kill_learning_again_leaves_the_new_pair_and_nothing_else(camera: Camera) -> None:
    killed(camera.path, OLD.model_copy(update={"observed_s": 50.0}))
    learn(camera.path)
    found = find_calibration(camera.path, load_rules(camera.path), SETTINGS)
    assert (found.calibration, found.doubt) == (NEW, None)
    assert sorted(file.name for file in camera.path.parent.iterdir()) == ["gate.normality.json", "gate.yaml"]


def test_who_may_read_it_stays_so_while_it_is_kept_and_in_the_history(camera: Camera) -> None:
    calibration_path(camera.path).chmod(0o640)
    history.keep(camera.path, camera.path.read_bytes())
    with exchanged(camera.path, NEW):
        modes = [path.stat().st_mode & 0o777 for path in (calibration_path(camera.path), kept_path(camera.path))]
        write(camera.path, NEW, 2, 0.7)
    kept = history.kept_calibration(camera.path, OLD.sha256)
    assert kept is not None
    assert [*modes, kept.stat().st_mode & 0o777] == [0o640] * 3


def test_where_the_rules_cannot_be_written_the_old_calibration_is_put_back(camera: Camera) -> None:
    with pytest.raises(ConfigError, match="changed meanwhile"), exchanged(camera.path, NEW):
        raise ConfigError("changed meanwhile")
    assert Calibration.load(calibration_path(camera.path)) == OLD
    assert not kept_path(camera.path).exists()


def test_where_the_first_rules_cannot_be_written_no_calibration_is_left(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="full"), exchanged(tmp_path / "rules" / "gate.yaml", NEW):
        raise ConfigError("full")
    assert list((tmp_path / "rules").iterdir()) == []


# ---- taken over while running


def test_what_is_learned_anew_is_taken_over_as_a_pair_within_two_seconds(camera: Camera) -> None:
    with capture_logs() as said:
        assert camera.after(lambda: learn(camera.path)) == (2, 79.0)
    assert camera.file.poll().alarm_score == 0.7
    assert [row["event"] for row in said] == ["calibration_changed", "rules_changed"]


def test_in_the_midst_of_learning_the_old_pair_stays(camera: Camera) -> None:
    with capture_logs() as said:
        assert camera.after(lambda: killed(camera.path, NEW)) == (1, 39.0)
    assert said == []


def test_new_rules_whose_calibration_is_not_valid_are_refused_with_it_once(camera: Camera) -> None:
    def broken() -> None:
        learn(camera.path)
        calibration_path(camera.path).write_text("{}")

    assert camera.after(broken, 10.0) == (1, 39.0)
    assert len(camera.refusals) == 1
    assert "not a calibration" in str(camera.refusals[0])
    assert camera.after(lambda: NEW.save(calibration_path(camera.path))) == (2, 79.0)


def test_a_calibration_that_is_gone_or_no_longer_valid_is_told_and_stays_in_force(camera: Camera) -> None:
    assert camera.after(lambda: calibration_path(camera.path).unlink()) == (1, 39.0)
    assert camera.after(lambda: calibration_path(camera.path).write_text("{")) == (1, 39.0)
    assert ["is gone" in str(error) for error in camera.refusals] == [True, False]
    assert camera.after(lambda: OLD.save(calibration_path(camera.path))) == (1, 39.0)
    assert camera.in_force.found.doubt is None


def test_one_that_does_not_belong_is_taken_and_said_and_put_back_again(camera: Camera) -> None:
    with capture_logs() as said:
        assert camera.after(lambda: NEW.save(calibration_path(camera.path)), 10.0) == (1, 79.0)
    assert [row["event"] for row in said] == ["calibration_in_doubt", "calibration_changed"]
    assert camera.in_force.found.doubt is not None
    assert camera.after(lambda: OLD.save(calibration_path(camera.path))) == (1, 39.0)
    assert camera.in_force.found.doubt is None


def test_a_window_on_its_way_is_held_against_the_rules_of_its_calibration(camera: Camera) -> None:
    live = LiveRules(camera.file, None, 0.6, "UTC")
    before, after = observed(1.0, calibration=OLD.sha256), observed(2.0, calibration=NEW.sha256)
    said = caption(fact("One person walks.", "walks"))
    camera.after(lambda: learn(camera.path))
    assert camera.file.rules.version == 2
    assert [live.match(said, one)[0].version for one in (before, before, after)] == [1, 1, 2]
    assert live.match(said, before)[0].version == 2  # it does not go back


def test_calibration_and_rules_change_together_once_the_rules_are_made(camera: Camera) -> None:
    jobs: list[Callable[[], None]] = []
    camera.in_force = CalibrationInForce(camera.path, SETTINGS)
    camera.file = RuleFile(camera.path, camera.clock, calibration=camera.in_force, work=jobs.append)
    camera.clock.advance(60)
    assert camera.after(lambda: learn(camera.path), 10.0) == (1, 39.0)
    jobs.pop()()
    assert camera.in_force.calibration() == OLD  # nothing changes but by a poll
    assert camera.after(lambda: None, 0.5) == (2, 79.0)


def test_the_same_calibration_read_again_is_the_same_so_that_measuring_goes_on(camera: Camera) -> None:
    before = camera.in_force.calibration()
    assert camera.after(lambda: OLD.save(calibration_path(camera.path))) == (1, OLD.observed_s)
    assert camera.in_force.calibration() is before
