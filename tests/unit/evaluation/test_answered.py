from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from streamproc.config import ServerSettings
from streamproc.evaluation.answered import AskedJudge, by_class, detection, reasoning, says_yes
from streamproc.evaluation.questions import Level, Question
from streamproc.modelserver import ModelServer
from streamproc.rules.meaning import Floats
from streamproc.runtime.clock import SystemClock
from streamproc.testing_modelserver import FakeModelServer


def asked(text: str, wanted: str, level: Level = "low", kind: str = "pcb1") -> Question:
    return Question(Path("a.png"), kind, level, text, wanted)


class ByLength:
    """A sentence's direction is how long it is: the same length, the same meaning."""

    def embed(self, texts: Sequence[str]) -> Floats:
        return np.array([[np.cos(len(text)), np.sin(len(text))] for text in texts], np.float32)


@pytest.mark.parametrize(
    ("said", "found"), [("Yes", True), ("The answer is Yes.", True), ("yes", False), ("No, it is fine.", False)]
)
def test_yes_with_its_capital_anywhere_is_a_find(said: str, found: bool) -> None:
    assert says_yes(said) is found


def test_detection_is_averaged_over_classes_not_over_pictures() -> None:
    wanted = {"a": [True, True, False, False], "b": [True]}
    found = {"a": [True, False, True, False], "b": [True]}
    measured = detection(wanted, found)
    assert measured is not None
    assert (measured.accuracy, measured.precision, measured.recall, measured.f1) == (0.75, 0.75, 0.75, 0.75)


def test_a_class_in_which_nothing_is_found_counts_as_nothing() -> None:
    measured = detection({"a": [True, False]}, {"a": [False, False]})
    assert measured is not None
    assert (measured.accuracy, measured.precision, measured.f1) == (0.5, 0.0, 0.0)
    assert detection({}, {}) is None


def test_by_class_keeps_the_order_of_pictures() -> None:
    questions = [asked("?", "Yes", kind="a"), asked("?", "No", kind="b"), asked("?", "No", kind="a")]
    assert by_class(questions, lambda one: one.wanted == "Yes") == {"a": [True, False], "b": [False]}


def test_reasoning_is_the_mean_over_one_level() -> None:
    answers = {
        asked("What?", "a bent pin on the left"): "the pin on the left is bent",  # 4 of 6 and of 7 in order
        asked("Where?", "left"): "left",
        asked("Why?", "wear", "complex"): "it was hit",
    }
    done: list[int] = []
    measured = reasoning("low", answers, ByLength(), None, lambda: done.append(1))
    assert measured is not None
    assert (measured.answers, len(done), measured.judged) == (2, 2, None)
    longest_in_common = 4  # pin on the left
    assert measured.rouge_l == pytest.approx((2 * longest_in_common / (6 + 7) + 1) / 2)
    assert measured.likeness == pytest.approx((np.cos(27 - 22) + 1) / 2, abs=1e-6)
    assert reasoning("low", {}, ByLength(), None) is None


def test_an_empty_answer_is_like_nothing() -> None:
    measured = reasoning("low", {asked("What?", "a bent pin"): ""}, ByLength(), None)
    assert measured is not None
    assert measured.rouge_l == 0.0


def test_a_judge_marks_each_answer_against_the_one_wanted() -> None:
    marks = {asked("What?", "a bent pin"): 8, asked("Where?", "left"): 3, asked("When?", "today"): None}
    measured = reasoning("low", dict.fromkeys(marks, "x"), ByLength(), lambda question, _: marks[question])
    assert measured is not None
    assert (measured.answers, measured.judged, measured.unjudged) == (3, 5.5, 1)


def test_a_language_model_judges_by_question_reference_and_answer() -> None:
    with FakeModelServer(reply=json.dumps({"reason": "So.", "mark": 7})) as fake:
        server = ModelServer(ServerSettings(base_url=fake.base_url, model="test-model", retries=0), SystemClock())
        try:
            assert AskedJudge(server)(asked("What?", "a bent pin"), "a pin is bent") == 7
            fake.reply = json.dumps({"reason": "So.", "mark": 11})
            assert AskedJudge(server)(asked("What?", "a bent pin"), "a pin is bent") is None
        finally:
            server.close()
    text = fake.requests[0]["messages"][1]["content"]
    assert text == "Question: What?\nReference: a bent pin\nAnswer: a pin is bent"
