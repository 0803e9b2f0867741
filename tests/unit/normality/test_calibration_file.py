"""A calibration on disk: whole, versioned, and refused with the reason when it is not what was measured."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration, Clip, FalseAlarms, Scale
from streamproc.normality.novelty import KindScale
from streamproc.normality.picture import packed
from streamproc.normality.place import RowPlace

CALIBRATION = Calibration(
    camera_id="gate",
    learned_at="2026-01-01T00:00:40+00:00",
    clips=(Clip(name="a.mp4", sha256="0" * 64, duration_s=40.0),),
    observed_s=39.9,
    busy_s=38.0,
    samples_per_s=10.0,
    picture_px=(640, 480),
    flow_px=(384, 288),
    flow="fine",
    background=packed(np.full((288, 384), 90, np.uint8)),
    place=RowPlace(top_px_s=-2.0, bottom_px_s=119.0, least_px_s=12.0),
    memory=None,
    kinds={"speed": KindScale(median=0.47, p99=1.38, one_hour_level=0.9)},
    novelty=Scale(median=0.0, p99=1.0, threshold=1.3, held_out_max=0.9, held_out_range=0.25, one_hour_level=1.3),
    false_alarms=FalseAlarms(count=0, hours=0.011, upper_per_hour=270.7, extrapolated=True),
)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "gate.normality.json"
    CALIBRATION.save(path)
    loaded = Calibration.load(path)
    assert loaded == CALIBRATION
    assert loaded.sha256 == CALIBRATION.sha256
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_hash_tells_calibrations_apart() -> None:
    assert CALIBRATION.model_copy(update={"busy_s": 37.0}).sha256 != CALIBRATION.sha256


def changed(path: Path, **body: Any) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    document["calibration"].update(body)
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "not JSON"),
        (lambda path: path.write_text("not json"), "not JSON"),
        (lambda path: path.write_text("[]"), "not a calibration"),
        (lambda path: path.write_text('{"form": "other", "calibration": {}}'), "not a calibration"),
        (lambda path: changed(path, schema_version=7), "version 7, but 2 is what is read"),
        (lambda path: changed(path, busy_s=3.0), "was changed since it was measured"),
    ],
)
def test_anything_else_is_refused_with_the_reason(tmp_path: Path, spoil: Any, reason: str) -> None:
    path = tmp_path / "gate.normality.json"
    CALIBRATION.save(path)
    spoil(path)
    with pytest.raises(ConfigError) as refused:
        Calibration.load(path)
    assert reason in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_field_that_was_not_measured_leaves_the_hash_as_it_is() -> None:
    assert CALIBRATION.model_copy(update={"unrest_px_s": 0.0}).sha256 == CALIBRATION.sha256
    assert CALIBRATION.model_copy(update={"unrest_px_s": 1.0}).sha256 != CALIBRATION.sha256


def test_it_shows_people_so_its_owner_alone_can_read_it_unless_somebody_said_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "gate.normality.json"
    draft = tmp_path / ".gate.normality.json.new"
    draft.write_text("left behind")  # readable for all
    CALIBRATION.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    CALIBRATION.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
