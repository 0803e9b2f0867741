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
from streamproc.commands import inspecting_instructions
from streamproc.testing_inspection import FakeBackbone
from streamproc.testing_modelserver import Fail, FakeModelServer


def says(request: dict[str, Any]) -> str:
    """What each of the three askings wants to hear."""
    system = request["messages"][0]["content"]
    if "search phrases" in system:
        return json.dumps({"defective": ["valve with rust"], "flawless": ["clean valve"]})
    if "You sort" in system:
        return '{"shown": "defective"}'
    return json.dumps({"there": "yes", "what": "Rust at its stem.", "why": "Water.", "prevention": "Paint."})


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer(reply=says) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(inspecting_instructions, "inspection_parts", lambda *_: (FakeBackbone(), None))
    for number, name in enumerate(("valve/rust/1.png", "valve/clean/2.png")):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True)
        picture = np.zeros((40, 40, 3), np.uint8)
        picture[:, :, number] = 200
        cv2.imwrite(str(path), picture)
    (tmp_path / "names.txt").write_text("# things\nvalve # of brass\n\nlamp\n")
    return tmp_path


def instructions(folder: Path, *more: str) -> Result:
    out = ("--images", str(folder / "pictures"), "--out", str(folder / "out.jsonl"))
    return CliRunner().invoke(app, ["inspect", "instructions", str(folder / "names.txt"), *out, *more])


def test_a_model_thinks_cleans_and_answers(folder: Path, fake: FakeModelServer) -> None:
    ran = instructions(folder, "--server", fake.base_url, "--model", "test-model")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.splitlines() == [
        f"{folder / 'out.jsonl'}: 1 conversations",
        "left out, defective, not flawless: 1",
        "no pictures of: lamp",
    ]
    (line,) = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [turn["value"] for turn in line["conversations"][1::2]] == ["Yes.", "Rust at its stem.", "Water.", "Paint."]
    asked = len(fake.requests)
    assert asked == 5  # phrases of two things, two judged, one answered
    assert instructions(folder, "--server", fake.base_url, "--model", "test-model").exit_code == 0
    assert len(fake.requests) == asked


def test_sorted_folders_may_be_trusted(folder: Path, fake: FakeModelServer) -> None:
    ran = instructions(folder, "--server", fake.base_url, "--model", "test-model", "--trust", "--json")
    assert json.loads(ran.stdout) == {"conversations": 2, "left_out": {}, "nothing_found": ["lamp"]}


def test_no_server_is_needed(folder: Path) -> None:
    ran = instructions(folder)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.splitlines() == [f"{folder / 'out.jsonl'}: 1 conversations", "no pictures of: lamp"]
    assert json.loads((folder / "out.jsonl").read_text())["image"] == "valve/clean/2.png"


def test_a_refusal_is_told_in_the_servers_words(folder: Path, fake: FakeModelServer) -> None:
    fake.always = Fail(400, "tiny is not a multimodal model")
    ran = instructions(folder, "--server", fake.base_url, "--model", "test-model")
    assert ran.exit_code != 0
    assert "tiny is not a multimodal model" in " ".join((ran.output + str(ran.exception)).split())


def test_a_server_needs_a_model(folder: Path) -> None:
    ran = instructions(folder, "--server", "http://nowhere/v1")
    assert ran.exit_code != 0
    assert "--server and --model come together" in ran.output + str(ran.exception)


def test_a_key_is_not_taken_as_it_is(folder: Path, fake: FakeModelServer) -> None:
    ran = instructions(folder, "--server", fake.base_url, "--model", "test-model", "--api-key", "hush-hush")
    assert ran.exit_code != 0
    assert "--api-key" in ran.output + str(ran.exception)
    assert "hush" not in ran.output + str(ran.exception)
