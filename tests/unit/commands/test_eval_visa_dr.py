from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from streamproc.cli import app
from streamproc.commands import evaluating, evaluating_answers
from streamproc.inspection.nouns import Score
from streamproc.testing_modelserver import FakeModelServer
from streamproc.testing_rules import TopicEmbedder


def answer(request: dict[str, Any]) -> str:
    asked = request["messages"][-1]["content"]
    if isinstance(asked, str):
        return json.dumps({"reason": "So.", "mark": 6})
    text = asked[-1]["text"]
    return "Yes" if "Yes" in text else "a scratch on the left"


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer(reply=answer, models=("test-model", "judge")) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(evaluating, "_embedder", lambda: TopicEmbedder("scratch", "wear tool"))
    for name in ("pcb1/a.png", "pcb1/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.full((40, 40, 3), 90, np.uint8))
    found = [{"image": "pcb1/a.png", "anomaly": 1}, {"image": "pcb1/b.png", "anomaly": 0}]
    (tmp_path / "test_data.json").write_text(json.dumps(found))
    scratch = "a scratch on the left"
    pairs = [{"question": q, "answer": a} for q, a in (("What?", scratch), ("Where?", scratch), ("Why?", "wear"))]
    (tmp_path / "visa_dr.json").write_text(json.dumps([{"image": "pcb1/a.png", "questions": pairs}]))
    return tmp_path


def ran(folder: Path, fake: FakeModelServer, *more: str, files: tuple[str, ...] = ("test_data", "visa_dr")) -> Result:
    named = [str(folder / f"{name}.json") for name in files]
    asked = ["--images", str(folder), "--server", fake.base_url, "--model", "test-model"]
    return CliRunner().invoke(app, ["eval", "visa-dr", *named, *asked, *more])


def test_a_model_that_always_says_yes_has_full_recall(folder: Path, fake: FakeModelServer) -> None:
    report = json.loads(ran(folder, fake, "--json").stdout)
    assert report["detection"] == {"accuracy": 0.5, "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}
    assert (report["pictures"], report["classes"], report["questions"], report["expert"]) == (2, 1, 5, None)
    same = {"answers": 2, "rouge_l": 1.0, "likeness": pytest.approx(1.0)}
    assert report["low"] == same | {"judged": None, "unjudged": 0}
    assert report["complex"]["answers"] == 1
    assert report["complex"]["rouge_l"] == 0.0


def test_a_judge_is_asked_where_one_is_named(folder: Path, fake: FakeModelServer) -> None:
    judge = ("--judge-server", fake.base_url, "--judge-model", "judge")
    done = ran(folder, fake, *judge)
    assert done.exit_code == 0, done.output
    assert "judged 6" in done.stdout
    assert sum(request["model"] == "judge" for request in fake.requests) == 3
    assert ran(folder, fake, "--judge-model", "judge").exit_code != 0


def test_with_an_expert_the_model_is_told_and_the_expert_is_measured(
    folder: Path, fake: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {"a.png": 0.9, "b.png": 0.2}

    def looked(questions: Any, *_: object) -> dict[Path, Score]:
        flat = np.zeros((2, 2), np.float32)
        return {one.image: Score(seen[one.image.name], flat, "expert") for one in questions}

    monkeypatch.setattr(evaluating_answers, "_looked", looked)
    report = json.loads(ran(folder, fake, "--expert", "shipped", "--json", files=("test_data",)).stdout)
    assert report["expert"] == {"accuracy": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    texts = {request["messages"][0]["content"][-1]["text"] for request in fake.requests}
    assert {("highly" in text, "slightly" in text) for text in texts} == {(True, False), (False, True)}
    assert report["low"] is None


def test_a_model_that_the_server_does_not_have_is_refused_at_once(folder: Path, fake: FakeModelServer) -> None:
    done = ran(folder, fake, "--model", "other")
    assert done.exit_code != 0
    assert "does not serve other" in done.output + str(done.exception)
    assert not fake.requests


@pytest.mark.parametrize("option", ["--api-key", "--judge-key"])
def test_a_key_that_is_no_placeholder_is_refused_by_its_option(
    folder: Path, fake: FakeModelServer, option: str
) -> None:
    judge = ("--judge-server", fake.base_url, "--judge-model", "judge")
    done = ran(folder, fake, *judge, option, "sk-plain")
    assert done.exit_code != 0
    told = done.output + str(done.exception)
    assert f"{option}: " in told
    assert "sk-plain" not in told
