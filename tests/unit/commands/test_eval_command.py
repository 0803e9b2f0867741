from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from streamproc import cli
from streamproc.commands import evaluating
from streamproc.testing_rules import TopicEmbedder


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


def test_a_table_of_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_it_was: None
) -> None:
    monkeypatch.setattr(evaluating, "_embedder", TopicEmbedder)
    path = tmp_path / "made.jsonl"
    rows = [
        {
            "video": f"v{video}",
            "frame": n,
            "label": int(n > 8),
            "caption": "A man rides." if n > 8 else f"A man walks, {n}.",
        }
        for video in range(4)
        for n in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "table", path, "--seeds", "2")
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "made, 4 videos"
    assert [line.split()[0] for line in lines[1:5]] == ["seed", "0", "1", "mean"]

    with pytest.raises(SystemExit):
        run(monkeypatch, "eval", "table", path, "--seeds", "2", "--json")
    (told,) = json.loads(capsys.readouterr().out)
    assert told["name"] == "made"
    assert [row["seed"] for row in told["rows"]] == [0, 1]
    assert {"ours", "base-causal", "base", "full"} == told["rows"][0]["aurocs"].keys()
