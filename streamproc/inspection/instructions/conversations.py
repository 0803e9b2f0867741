"""A picture and what is said of it, as a line of JSON in the form of LLaVA, with where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from streamproc.errors import ConfigError
from streamproc.inspection.answers.prompts import QUESTIONS
from streamproc.inspection.instructions.describing import Said
from streamproc.inspection.instructions.phrases import Phrase

IMAGE = "<image>"
"""Begins the first question: where the picture's tokens stand."""


class Turn(BaseModel):
    """Who says what; names and values as in LLaVA's files."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    by: Literal["human", "gpt"] = Field(alias="from")
    value: str = Field(min_length=1)


class Provenance(BaseModel):
    """Where a conversation comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    """Of the picture's file."""
    licence: str | None
    """As the picture's source gives it."""
    thing: str
    phrase: str
    """What it was found by."""
    shown: Literal["defective", "flawless"]
    boxes: tuple[tuple[float, float, float, float], ...]
    """Left, top, right, bottom of what is wrong, 0..1 of the picture; empty where no mask is known."""
    phrases_by: str
    cleaned_by: str
    answered_by: str


class Conversation(BaseModel):
    """One line; further fields, as other sets have them, are let be."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: str
    image: str
    """The picture's file, relative to the folder that pictures were searched in."""
    conversations: tuple[Turn, ...] = Field(min_length=2)
    provenance: Provenance | None = None

    @model_validator(mode="after")
    def _takes_turns(self) -> Conversation:
        asked, answered = self.conversations[::2], self.conversations[1::2]
        if (
            len(asked) != len(answered)
            or {turn.by for turn in asked} != {"human"}
            or {t.by for t in answered} != {"gpt"}
        ):
            raise ValueError("human and gpt take turns, human first")
        if [turn.value.count(IMAGE) for turn in self.conversations] != [1] + [0] * (len(self.conversations) - 1):
            raise ValueError(f"{IMAGE} stands once, in the first turn")
        return self


def conversation(name: str, image: str, said: Said, phrase: Phrase, provenance: Provenance) -> Conversation:
    """The questions that were answered, in the words in which the product asks them."""
    turns: list[Turn] = []
    for question, answer in said.items():
        asked = _sentence(QUESTIONS[question].replace("the thing", _with_article(phrase.thing)))
        turns += [Turn(by="human", value=asked), Turn(by="gpt", value=answer)]
    first = turns[0].model_copy(update={"value": f"{IMAGE}\n{turns[0].value}"})
    return Conversation(id=name, image=image, conversations=(first, *turns[1:]), provenance=provenance)


def read_conversations(path: Path) -> tuple[Conversation, ...]:
    """The lines of a file.

    Raises:
        ConfigError: it cannot be read, is empty, or a line is no conversation; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    read: list[Conversation] = []
    for number, line in enumerate(lines, 1):
        try:
            read.append(Conversation.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise ConfigError(f"{path}:{number}: is no conversation: {where}: {first['msg']}") from None
    if not read:
        raise ConfigError(f"{path}: holds no conversations")
    return tuple(read)


def as_line(one: Conversation) -> str:
    """JSON, without a newline."""
    return json.dumps(one.model_dump(mode="json", by_alias=True), ensure_ascii=False)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_article(thing: str) -> str:
    return thing if thing.casefold().startswith(("a ", "an ", "the ")) else f"the {thing}"
