from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamproc.config import ServerSettings
from streamproc.errors import ConfigError
from streamproc.inspection.instructions.boxes import boxes_of, place
from streamproc.inspection.instructions.cleaning import AskedJudge, Trusting
from streamproc.inspection.instructions.describing import AskedDescriber, Plain
from streamproc.inspection.instructions.duplicates import Seen, feature
from streamproc.inspection.instructions.journal import Journal
from streamproc.inspection.instructions.phrases import AskedPhrases, Phrase, Templates
from streamproc.inspection.instructions.search import Folder
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock
from streamproc.testing_inspection import FakeBackbone
from streamproc.testing_modelserver import FakeModelServer

CRACK = Phrase("bottle", "cracked bottle", True)
GREY = np.full((40, 60, 3), 128, np.uint8)


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer() as server:
        yield server


@pytest.fixture
def client(fake: FakeModelServer) -> Iterator[Callable[[], ModelServer]]:
    with ExitStack() as opened:

        def make() -> ModelServer:
            at = {"base_url": fake.base_url, "model": "test-model", "retries": 0}
            server = ModelServer(ServerSettings.model_validate(at), SystemClock())
            opened.callback(server.close)
            return server

        yield make


def test_templates_speak_of_defects_first_and_name_the_thing() -> None:
    made = Templates().phrases("bottle")
    assert [phrase.defective for phrase in made] == [True] * 10 + [False] * 6
    assert all(phrase.text.endswith(" bottle") and phrase.thing == "bottle" for phrase in made)


def test_a_models_phrases_are_cleared_of_what_is_empty_or_said_twice(
    fake: FakeModelServer, client: Callable[[], ModelServer]
) -> None:
    said = {"defective": ["cracked  bottle", " ", *(f"bottle {n}" for n in range(20))], "flawless": ["Cracked bottle"]}
    fake.reply = json.dumps(said)
    made = AskedPhrases(client()).phrases("bottle")
    assert [phrase.text for phrase in made] == ["cracked bottle", *(f"bottle {n}" for n in range(8))]
    assert all(phrase.defective for phrase in made)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Bottles/cracked_neck/1.png", "bottle/good/2.jpg", "valve/cracked/3.png", "bottle/cracked/4.JPG"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "Bottles/cracked_neck/1.mask.png").write_bytes(b"")
    (tmp_path / "bottle" / "LICENSE").write_text("CC0 1.0\nmore\n")
    return tmp_path


def test_a_folder_finds_by_the_words_of_paths(folder: Path) -> None:
    search = Folder(folder)
    names = [str(one.path.relative_to(folder)) for one in search.find(CRACK)]
    assert names == ["Bottles/cracked_neck/1.png", "bottle/cracked/4.JPG"]
    (one,) = search.find(Phrase("bottle", "a bottle with a cracked neck", True))
    assert one.mask == folder / "Bottles/cracked_neck/1.mask.png"
    assert search.find(Phrase("lamp", "cracked bottle", True)) == []  # a model may name another thing


def test_the_nearest_licence_is_the_pictures(folder: Path) -> None:
    assert [one.licence for one in Folder(folder).find(CRACK)] == [None, "CC0 1.0"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no pictures"):
        Folder(tmp_path)
    with pytest.raises(ConfigError, match="is not a folder"):
        Folder(tmp_path / "none")


def test_a_picture_scaled_is_the_same_and_another_is_not() -> None:
    rng, backbone, seen = np.random.default_rng(0), FakeBackbone(), Seen()
    picture = cv2.resize(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8), (96, 96))
    other = picture * np.array([1, 0, 1], np.uint8)
    assert seen.same_as("first", feature(backbone, picture)) is None
    assert seen.same_as("scaled", feature(backbone, cv2.resize(picture, (64, 64)))) == "first"
    assert seen.same_as("other", feature(backbone, other)) is None
    assert seen.same_as("other again", feature(backbone, other)) == "other"


