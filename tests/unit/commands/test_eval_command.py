from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from streamproc import cli


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "c.jsonl"
    rows = [
        {"video": "a", "frame": n, "label": int(n > 4), "caption": "A bicycle." if n > 4 else "A man."}
        for n in range(9)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["streamproc", *map(str, arguments)])
    cli.main()


def test_json_is_all_that_is_on_standard_output(
    captions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_as_it_was: None,
) -> None:
    picture = tmp_path / "a.png"
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "captions", captions, "--variant", "base-causal", "--json", "--plot", picture)

    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["variant"], told["frames"], told["auroc"]) == ("base-causal", 9, 1.0)
    assert picture.exists()


def test_ours_needs_rules(
    captions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_it_was: None
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "captions", captions)

    assert ended.value.code == 2
    assert "--rules" in capsys.readouterr().err
