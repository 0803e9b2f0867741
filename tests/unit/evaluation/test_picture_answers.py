from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamproc.config import ServerSettings
from streamproc.errors import ConfigError, InferenceError
from streamproc.evaluation.picture_answers import Asking
from streamproc.evaluation.questions import Question
from streamproc.inspection.nouns import Score
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock
from streamproc.testing_modelserver import Fail, FakeModelServer, Say

Make = Callable[..., Asking]


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer(reply=lambda request: f"said to {request['messages'][0]['content'][-1]['text']}") as server:
        yield server


@pytest.fixture
def asking(fake: FakeModelServer, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as opened:

        def make(kept: Path | None = None, looked: dict[Path, Score] | None = None) -> Asking:
            settings = ServerSettings(base_url=fake.base_url, model="test-model", retries=0, deadline_s=5)
            server = ModelServer(settings, SystemClock())
            opened.callback(server.close)
            return Asking(server, kept, looked)

        yield make


@pytest.fixture
def questions(tmp_path: Path) -> list[Question]:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), 90, np.uint8))
    return [Question(tmp_path / "a.png", "", "low", f"Q{n}?", f"A{n}") for n in range(3)]


def nothing() -> None:
    pass


def test_a_model_is_asked_with_the_picture_and_the_bare_question(
    fake: FakeModelServer, asking: Make, questions: list[Question]
) -> None:
    done: list[int] = []
    said = asking().answers(questions, lambda: done.append(1), at_once=2)
    assert list(said.values()) == ["said to Q0?", "said to Q1?", "said to Q2?"]
    assert len(done) == 3
    for request in fake.requests:
        (message,) = request["messages"]
        assert [part["type"] for part in message["content"]] == ["image_url", "text"]
        assert "response_format" not in request


def test_with_inspection_it_is_shown_and_told_what_was_found(
    fake: FakeModelServer, asking: Make, questions: list[Question]
) -> None:
    heat = np.zeros((6, 6), np.float32)
    heat[2, 3] = 1
    asking(looked={questions[0].image: Score(0.9, heat, "expert")}).answers(questions[:1], nothing)
    plain, outlined, text = fake.requests[0]["messages"][0]["content"]
    assert plain["image_url"] != outlined["image_url"]
    assert "with highly suspicious features" in text["text"]
    assert text["text"].endswith(" Q0?")


def test_answers_are_kept_and_not_asked_for_again(
    fake: FakeModelServer, asking: Make, questions: list[Question], tmp_path: Path
) -> None:
    kept = tmp_path / "answers.jsonl"
    asking(kept).answers(questions[:2], nothing)
    assert json.loads(kept.read_text().splitlines()[0]) == {
        "by": "test-model",
        "image": str(questions[0].image),
        "question": "Q0?",
        "answer": "said to Q0?",
        "wanted": "A0",
    }
    assert len(asking(kept).answers(questions, nothing)) == 3
    assert len(fake.requests) == 3
    assert len(kept.read_text().splitlines()) == 3
    scored = {questions[0].image: Score(0.1, np.zeros((2, 2), np.float32), "expert")}
    asking(kept, scored).answers(questions, nothing)
    assert len(fake.requests) == 6  # another way of asking


def test_what_was_answered_before_a_failure_is_kept(
    fake: FakeModelServer, asking: Make, questions: list[Question], tmp_path: Path
) -> None:
    kept = tmp_path / "answers.jsonl"
    fake.script.extend([None, Fail(400, "no more")])
    with pytest.raises(InferenceError, match="no more"):
        asking(kept).answers(questions, nothing)
    assert len(kept.read_text().splitlines()) == 1


def test_a_truncated_reply_counts_as_far_as_it_came(
    fake: FakeModelServer, asking: Make, questions: list[Question]
) -> None:
    fake.always = Say(("Yes, there is a",), finish_reason="length")
    assert list(asking().answers(questions[:1], nothing).values()) == ["Yes, there is a"]


@pytest.mark.parametrize("text", ["[", '{"by": "test-model"}', "5"])
def test_another_file_is_not_taken_for_answers(asking: Make, tmp_path: Path, text: str) -> None:
    kept = tmp_path / "answers.jsonl"
    kept.write_text(text)
    with pytest.raises(ConfigError, match=r"answers\.jsonl is no file of answers"):
        asking(kept)
