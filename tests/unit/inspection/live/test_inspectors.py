"""Who looks at a camera's things: a memory of what was enrolled, the expert beside it or alone, nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from streamproc.config import CameraSettings, InspectionSettings
from streamproc.errors import ConfigError
from streamproc.inspection.live.crops import Thing
from streamproc.inspection.live.enrolled import Enrolled, Header, KnownThing
from streamproc.inspection.live.enrolling import seen_as
from streamproc.inspection.live.inspectors import STAND_IN, inspectors_of
from streamproc.inspection.nouns import Features, Pixels, Reading, Score
from streamproc.testing_inspection import FakeBackbone

VALVE = Thing("region", "main-valve")
SETTINGS = InspectionSettings()


class Expert:
    """Holds what is dark for a defect."""

    revision = "0123456789ab"
    close_ups = 1

    def score(self, features: Features) -> Reading:
        logit = 4.0 - 10.0 * float(features.tokens[0, :, :3].mean())
        maps = np.full((1, 8, 8), 0.5, np.float32)
        none = np.zeros((1,), np.float32)
        return Reading(Score(float(1 / (1 + np.exp(-logit))), maps[0], "expert"), logit, maps, none, none)


def camera(left: float = 0.2, camera_id: str = "gate") -> CameraSettings:
    region = {"name": "main-valve", "polygon": [[left, 0.2], [0.7, 0.2], [0.7, 0.7], [left, 0.7]]}
    return CameraSettings.model_validate({"id": camera_id, "main": "rtsp://x/1", "regions": [region]})


def normal(number: int) -> Pixels:
    """A bright plate with a little noise."""
    noise = np.random.default_rng(number).integers(-6, 6, (64, 64, 3))
    return np.asarray(np.clip(200 + noise, 0, 255), np.uint8)


def broken() -> Pixels:
    picture = normal(99)
    picture[40:60, 4:24] = 30
    return picture


def enrolled(path: Path, of: CameraSettings) -> Path:
    known = KnownThing(pictures=8, seen_as=seen_as(of, VALVE))
    header = Header(site="site", camera=of.id, learned_at="", clips=(), things={VALVE.key: known})
    Enrolled(header, {VALVE.key: tuple(map(normal, range(8)))}).save(path)
    return path


def test_a_memory_knows_the_normal_and_finds_what_is_not_and_where(tmp_path: Path) -> None:
    file = enrolled(tmp_path / "gate.inspection.zip", camera())
    looks = inspectors_of(camera(), [VALVE], SETTINGS, FakeBackbone(), None, file)[VALVE.key]
    assert looks.inspect(normal(50)).times < 1
    found = looks.inspect(broken())
    assert found.times > 2
    assert [one.by for one in found.opinions] == ["memory"]
    assert found.opinions[0].times == found.times
    row, column = np.unravel_index(int(found.heat.argmax()), found.heat.shape)
    assert row > 4
    assert column < 4
    assert [(model.role, model.stand_in_for) for model in looks.models] == [("inspection", STAND_IN), ("memory", None)]
    assert looks.models[1].revision == Enrolled.load(file).revision
    assert looks.degraded == ()


def test_the_expert_and_the_memory_speak_together(tmp_path: Path) -> None:
    file = enrolled(tmp_path / "gate.inspection.zip", camera())
    looks = inspectors_of(camera(), [VALVE], SETTINGS, FakeBackbone(), Expert(), file)[VALVE.key]
    found = looks.inspect(broken())
    assert [one.by for one in found.opinions] == ["memory", "expert"]
    assert found.times > 1
    assert [model.role for model in looks.models] == ["inspection", "expert", "memory"]


def test_without_a_memory_the_expert_speaks_alone_and_that_is_said(tmp_path: Path) -> None:
    looks = inspectors_of(camera(), [VALVE], SETTINGS, FakeBackbone(), Expert(), tmp_path / "none.zip")[VALVE.key]
    assert [one.by for one in looks.inspect(broken()).opinions] == ["expert"]
    assert looks.degraded == ("no memory of the main valve: the expert alone speaks",)


def test_without_either_nobody_looks(tmp_path: Path) -> None:
    assert inspectors_of(camera(), [VALVE], SETTINGS, FakeBackbone(), None, tmp_path / "none.zip") == {}


def test_what_was_cut_otherwise_when_it_was_learned_is_not_held_against_it(tmp_path: Path) -> None:
    file = enrolled(tmp_path / "gate.inspection.zip", camera(left=0.3))
    with capture_logs() as logs:
        assert inspectors_of(camera(), [VALVE], SETTINGS, FakeBackbone(), None, file) == {}
    assert [(one["event"], one["thing"]) for one in logs] == [("memory_not_used", "region main-valve")]


def test_another_cameras_file_is_refused(tmp_path: Path) -> None:
    file = enrolled(tmp_path / "gate.inspection.zip", camera(camera_id="yard"))
    with pytest.raises(ConfigError, match="was learned of camera yard: is it the right file"):
        inspectors_of(camera(), [VALVE], SETTINGS, FakeBackbone(), None, file)


def test_no_look_is_better_than_good(tmp_path: Path) -> None:
    """Half of the normal crops are below their median; in the stream they are all as good."""
    file = enrolled(tmp_path / "gate.inspection.zip", camera())
    looks = inspectors_of(camera(), [VALVE], SETTINGS, FakeBackbone(), Expert(), file)[VALVE.key]
    found = [looks.inspect(normal(number)) for number in range(8)]
    assert min(one.times for one in found) == 0
    assert min(opinion.times for one in found for opinion in one.opinions) == 0
