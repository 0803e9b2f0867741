"""`streamproc check`: everything wrong at once, and what is odd but would run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamproc.calibrations import calibration_path
from streamproc.checking import CheckReport, check_site
from streamproc.errors import ConfigError
from streamproc.testing_wiring import write_rules, write_site

MEASURED = Path(__file__).parent.parent / "integration" / "site" / "rules" / "two.normality.json"
SERVED = """\
schema_version: 1
name: own
perception: {kind: vlm, base_url: "http://127.0.0.1:1/v1", model: vlm}
normality: {flow_width_px: 512}
"""


def checked(folder: Path, *cameras: str, **site: str) -> CheckReport:
    for camera in cameras:
        write_rules(folder / "rules" / f"{camera}.yaml", camera)
    return check_site(write_site(folder, *cameras, **site))


def test_a_site_that_would_run_is_told_with_what_it_runs_on(tmp_path: Path) -> None:
    write_rules(tmp_path / "rules" / "two.yaml", "two", {"alarm_score": 0.6})
    calibration_path(tmp_path / "rules" / "two.yaml").write_bytes(MEASURED.read_bytes())
    report = check_site(write_site(tmp_path, "two", main="rtsp://${CAM_USER}@10.0.0.5/1"))
    (camera,) = report.cameras
    assert (camera.id, camera.rules_version, camera.enabled_rules, camera.alarm_score) == ("two", 3, 2, 0.6)
    assert camera.calibrated_on_s == pytest.approx(39.9)
    said = str(report)
    assert said.startswith("site site, pipeline embedded: ok\nstand-in: the scene captioner stands in for")
    assert (
        "camera two: rtsp://${CAM_USER}@10.0.0.5/1; 2 rules of version 3; calibrated on 40 s; alarm from 0.60" in said
    )
    assert json.loads(json.dumps(report.as_dict()))["cameras"][0]["calibrated_on_s"] == pytest.approx(39.9)


def test_rules_that_raise_no_alert_by_themselves_are_told(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules" / "two.yaml", "two", {"alarm_score": 0.6})
    site = write_site(tmp_path, "two")
    assert check_site(site).cameras[0].hints == ()
    rules.write_text(rules.read_text().replace("id: people-hurry", "id: people-hurry, weight: 0.7"))
    report = check_site(site)
    assert report.cameras[0].hints == ("people-hurry",)
    assert "\n  raise no alert by themselves, only with others: people-hurry\n" in str(report)
    rules.write_text(rules.read_text().replace('"alarm_score": 0.6', '"alarm_score": 0.5'))
    assert check_site(site).cameras[0].hints == ()


def test_the_faults_of_all_cameras_are_told(tmp_path: Path) -> None:
    for camera in ("good", "broken", "measured"):
        write_rules(tmp_path / "rules" / f"{camera}.yaml", camera)
    (tmp_path / "rules" / "broken.yaml").write_text("schema_version: 1\nsite: site\ncamera: broken\nrules: 7\n")
    (tmp_path / "rules" / "measured.normality.json").write_text("{}")
    path = write_site(tmp_path, "good", "absent", "broken", "measured")
    with pytest.raises(ConfigError) as refused:
        check_site(path)
    faults = refused.value.faults
    assert [(Path(fault.path).name, fault.field) for fault in faults] == [
        ("site.yaml", "cameras.1.rules"),
        ("broken.yaml", "version"),
        ("broken.yaml", "rules"),
        ("site.yaml", "camera measured"),
    ]
    assert faults[2].line == 4
    assert "not a calibration" in faults[3].message
    assert len(str(refused.value).splitlines()) == 4


def test_a_calibration_of_another_flow_width_is_a_fault_as_it_is_for_run(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(SERVED)
    calibration_path(write_rules(tmp_path / "rules" / "two.yaml", "two")).write_bytes(MEASURED.read_bytes())
    with pytest.raises(ConfigError, match="flow_width_px: 384, the pipeline says 512"):
        check_site(write_site(tmp_path, "two", pipeline="./own.yaml"))


def test_a_rate_that_the_footage_cannot_speak_for_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "schema_version: 1\nname: own\ndeduction: {max_false_alarms_per_hour: 1}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="max_false_alarms_per_hour 1 is not supported"):
        checked(tmp_path, "gate", pipeline="./own.yaml")


def test_with_model_servers_there_is_no_stand_in(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(SERVED)
    assert checked(tmp_path, "gate", pipeline="./own.yaml").stand_ins == ()


@pytest.mark.parametrize(
    ("served", "workers", "said"), [(SERVED, 1, True), (SERVED, 2, False), (SERVED, None, False), (None, 1, False)]
)
def test_cameras_that_could_wait_for_each_others_model_server_are_said(
    tmp_path: Path, served: str | None, workers: int | None, said: bool
) -> None:
    own = served or "schema_version: 1\nname: own\n"
    (tmp_path / "own.yaml").write_text(own + f"workers: {workers or 'null'}\n")
    report = checked(tmp_path, "gate", "yard", pipeline="./own.yaml")
    told = "warning: 1 workers for 2 cameras: a slow model server holds cameras up; leave workers out\n"
    assert (told in str(report)) == said
    assert bool(report.warnings) == said


@pytest.mark.parametrize("there", [False, True])
def test_a_decoder_that_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    def find_spec(name: str) -> object:
        assert name == "nvidia.dali"
        if there:
            return object()
        raise ModuleNotFoundError("No module named 'nvidia'")

    monkeypatch.setattr("streamproc.checking.find_spec", find_spec)
    (tmp_path / "own.yaml").write_text("schema_version: 1\nname: own\ndecoder: {kind: dali}\n")
    report = checked(tmp_path, "gate", pipeline="./own.yaml")
    assert ("every camera would be decoded by PyAV, on the CPU" in str(report)) == (not there)
    assert checked(tmp_path / "cpu", "gate", pipeline="embedded").warnings == ()


def test_what_is_odd_but_would_run_is_a_warning(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules" / "gate.yaml", "yard")
    rules.write_text(rules.read_text().replace("keywords: [walk]", "keywords: [the]"))
    calibration_path(rules).write_bytes(MEASURED.read_bytes())
    report = check_site(write_site(tmp_path))
    found = report.cameras[0].warnings
    assert any("'the' is in almost every sentence" in text for text in found)
    assert any("holds the rules of site/yard: is it the right file?" in text for text in found)
    assert any("was measured on camera two: is it the right file?" in text for text in found)
    assert len(found) == 3
    assert str(report).count("  warning: ") == 3


def test_how_a_rule_was_understood_is_no_warning(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules" / "two.yaml", "two")
    before = check_site(write_site(tmp_path, "two")).cameras[0].warnings
    more = "  - {id: dogs, about: environment, says: normal, text: No dogs here.}\n"
    rules.write_text(rules.read_text().replace("rules:\n", f"rules:\n{more}", 1))
    assert check_site(write_site(tmp_path, "two")).cameras[0].enabled_rules == 3
    assert check_site(write_site(tmp_path, "two")).cameras[0].warnings == before


def test_a_camera_without_calibration_is_said_loudly(tmp_path: Path) -> None:
    report = checked(tmp_path, "gate")
    assert "NOT calibrated" in str(report)
    assert ["no calibration" in text for text in report.cameras[0].warnings] == [True]


def test_credentials_that_are_not_there_are_warnings_that_name_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAM_USER", "watcher")
    monkeypatch.delenv("CAM_PASSWORD", raising=False)
    address = "rtsp://${CAM_USER}:${CAM_PASSWORD}@10.0.0.5/1"
    report = checked(tmp_path, "gate", main=address)
    assert [text for text in report.cameras[0].warnings if "CAM_" in text] == [
        "environment variable CAM_PASSWORD is not set; ${CAM_PASSWORD} needs it"
    ]
    monkeypatch.setenv("CAM_PASSWORD", "marked-Geheim77")
    report = checked(tmp_path, "gate", main=address)
    assert not any("CAM_" in text for text in report.cameras[0].warnings)
    assert "marked-Geheim77" not in str(report) + json.dumps(report.as_dict())


def test_each_place_that_is_written_to_is_told_with_its_path(tmp_path: Path) -> None:
    alerts = (
        "alerts:\n  sinks: [{kind: jsonl, path: out/alerts.jsonl}, {kind: jsonl}]\n"
        "  outbox: file/outbox.sqlite3\n  evidence: {directory: evidence}\n"
    )
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "out" / "alerts.jsonl").mkdir(parents=True)
    report = checked(tmp_path, "gate", more=alerts)
    assert [(place.holds, place.path, place.problem) for place in report.places] == [
        ("outbox", f"{tmp_path}/file/outbox.sqlite3", f"nothing can be written in {tmp_path}/file: Not a directory"),
        ("alerts", f"{tmp_path}/out/alerts.jsonl", "cannot be written: Is a directory"),
        ("evidence", f"{tmp_path}/evidence", None),
    ]
    assert str(report).splitlines()[-1] == f"evidence {tmp_path}/evidence: can be written"
    assert not (tmp_path / "evidence").exists()  # to look is not to make


def test_a_calibration_that_the_rules_were_not_learned_with_is_a_warning(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules" / "two.yaml", "two", {"calibration_sha256": "0" * 64})
    calibration_path(rules).write_bytes(MEASURED.read_bytes())
    (warning,) = check_site(write_site(tmp_path, "two")).cameras[0].warnings
    assert "is not the calibration that these rules were learned with" in warning


@pytest.mark.parametrize(("role", "said"), [("perception", True), ("deduction", False)])
def test_a_threshold_that_was_set_without_the_language_model_is_said(tmp_path: Path, role: str, said: bool) -> None:
    llm = 'deduction: {llm: {base_url: "http://127.0.0.1:1/v1", model: llm}}\n'
    (tmp_path / "own.yaml").write_text(f"schema_version: 1\nname: own\n{llm}")
    models = [{"role": role, "name": "some", "revision": "1"}]
    write_rules(tmp_path / "rules" / "gate.yaml", provenance={"models": models})
    found = check_site(write_site(tmp_path, pipeline="./own.yaml")).cameras[0].warnings
    assert any("calibrated without the language model" in text for text in found) is said
