from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamproc.cli import app
from streamproc.commands import inspecting_tuning


def test_what_is_not_installed_is_named_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        inspecting_tuning, "find_spec", lambda name: None if name == "transformers" else find_spec("json")
    )
    options = ("--model", tmp_path, "--expert", tmp_path / "e.pt", "--out", tmp_path / "out")
    ran = CliRunner().invoke(app, ["inspect", "train-answers", str(tmp_path / "c.jsonl"), *map(str, options)])
    assert ran.exit_code != 0
    assert "training needs transformers: pip install 'streamproc[inspection]'" in ran.output + str(ran.exception)
