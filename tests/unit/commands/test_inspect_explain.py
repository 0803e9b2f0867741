from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from streamproc.cli import app
from streamproc.commands import inspecting_answers
from streamproc.testing_inspection import FakeBackbone
from streamproc.testing_modelserver import Fail, FakeModelServer

SAID = {"there": "yes", "what": "A dark spot.", "why": "Dirt.", "prevention": ""}


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer(reply=json.dumps(SAID)) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(inspecting_answers, "inspection_parts", lambda *_: (FakeBackbone(), None))
    rng = np.random.default_rng(0)
    (tmp_path / "normal").mkdir()
    for name in ("normal/a.png", "normal/b.png", "normal/c.png", "spot.png"):
        picture = rng.integers(120, 140, (64, 64, 3), dtype=np.uint8)
        if name == "spot.png":
            picture[20:36, 20:36] = 0
        cv2.imwrite(str(tmp_path / name), picture)
    return tmp_path


def explain(folder: Path, fake: FakeModelServer, *more: str) -> Result:
    command = ["inspect", "explain", str(folder / "spot.png"), "--server", fake.base_url, "--model", "test-model"]
    return CliRunner().invoke(app, [*command, "--normal", str(folder / "normal"), "--thing", "a valve", *more])


def test_a_picture_is_scored_and_explained(folder: Path, fake: FakeModelServer) -> None:
    ran = explain(folder, fake)
    assert ran.exit_code == 0, ran.output
    first, *rest = ran.stdout.splitlines()
    assert first.startswith("score ")
    assert first.endswith("suspicious); test-model: yes")
    assert rest == ["what: A dark spot.", "why: Dirt.", "prevention: -"]
    (request,) = fake.requests
    parts = request["messages"][1]["content"]
    assert [part["type"] for part in parts] == ["image_url", "image_url", "text"]
    assert "a valve" in parts[-1]["text"]


def test_few_normal_pictures_are_warned_of_beside_the_result(folder: Path, fake: FakeModelServer) -> None:
    (line,) = [one for one in explain(folder, fake).stderr.splitlines() if one.startswith("warning: ")]
    assert line.startswith(f"warning: {folder / 'normal'}: 3 normal pictures are few")


def test_as_json_the_prompts_hash_comes_along(folder: Path, fake: FakeModelServer) -> None:
    said = json.loads(explain(folder, fake, "--json").stdout)
    assert (said["there"], said["what"], said["model"]["name"]) == (True, "A dark spot.", "test-model")
    assert said["score"] > 0.5
    assert len(said["model"]["prompt_sha256"]) == 64


def test_a_refusal_is_told_in_the_servers_words(folder: Path, fake: FakeModelServer) -> None:
    fake.always = Fail(400, "tiny is not a multimodal model")
    ran = explain(folder, fake)
    assert ran.exit_code != 0
    assert "tiny is not a multimodal model" in " ".join((ran.output + str(ran.exception)).split())


def test_a_key_is_not_taken_as_it_is(folder: Path, fake: FakeModelServer) -> None:
    ran = explain(folder, fake, "--api-key", "hush-hush")
    assert ran.exit_code != 0
    assert "--api-key" in ran.output + str(ran.exception)
    assert "hush" not in ran.output + str(ran.exception)
    assert not fake.requests
