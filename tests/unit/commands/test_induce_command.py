"""`streamproc induce`: from clips of a site's camera, or from captions; never half of each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamproc import cli
from streamproc.config import PipelineSettings
from streamproc.learn_captions import LearnedFromCaptions

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, logging_as_it_was: None
) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["streamproc", *arguments])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return code, *capfd.readouterr()

    return call


def test_captions_are_learned_from_with_ids_from_the_files_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def learn(*given: Any) -> LearnedFromCaptions:
        asked.append(given)
        return LearnedFromCaptions(Path("r.yaml"), 1, ("01", "02"), 90, 3, 14, ("maybe",), 0.55, ("look",))

    monkeypatch.setattr("streamproc.learn_captions.learn_captions", learn)
    code, out, _ = run("induce", "--captions", "Gate 1.jsonl.gz")
    assert code == 0
    assert "learned from 90 captions of normal frames of 01, 02" in out
    assert "3 normal, 14 anomaly, 1 proposed" in out
    assert out.endswith("note: look\n")
    flags = ["--videos", "a, b", "--references", "5", "--seed", "7", "--out", "x.yaml", "--site-id", "s"]
    assert run("induce", "--captions", "c.jsonl", *flags, "--camera-id", "c", "--preset", "embedded", "--json")[0] == 0
    assert asked[0] == (Path("Gate 1.jsonl.gz"), [], 10, 0, Path("gate-1.yaml"), "gate-1", "gate-1", None)
    assert asked[1][:-1] == (Path("c.jsonl"), ["a", "b"], 5, 7, Path("x.yaml"), "s", "c")
    assert isinstance(asked[1][-1], PipelineSettings)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "needs SITE, --camera and --clips, or --captions"),
        (["site.yaml", "--camera", "gate"], "needs SITE"),
        (["site.yaml", "--captions", "c.jsonl"], "goes without SITE"),
        (["--captions", "no.jsonl"], "no.jsonl cannot be read"),
        (["--captions", "c.jsonl", "--preset", "nonsense"], "no preset nonsense; permitted: embedded"),
    ],
)
def test_what_does_not_go_together_is_said(run: Run, arguments: list[str], told: str) -> None:
    code, out, err = run("induce", *arguments)
    assert (code, out) == (2, "")
    assert told in err
