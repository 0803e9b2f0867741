from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streamproc.errors import ConfigError
from streamproc.inspection.instructions.conversations import Conversation
from streamproc.inspection.tuning.texts import text_of

PICTURE = 9999


class Letters:
    """A token a letter; pictures are ``#``."""

    def __init__(self, picture: str = "#", front: str = "") -> None:
        self.picture, self.front = picture, front

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> Any:
        assert not add_special_tokens
        return SimpleNamespace(input_ids=[PICTURE if letter == "#" else ord(letter) for letter in text])

    def apply_chat_template(
        self, conversation: list[dict[str, Any]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        assert not tokenize
        made = self.front * len(conversation)
        for message in conversation:
            parts = [self.picture if part["type"] == "image" else part["text"] for part in message["content"]]
            made += f"{message['role'][0]}:{''.join(parts)}."
        return made + ("a:" if add_generation_prompt else "")


def one(*said: str) -> Conversation:
    turns = [{"from": "gpt" if at % 2 else "human", "value": text} for at, text in enumerate(said)]
    return Conversation.model_validate({"id": "x", "image": "x.png", "conversations": turns})


def test_answers_and_their_ends_are_to_be_said() -> None:
    text = text_of(one("<image>\nQ", "A", "R", "BB"), Letters(), PICTURE)
    words = "".join("#" if token == PICTURE else chr(token) for token in text.ids)
    assert words == "u:#Q.a:A.u:R.a:BB."
    assert "".join(letter if learnt else "_" for letter, learnt in zip(words, text.learnt, strict=True)) == (
        "_______A.______BB."
    )
    assert text.picture_at == 2


def test_a_template_without_a_place_for_the_picture_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^x: has 0 places"):
        text_of(one("<image>\nQ", "A"), Letters(picture=""), PICTURE)


def test_a_template_that_changes_what_was_said_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not add each turn at the end"):
        text_of(one("<image>\nQ", "A", "R", "B"), Letters(front="!"), PICTURE)
