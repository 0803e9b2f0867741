from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamproc.errors import ConfigError, InferenceError, ReplyError
from streamproc.inspection.instructions.build import Built, Parts, build
from streamproc.inspection.instructions.cleaning import Shown, Trusting
from streamproc.inspection.instructions.conversations import read_conversations
from streamproc.inspection.instructions.describing import Plain
from streamproc.inspection.instructions.phrases import Phrase, Templates
from streamproc.inspection.instructions.search import Folder
from streamproc.inspection.nouns import Pixels
from streamproc.testing_inspection import FakeBackbone


class Judged:
    """Says of pictures by their number what the test wants; counts."""

    name = "test"

    def __init__(self, says: dict[int, Shown | Exception]) -> None:
        self.says, self.asked = says, 0

    def shown(self, picture: Pixels, phrase: Phrase) -> Shown:
        said = self.says.get(self.asked, "defective" if phrase.defective else "flawless")
        self.asked += 1
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two broken bottles, one of them twice at two sizes, a good one, and a broken valve with a mask."""
    rng, root = np.random.default_rng(0), tmp_path / "pictures"
    for number, name in enumerate(("bottle/broken/a", "bottle/broken/b", "bottle/good/c", "valve/broken/d")):
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = cv2.resize(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8), (80, 60))
        picture[:, :, number % 3] = 0  # of another colour each
        cv2.imwrite(str(path), picture)
        if name == "bottle/broken/b":
            cv2.imwrite(str(root / "bottle/broken/b smaller.png"), cv2.resize(picture, (64, 48)))
    mask = np.zeros((60, 80), np.uint8)
    mask[0:15, 0:20] = 255
    cv2.imwrite(str(root / "valve/broken/d.mask.png"), mask)
    (root / "LICENSE").write_text("CC0 1.0")
    return root


def run(folder: Path, judge: Judged | Trusting | None = None, things: tuple[str, ...] = ("bottle", "valve")) -> Built:
    parts = Parts(Templates(), Folder(folder), FakeBackbone(), judge or Trusting(), Plain())
    return build(things, folder, parts, folder.parent / "out.jsonl", lambda *_: None)


def test_conversations_are_written_with_where_they_come_from(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    parts = Parts(Templates(), Folder(folder), FakeBackbone(), Trusting(), Plain())
    built = build(("bottle", "valve", "lamp"), folder, parts, folder.parent / "out.jsonl", lambda *at: told.append(at))
    assert built == Built(4, {"duplicate": 1}, ("lamp",))
    assert told == [("bottle", n, 4) for n in (1, 2, 3, 4)] + [("valve", 1, 1)]
    lines = [json.loads(line) for line in (folder.parent / "out.jsonl").read_text().splitlines()]
    assert [line["image"] for line in lines] == [
        "bottle/broken/a.png",
        "bottle/broken/b smaller.png",
        "bottle/good/c.png",
        "valve/broken/d.png",
    ]
    valve, good = lines[3], lines[2]
    assert valve["conversations"] == [
        {"from": "human", "value": "<image>\nIs anything not as it should be with the valve, yes or no?"},
        {"from": "gpt", "value": "Yes."},
        {"from": "human", "value": "What is not as it should be, and where on the valve?"},
        {"from": "gpt", "value": "It shows: broken valve, at the upper left of the picture."},
    ]
    assert [turn["value"] for turn in good["conversations"]][1:] == ["No."]
    digest = hashlib.sha256((folder / "valve/broken/d.png").read_bytes()).hexdigest()
    assert valve["id"] == digest[:16]
    assert valve["provenance"] == {
        "sha256": digest,
        "licence": "CC0 1.0",
        "thing": "valve",
        "phrase": "broken valve",
        "shown": "defective",
        "boxes": [[0.0, 0.0, 0.25, 0.25]],
        "phrases_by": "templates-1",
        "cleaned_by": "none",
        "answered_by": "plain-1",
    }
    assert len(read_conversations(folder.parent / "out.jsonl")) == 4


def test_what_the_judge_sees_otherwise_is_left_out(folder: Path) -> None:
    judge = Judged({0: "flawless", 1: "neither", 2: ReplyError("no JSON", "hm")})
    assert run(folder, judge) == Built(
        1, {"flawless, not defective": 1, "duplicate": 1, "neither, not defective": 1, "no usable reply": 1}, ()
    )


def test_a_run_that_was_cut_short_asks_nothing_twice(folder: Path) -> None:
    with pytest.raises(InferenceError, match="gone"):
        run(folder, Judged({2: InferenceError("gone")}))
    assert not (folder.parent / "out.jsonl").exists()
    again = Judged({})
    assert run(folder, again).conversations == 4
    assert again.asked == 2  # of four
    assert run(folder, Judged({0: "neither"})).conversations == 4  # all is known


def test_another_judge_is_asked_anew(folder: Path) -> None:
    run(folder, Judged({}))
    other = Judged({})
    other.name = "another"
    run(folder, other)
    assert other.asked == 4


def test_an_unfit_mask_is_told_with_its_name(folder: Path) -> None:
    cv2.imwrite(str(folder / "valve/broken/d.mask.png"), np.zeros((9, 9), np.uint8))
    with pytest.raises(ConfigError, match=r"d\.mask\.png: is \(9, 9\) px"):
        run(folder)


def test_a_file_that_is_no_picture_is_told(folder: Path) -> None:
    (folder / "valve/broken/e.png").write_bytes(b"no")
    with pytest.raises(ConfigError, match=r"e\.png: no picture"):
        run(folder)


def test_without_any_conversation_nothing_is_written(folder: Path) -> None:
    with pytest.raises(ConfigError, match="gives no conversation: no picture was found"):
        run(folder, things=("lamp",))
    with pytest.raises(ConfigError, match="1 neither, not defective"):
        run(folder, Judged({0: "neither"}), things=("valve",))
    assert not (folder.parent / "out.jsonl").exists()


GOOD: dict[str, Any] = {
    "id": "1",
    "image": "a.png",
    "conversations": [{"from": "human", "value": "<image>\nQ"}, {"from": "gpt", "value": "A"}],
}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "is no conversation"),
        (json.dumps(GOOD | {"conversations": GOOD["conversations"][:1]}), "conversations: "),
        (json.dumps(GOOD | {"conversations": GOOD["conversations"][::-1]}), "take turns"),
        (json.dumps(GOOD).replace("<image>", ""), "<image> stands once"),
    ],
)
def test_a_line_that_is_no_conversation_is_told_with_its_number(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(f"{json.dumps(GOOD | {'task': 'x'})}\n{line}\n")
    with pytest.raises(ConfigError, match=rf"c\.jsonl:2: .*{fault}"):
        read_conversations(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("")
    with pytest.raises(ConfigError, match="holds no conversations"):
        read_conversations(tmp_path / "c.jsonl")
