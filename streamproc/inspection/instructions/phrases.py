"""What to look for pictures of: phrases that say how a thing looks when it is, and is not, as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from openai.types.chat import ChatCompletionMessageParam
from pydantic import Field

from streamproc.modelreply import Reply
from streamproc.modelserver import ModelServer

_EACH = 10
"""Phrases of each kind a thing, as in WebAD (section A1.2)."""
_DEFECTIVE = ("broken", "cracked", "scratched", "bent", "dented", "torn", "stained", "dirty", "rusty", "damaged")
_FLAWLESS = ("good", "intact", "undamaged", "clean", "new", "normal")
_SYSTEM = f"""\
You write search phrases for pictures. For the thing you are given, write {_EACH} phrases of two to six words that \
each name the thing with one visible defect which that thing in particular can have, each of another kind, and \
{_EACH} phrases that name it as it should be. No phrase repeats another.

Reply with JSON: {{"defective": [...], "flawless": [...]}}."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What pictures are searched by; also the short hint of what they show."""

    thing: str
    """Its name, e.g. ``bottle``."""
    text: str
    """E.g. ``bottle with a cracked neck``."""
    defective: bool
    """Whether it speaks of a defect."""


class PhraseMaker(Protocol):
    """Thinks of phrases for a thing."""

    @property
    def name(self) -> str:
        """Who thinks; another name's phrases are others."""
        ...

    def phrases(self, thing: str) -> tuple[Phrase, ...]:
        """Defects first: a picture belongs to the first phrase that finds it.

        Raises:
            InferenceError: the model's server failed.
            ReplyError: the model said nothing usable.
        """
        ...


class Templates:
    """The same adjectives for every thing; needs no model."""

    name = "templates-1"

    def phrases(self, thing: str) -> tuple[Phrase, ...]:
        """Ten defects and six ways to have none."""
        return tuple(
            Phrase(thing, f"{adjective} {thing}", defective)
            for defective, adjectives in ((True, _DEFECTIVE), (False, _FLAWLESS))
            for adjective in adjectives
        )


class _Phrases(Reply):
    defective: list[Annotated[str, Field(description="a thing with a defect")]]
    flawless: list[Annotated[str, Field(description="the thing as it should be")]]


class AskedPhrases:
    """A language model's, made for the thing."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self.name = f"phrases-1 {server.settings.model}"

    def phrases(self, thing: str) -> tuple[Phrase, ...]:
        """At most ten of each kind, without what is empty or said twice."""
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": f"The thing: {thing}"},
        ]
        said = self._server.ask_one(messages, _Phrases)
        made: dict[str, Phrase] = {}
        for defective, texts in ((True, said.defective), (False, said.flawless)):
            for text in texts[:_EACH]:
                words = " ".join(text.split())
                if words:
                    made.setdefault(words.casefold(), Phrase(thing, words, defective))
        return tuple(made.values())
