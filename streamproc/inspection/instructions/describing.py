"""The four answers about a picture that a conversation is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

from streamproc.inspection.answers.pictures import as_uri, outlined, scaled
from streamproc.inspection.answers.prompts import Answers, schema
from streamproc.inspection.answers.prompts import system as answers_system
from streamproc.inspection.instructions.boxes import place
from streamproc.inspection.instructions.cleaning import LONGEST_PX
from streamproc.inspection.instructions.phrases import Phrase
from streamproc.inspection.nouns import Pixels
from streamproc.modelserver import ModelServer
from streamproc.types import Box

Question = Literal["there", "what", "why", "prevention"]
Said = Mapping[Question, str]
"""Answers by question, in the order they are asked; a question that nobody can answer is not asked."""
_HINT = (
    "The picture shows {thing}. Who chose it says that it shows: {phrase}. That is sure: speak as one who sees it, and "
    "never of who said so. "
)
_OUTLINED = (
    "The second picture is the same with outlines around what is not as it should be; they are not part of the thing: "
    "never speak of them. "
)
_ASK = "Answer the four questions as JSON."


class Describer(Protocol):
    """Answers the four questions about a picture of which it is known whether the thing is as it should be."""

    @property
    def name(self) -> str:
        """Who answers; another name answers anew."""
        ...

    def answers(self, picture: Pixels, phrase: Phrase, boxes: Sequence[Box]) -> Said | None:
        """``boxes`` are around what is wrong, 0..1 of the picture; None where it finds that its hint is not true.

        Raises:
            InferenceError: the model's server failed.
            ReplyError: the model said nothing usable.
        """
        ...


class Plain:
    """From the phrase and the boxes alone: whether, what and where. Causes are not guessed."""

    name = "plain-1"

    def answers(self, picture: Pixels, phrase: Phrase, boxes: Sequence[Box]) -> Said:  # noqa: ARG002
        """Two answers of a defect, one of a flawless thing."""
        if not phrase.defective:
            return flawless()
        where = f", {place(boxes[0])} of the picture" if boxes else ""
        return {"there": "Yes.", "what": f"It shows: {phrase.text}{where}."}


class AskedDescriber:
    """A vision-language model's, which is told what there is to see and shown where (sections 4.1 and A1.1)."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self.name = f"describing-1 {server.settings.model}"

    def answers(self, picture: Pixels, phrase: Phrase, boxes: Sequence[Box]) -> Said | None:
        """All four of a defect; a flawless thing needs no model."""
        if not phrase.defective:
            return flawless()
        plain = scaled(picture, LONGEST_PX)
        marked = plain
        for box in boxes:
            marked = outlined(marked, box)
        shown = [plain, marked] if boxes else [plain]
        parts: list[ChatCompletionContentPartParam] = [
            {"type": "image_url", "image_url": {"url": as_uri(each)}} for each in shown
        ]
        hint = _HINT.format(thing=phrase.thing, phrase=phrase.text)
        parts.append({"type": "text", "text": f"{hint}{_OUTLINED if boxes else ''}{_ASK}"})
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": answers_system()},
            {"role": "user", "content": parts},
        ]
        said = self._server.ask_one(messages, Answers, schema=schema())
        what, why, prevention = (" ".join(text.split()) for text in (said.what, said.why, said.prevention))
        if said.there == "no" or not what:
            return None
        made: dict[Question, str] = {"there": "Yes.", "what": what}
        if why:
            made["why"] = why
        if prevention:
            made["prevention"] = prevention
        return made


def flawless() -> Said:
    """The one-word answer that keeps "no" as frequent as "yes" (section A1.3)."""
    return {"there": "No."}
