"""`streamproc inspect enrol` and `induce`: what is kept of normal clips, what is refused, and what people are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamproc import enrolment as module
from streamproc.cli import app
from streamproc.enrolment import enrol, make_enrolling, save
from streamproc.errors import ConfigError
from streamproc.footage import sha256_of
from streamproc.inspection.live.enrolled import Enrolled
from streamproc.site import load_site
from streamproc.testing import FakeClock
from streamproc.testing_defects import checked, seen
from streamproc.testing_sources import write_clip
from streamproc.testing_wiring import FakeBackends, write_rules

REGION = "{name: valve, polygon: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]}"


def site(folder: Path, regions: str = f"[{REGION}]", inspection: str = "inspection: {memory: {shots: 6}}") -> Path:
    write_rules(folder / "rules" / "gate.yaml")
    (folder / "own.yaml").write_text(f"schema_version: 1\nname: own\n{inspection}\n", encoding="utf-8")
    path = folder / "site.yaml"
    path.write_text(
        "schema_version: 1\nsite: {id: site}\npipeline: ./own.yaml\n"
        f"cameras: [{{id: gate, main: clip.mp4, rules: rules/gate.yaml, regions: {regions}}}]\n"
        "alerts: {sinks: [{kind: jsonl, path: alerts.jsonl}], evidence: {directory: evidence}}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def backends(monkeypatch: pytest.MonkeyPatch) -> list[FakeBackends]:
    made: list[FakeBackends] = []

    def make(*_: object) -> FakeBackends:
        made.append(FakeBackends())
        return made[-1]

    monkeypatch.setattr(module, "Backends", make)
    return made


def test_pictures_of_a_region_lie_beside_the_rules(tmp_path: Path, backends: list[FakeBackends]) -> None:
    clip = write_clip(tmp_path / "normal.mp4", count=120, size=(160, 120))
    report = enrol(site(tmp_path), "gate", [str(clip)])
    assert report.path == tmp_path / "rules" / "gate.inspection.zip"
    assert report.pictures == {"region valve": 6}
    kept = Enrolled.load(report.path)
    assert (kept.header.site, kept.header.camera) == ("site", "gate")
    assert [(one.name, one.sha256) for one in kept.header.clips] == [("normal.mp4", sha256_of(clip))]
    assert [picture.shape for picture in kept.pictures["region valve"]] == [(96, 128, 3)] * 6
    assert str(report).splitlines()[0] == "region valve: 6 pictures"
    assert report.path.stat().st_mode & 0o777 == 0o600
    assert backends[0].closed


def test_evidence_of_alerts_is_never_learned_from_as_normal(tmp_path: Path, backends: list[FakeBackends]) -> None:
    folder = tmp_path / "evidence" / "gate" / "2026-11-21"
    folder.mkdir(parents=True)
    write_clip(folder / "alarm.mp4", count=20, size=(64, 48))
    (tmp_path / "linked.mp4").symlink_to(folder / "alarm.mp4")
    for name in (str(folder / "*.mp4"), str(tmp_path / "linked.mp4")):
        with pytest.raises(ConfigError, match=r"alarm\.mp4|linked\.mp4") as refused:
            enrol(site(tmp_path), "gate", [name])
        assert "is evidence of an alert: alarms are not learned from as normal" in str(refused.value)
    assert backends == []


def test_a_camera_with_nothing_to_inspect_is_refused_with_what_to_write(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "normal.mp4", count=20, size=(64, 48))
    with pytest.raises(ConfigError, match="camera gate has no regions and no inspected_objects"):
        enrol(site(tmp_path, regions="[]"), "gate", [str(clip)])
    with pytest.raises(ConfigError, match="the pipeline has no `inspection`"):
        enrol(site(tmp_path, inspection=""), "gate", [str(clip)])


def test_too_little_footage_is_refused_and_nothing_is_written(tmp_path: Path, backends: list[FakeBackends]) -> None:
    clip = write_clip(tmp_path / "normal.mp4", count=20, size=(160, 120))
    with pytest.raises(ConfigError, match=r"region valve was looked at \d times, 4 are needed"):
        enrol(site(tmp_path), "gate", [str(clip)])
    assert not (tmp_path / "rules" / "gate.inspection.zip").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    loaded = load_site(site(tmp_path))
    camera = loaded.camera("gate")
    enrolling = make_enrolling(loaded, camera, [])
    assert enrolling is not None
    for second in range(8):
        enrolling.add(seen(float(second), [checked()]))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        save(enrolling, loaded, camera, tmp_path / "file" / "gate.inspection.zip", [], FakeClock())


def test_the_command_tells_people_and_programs(tmp_path: Path, backends: list[FakeBackends]) -> None:
    clip = write_clip(tmp_path / "normal.mp4", count=120, size=(160, 120))
    said = ["inspect", "enrol", str(site(tmp_path)), "--camera", "gate", "--clips", str(clip)]
    ran = CliRunner().invoke(app, said)
    assert ran.exit_code == 0, ran.output
    assert "region valve: 6 pictures" in ran.stdout
    assert ran.stderr.startswith("warning: region valve: 6 normal pictures are few")
    ran = CliRunner().invoke(app, [*said, "--json"])
    assert json.loads(ran.stdout)["pictures"] == {"region valve": 6}


def test_the_command_warns_of_each_thing_that_has_few_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {"region valve": 6, "region pipe": 16, "region tank": 3}
    monkeypatch.setattr(module, "enrol", lambda *_: module.EnrolmentReport(tmp_path / "gate.zip", pictures, 1, ()))
    ran = CliRunner().invoke(app, ["inspect", "enrol", "site.yaml", "--camera", "gate", "--clips", "a.mp4"])
    assert ran.exit_code == 0, ran.output
    warned = [line.split(" normal")[0] for line in ran.stderr.splitlines() if line.startswith("warning")]
    assert warned == ["warning: region valve: 6", "warning: region tank: 3"]
