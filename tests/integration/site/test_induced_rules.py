"""A camera's normal footage becomes rules and a calibration, as `streamproc induce` does it; what they are good for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from streamproc.normality.calibration import Calibration
from streamproc.rules.schema import parse_rules

pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(400)]

Part = Callable[[str, float, float], Path]
SITE = """\
schema_version: 1
site: {id: site}
cameras: [{id: gate, main: clip.mp4, rules: rules/gate.yaml}]
alerts: {sinks: [{kind: jsonl, path: alerts.jsonl}]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    return tmp_path / "site.yaml"


def streamproc(site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamproc.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=site.parent, capture_output=True, text=True, timeout=300, check=False)


def test_normal_footage_becomes_rules_that_notice_a_hurry_and_keep_peoples_edits(site: Path, part: Part) -> None:
    normal = part("normal", 0.0, 30.0)
    first = streamproc(site, "induce", "site.yaml", "--camera", "gate", "--clips", normal, "--json")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["footage_s"] == pytest.approx(30, abs=0.5)
    # What 30 s leave unsure is told too, by each measurement for itself.
    assert "40 s or more with something moving would tell normal more surely" in report["notes"]
    path = Path(report["rules"])
    rules, model, _ = parse_rules(path.read_bytes(), str(path))
    by_id = {rule.id: rule for rule in rules.rules}
    walk = by_id["normal-people-walk"]
    assert walk.support is not None
    assert walk.support.k >= 8
    assert "people-hurry" in by_id
    calibration = Calibration.load(Path(report["calibration"]))
    assert model.provenance is not None
    assert model.provenance.calibration_sha256 == calibration.sha256
    assert abs(datetime.fromisoformat(calibration.learned_at) - model.provenance.created_at) < timedelta(minutes=10)
    assert model.provenance.clips[0].sha256 == calibration.clips[0].sha256
    assert model.provenance.alarm_score == pytest.approx(report["alarm_score"], abs=1e-3)
    assert streamproc(site, "check", "site.yaml").returncode == 0

    # What was learned from normal footage alone notices what is not.
    played = streamproc(site, "replay", "site.yaml", "--camera", "gate", "--video", part("two", 54.0, 60.0))
    alerts = [json.loads(row) for row in played.stdout.splitlines()]
    assert [alert["data"]["action"] for alert in alerts] == ["open", "update", "resolve"], played.stderr
    # What is fast is told at once, and that somebody hurries as soon as a look has found who it is.
    told = [[rule["id"] for rule in alert["data"]["cited_rules"]] for alert in alerts]
    assert told[0] == []
    assert "people-hurry" in told[1]
    assert "people-hurry" in told[2]

    # A person edits a rule, deletes one and writes one; learning again leaves that alone.
    text = path.read_text(encoding="utf-8")
    mine = (
        "  - {id: mine, about: human, says: anomaly, text: Somebody feeds the pigeons., keywords: [pigeon]}  # mine\n"
    )
    edited = text.replace("rules:\n", "rules:\n" + mine, 1).replace("  - id: people-hurry\n", "  - id: in-a-hurry\n")
    edited = edited.replace("severity: critical", "severity: info", 1)
    path.write_text(edited, encoding="utf-8")
    again = streamproc(site, "induce", "site.yaml", "--camera", "gate", "--clips", part("normal", 10.0, 24.0))
    assert again.returncode == 0, again.stderr
    after = path.read_text(encoding="utf-8")
    assert mine in after
    rules = parse_rules(after.encode(), str(path))[0]
    assert rules.version == 2
    by_id = {rule.id: rule for rule in rules.rules}
    assert "people-hurry" not in by_id
    weapon = by_id["people-weapon"]
    assert weapon.severity == "info"
    assert "kept as people wrote them: " in again.stdout
    assert "too little footage to judge one half by the other" in again.stdout


def test_too_little_footage_is_refused_and_nothing_is_written(site: Path, part: Part) -> None:
    ran = streamproc(site, "induce", "site.yaml", "--camera", "gate", "--clips", part("normal", 0.0, 4.0), "--json")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "normal footage: only 4 s in which something moves; at least 10 s needed" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert sorted(path.name for path in site.parent.iterdir()) == ["normal-0.mp4", "site.yaml"]
