from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamproc.errors import ConfigError
from streamproc.evaluation.questions import DETECTION, load_questions


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("pcb1/a.png", "pcb1/b.png", "candle/c.png", "d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def written(folder: Path, text: object, name: str = "test_data.json") -> Path:
    path = folder / name
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def test_detection_asks_of_each_picture_and_its_folder_is_the_class(images: Path) -> None:
    rows = [
        {"image": "pcb1/a.png", "anomaly": 1},
        {"image": "candle/c.png", "anomaly": False},
        {"image": "d.png", "anomaly": 0},
        {"image": "pcb1/b.png", "anomaly": 1, "class": "board"},
    ]
    asked = load_questions(images, [written(images, rows)])
    assert {(one.text, one.level) for one in asked} == {(DETECTION, "detection")}
    assert [(one.kind, one.wanted) for one in asked] == [
        ("pcb1", "Yes"),
        ("candle", "No"),
        ("", "No"),
        ("board", "Yes"),
    ]
    assert asked[0].image == images / "pcb1/a.png"


def test_of_a_pictures_questions_the_first_two_are_of_the_lower_level_unless_they_say(images: Path) -> None:
    pairs = [{"question": f"Q{n}", "answer": f"A{n}"} for n in range(4)]
    pairs[1]["level"] = "complex"
    pairs[3] = {"user": "Q3", "assistant": "A3"}
    asked = load_questions(images, [written(images, [{"image": "d.png", "questions": pairs}])])
    assert [(one.text, one.wanted, one.level) for one in asked] == [
        ("Q0", "A0", "low"),
        ("Q1", "A1", "complex"),
        ("Q2", "A2", "complex"),
        ("Q3", "A3", "complex"),
    ]


def test_lines_of_one_question_each_are_read_and_files_come_together(images: Path) -> None:
    line = {"image": "d.png", "question": "Why?", "answer": "Wear.", "level": "complex"}
    lines = written(images, "\n".join([json.dumps(line)] * 2) + "\n", "more.jsonl")
    first = written(images, [{"image": "d.png", "anomaly": 1}])
    assert [one.level for one in load_questions(images, [first, lines])] == ["detection", "complex", "complex"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"image": "d.png"}]', "item 1.*neither anomaly nor questions"),
        ('[{"image": "d.png", "anomaly": 1}, {"image": "e.png", "anomaly": 1}]', r"item 2: image.*no file .*e\.png"),
        ('[{"image": "d.png", "anomaly": "perhaps"}]', "item 1: anomaly"),
        ('[{"image": "d.png", "questions": [{"question": "Why?"}]}]', r"item 1: questions\.0\.answer"),
        ("[5]", "item 1"),
        ("[", "neither a JSON list nor JSON lines"),
        ("[]", "holds no questions"),
    ],
)
def test_a_fault_names_the_file_and_the_item(images: Path, text: str, reason: str) -> None:
    path = written(images, text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_questions(images, [path])
    assert path.name in str(caught.value)


def test_a_file_that_is_not_there_is_named(images: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.json cannot be read"):
        load_questions(images, [images / "gone.json"])
