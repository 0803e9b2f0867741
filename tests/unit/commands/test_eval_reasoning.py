from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from streamproc import cli
from streamproc.commands import evaluating
from streamproc.testing_modelserver import FakeModelServer
from streamproc.testing_rules import TopicEmbedder

pytestmark = pytest.mark.usefixtures("logging_as_it_was")
OPINION = json.dumps({"reason": "So it is.", "verdict": "normal", "choice": "a"})


def ends(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(evaluating, "_embedder", lambda: TopicEmbedder("fire burn", "knife weapon"))
    monkeypatch.setattr(sys, "argv", ["streamproc", "eval", "reasoning", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def preset(tmp_path: Path, server: FakeModelServer, model: str = "test-model") -> Path:
    path = tmp_path / "small.yaml"
    llm = f"{{base_url: '{server.base_url}', model: {model}, deadline_s: 5, retries: 0, samples: 1, temperature: 0}}"
    path.write_text(f"schema_version: 1\nname: small\ndeduction:\n  llm: {llm}\n")
    return path


def three_items(tmp_path: Path) -> Path:
    path = tmp_path / "few.yaml"
    captions = ("A man walks.", "A bin burns.", "A woman waits.")
    choices = {"a": "All is well.", "b": "A fire.", "c": "A fight.", "d": "A weapon."}
    questions = [
        {"id": f"q{n}", "site": "gate", "caption": text, "choices": choices, "normal": "a", "answer": "ab"[n == 1]}
        for n, text in enumerate(captions)
    ]
    place = {"id": "gate", "place": "a gate", "normal": [f"A man walks, {n}." for n in range(10)]}
    path.write_text(json.dumps({"schema_version": 1, "name": "few", "sites": [place], "items": questions}))
    return path


def test_without_a_model_ours_is_run_on_our_own_items_and_the_others_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(monkeypatch, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["items"]) == ("own-40", 40)
    assert [one["way"] for one in told["ways"]] == ["ours", "likeness"]
    assert list(told["not_run"]) == ["ours-llm", "direct", "scene", "vision"]
    assert told["ways"][0]["models"] == []
    assert sum(told["ways"][0][cell] for cell in ("RR", "RW", "WR", "WW")) == 40


def test_the_presets_language_model_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeModelServer(reply=OPINION) as server:
        path = preset(tmp_path, server)
        few = three_items(tmp_path)
        ways = ("--way", "direct", "--way", "ours-llm")
        assert ends(monkeypatch, "--items", few, "--pipeline", path, *ways, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    ours, direct = told["ways"]
    assert (ours["way"], direct["way"]) == ("ours-llm", "direct")
    assert (ours["reconstructed"], direct["reconstructed"]) == (False, True)
    assert [model["name"] for model in ours["models"]] == ["test-model"]
    assert direct["recall"] == 0.0
    assert direct["unanswered"] == 0
    assert told["not_run"] == {}
    assert len(server.requests) == 4, "ours asks only where the cheap voters doubt"


def test_a_way_that_cannot_be_run_is_named_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(monkeypatch, "--way", "vision") == 0
    out = capsys.readouterr().out
    assert "vision     not run: preset embedded has no vision model (perception: vlm)" in out
    assert "direct" not in out


def test_a_server_without_the_model_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeModelServer(reply=OPINION) as server:
        assert ends(monkeypatch, "--pipeline", preset(tmp_path, server, "other"), "--way", "direct") == 2
    assert "test-model" in capsys.readouterr().err
    assert server.requests == []


def test_faults_of_an_items_file_are_told_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("schema_version: 1\nname: mine\nsites: []\nitems: []\n")
    assert ends(monkeypatch, "--items", path) == 2
    assert f"{path}:3" in capsys.readouterr().err
