from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from streamproc.cli import app
from streamproc.commands import inspecting_answers
from streamproc.inspection.export import export_expert
from streamproc.inspection.header import Header
from streamproc.inspection.serving import OnnxExpert
from streamproc.inspection.variants import make_expert
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
    assert "not explained:" in ran.stderr, "its score is told all the same"


def test_by_tokens_what_the_expert_selects_is_sent(
    folder: Path, fake: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = Header(backbone="fake", revision="1", channels=6, side=8, hidden=4, close_ups=2)
    export_expert(make_expert(header), folder / "expert.onnx")
    encoder = FakeBackbone()
    parts = (encoder, OnnxExpert(folder / "expert.onnx", encoder))
    monkeypatch.setattr(inspecting_answers, "inspection_parts", lambda *_: parts)
    rng = np.random.default_rng(0)
    shapes = {"linear_1.weight": (10, 6), "linear_1.bias": (10,), "linear_2.weight": (10, 10), "linear_2.bias": (10,)}
    shapes |= {"image_newline": (10,)} | dict.fromkeys(("slightly", "moderately", "highly"), (6, 10))
    np.savez(folder / "p.npz", **{name: rng.normal(size=shape) for name, shape in shapes.items()})  # type: ignore[arg-type]
    fake.takes_embeds = True
    by = ("--projector", str(folder / "p.npz"), "--expert", str(folder / "expert.onnx"))
    ran = explain(folder, fake, *by)
    assert ran.exit_code == 0, ran.output
    (request,) = fake.requests
    tokens, words = request["messages"][1]["content"]
    assert (tokens["type"], words["type"]) == ("image_embeds", "text")
    sent = np.load(io.BytesIO(base64.b64decode(tokens["image_embeds"])))
    # 64 x 64 px are 2 x 2 close-ups of 32: the whole, 16 rows of 16 and a newline, the phrase, r, and the selected.
    assert sent.shape == (64 + 16 * 17 + 6 + 1 + 4 + 4 * 5, 10)


def test_tokens_need_an_expert_who_selects_them(folder: Path, fake: FakeModelServer) -> None:
    ran = explain(folder, fake, "--projector", str(folder / "p.npz"))
    assert ran.exit_code != 0
    assert "--projector needs --expert" in ran.output + str(ran.exception)
    assert not fake.requests


def test_a_key_is_not_taken_as_it_is(folder: Path, fake: FakeModelServer) -> None:
    ran = explain(folder, fake, "--api-key", "hush-hush")
    assert ran.exit_code != 0
    assert "--api-key" in ran.output + str(ran.exception)
    assert "hush" not in ran.output + str(ran.exception)
    assert not fake.requests
