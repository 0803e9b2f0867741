"""`normality show` as a shell knows it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from streamproc import cli
from streamproc.calibrations import calibration_path
from streamproc.normality.calibration import Calibration
from streamproc.testing_wiring import write_rules, write_site

MEASURED = Calibration.load(
    Path(__file__).parents[2] / "integration" / "site" / "rules" / "two.normality.json"
).model_copy(update={"camera_id": "gate"})
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, logging_as_it_was: None
) -> Run:
    """Runs ``streamproc normality show`` beside a site of one calibrated camera: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write_site(tmp_path)
    rules = write_rules(tmp_path / "rules" / "gate.yaml", "gate", {"calibration_sha256": MEASURED.sha256})
    MEASURED.save(calibration_path(rules))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["streamproc", "normality", "show", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_a_camera_is_shown_in_words_and_as_a_picture_named_after_its_calibration(run: Run, tmp_path: Path) -> None:
    code, out, err = run("site.yaml", "--camera", "gate")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["camera", "gate"]
    assert any(line.startswith("alarm         from a score of") for line in lines)
    assert any(line.startswith("glide         median") for line in lines)
    assert err == "wrote gate.normality.png\n"
    with Image.open(tmp_path / "gate.normality.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("target", ["site.yaml", "rules/gate.yaml", "rules/gate.normality.json"])
def test_programs_read_json_and_find_the_picture(run: Run, tmp_path: Path, target: str) -> None:
    code, out, _ = run(target, "--out", "shown/it.png", "--json")
    body = json.loads(out)
    assert code == 0
    assert body["camera_id"] == "gate"
    assert body["sha256"] == MEASURED.sha256
    assert body["file"].endswith("gate.normality.json")
    assert body["picture"] == "shown/it.png"
    assert (tmp_path / "shown" / "it.png").is_file()


def test_mistakes_are_told_as_such(run: Run, tmp_path: Path) -> None:
    assert run("none.yaml")[0] == 2
    code, _, err = run("site.yaml", "--camera", "yard")
    assert code == 2
    assert "yard" in err
    assert not list(tmp_path.glob("*.png"))