def test_the_limit_is_a_cosine_of_99_hundredths() -> None:
    def at(degrees: float) -> Any:
        return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)

    seen = Seen()
    assert seen.same_as("a", at(0)) is None
    assert seen.same_as("b", at(8.0)) == "a"  # cos 0.9903
    assert seen.same_as("c", at(8.2)) is None  # 0.9898


def test_a_judge_is_told_not_to_trust_the_phrase(fake: FakeModelServer, client: Callable[[], ModelServer]) -> None:
    fake.reply = '{"shown": "neither"}'
    assert AskedJudge(client()).shown(GREY, CRACK) == "neither"
    system, user = fake.requests[0]["messages"]
    assert "only a hint" in system["content"]
    assert [part["type"] for part in user["content"]] == ["image_url", "text"]
    assert "cracked bottle" in user["content"][1]["text"]
    assert Trusting().shown(GREY, CRACK) == "defective"


def test_near_parts_of_a_mask_share_a_box() -> None:
    mask = np.zeros((100, 200), bool)
    mask[10:20, 20:40] = True
    mask[10:20, 43:50] = True  # three pixels on
    mask[80:90, 180:200] = True
    assert boxes_of(mask) == ((0.1, 0.1, 0.25, 0.2), (0.9, 0.8, 1.0, 0.9))
    assert boxes_of(np.zeros((9, 9), bool)) == ()


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0.0, 0.0, 0.2, 0.2), "at the upper left"),
        ((0.4, 0.4, 0.6, 0.6), "in the middle"),
        ((0.4, 0.8, 0.6, 1.0), "at the bottom"),
        ((0.8, 0.4, 1.0, 0.6), "at the right"),
    ],
)
def test_a_box_is_placed_in_words(box: tuple[float, float, float, float], words: str) -> None:
    assert place(box) == words


def test_plain_answers_guess_no_cause() -> None:
    said = Plain().answers(GREY, CRACK, [(0.0, 0.0, 0.2, 0.2)])
    assert said == {"there": "Yes.", "what": "It shows: cracked bottle, at the upper left of the picture."}
    assert Plain().answers(GREY, Phrase("bottle", "good bottle", False), []) == {"there": "No."}


def test_a_describing_model_is_shown_where(fake: FakeModelServer, client: Callable[[], ModelServer]) -> None:
    fake.reply = json.dumps({"there": "yes", "what": "A  crack.", "why": "", "prevention": "Care."})
    asks = AskedDescriber(client())
    assert asks.answers(GREY, CRACK, [(0.2, 0.2, 0.4, 0.4)]) == {
        "there": "Yes.",
        "what": "A crack.",
        "prevention": "Care.",
    }
    asks.answers(GREY, CRACK, [])
    kinds = [[part["type"] for part in request["messages"][1]["content"]] for request in fake.requests]
    assert kinds == [["image_url", "image_url", "text"], ["image_url", "text"]]
    plain, marked, _ = fake.requests[0]["messages"][1]["content"]
    assert plain != marked
    assert asks.answers(GREY, Phrase("bottle", "good bottle", False), []) == {"there": "No."}
    assert len(fake.requests) == 2


def test_a_hint_that_a_describing_model_denies_gives_nothing(
    fake: FakeModelServer, client: Callable[[], ModelServer]
) -> None:
    fake.reply = json.dumps({"there": "no", "what": "A crack.", "why": "", "prevention": ""})
    assert AskedDescriber(client()).answers(GREY, CRACK, []) is None


def test_a_journal_knows_what_was_found_out_and_forgets_a_torn_line(tmp_path: Path) -> None:
    path, asked = tmp_path / "journal", []

    def find_out() -> int:
        asked.append(1)
        return len(asked)

    assert Journal(path).once(("a",), find_out) == 1
    with path.open("a") as file:
        file.write('[["b"], ')
    again = Journal(path)
    assert again.once(("a",), find_out) == 1
    assert again.once(("b",), find_out) == 2
    assert [json.loads(line) for line in path.read_text().splitlines()] == [[["a"], 1], [["b"], 2]]


def test_a_file_of_something_else_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text("hello\n")
    with pytest.raises(ConfigError, match=r"journal:1: is not of this journal"):
        Journal(path)
