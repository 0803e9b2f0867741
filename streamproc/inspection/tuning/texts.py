"""A conversation as a language model's tokens, and which of them it has to learn to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from streamproc.errors import ConfigError
from streamproc.inspection.instructions.conversations import IMAGE, Conversation


class Tokenizer(Protocol):
    """What is used of transformers' tokenizers."""

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> Any:
        """With ``input_ids``."""
        ...

    def apply_chat_template(
        self, conversation: list[dict[str, Any]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """The messages in the model's own form."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Tokens, with one in place of the picture."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]
    """True where a token is to be said: answers and the marks that end them."""
    picture_at: int


def text_of(one: Conversation, tokenizer: Tokenizer, image_id: int) -> Text:
    """The conversation in the model's own chat form.

    What is asked and what is answered are tokenized apart, as when the model is served: there the first is given and
    the second comes token by token.

    Raises:
        ConfigError: the form does not add turns at its end, or has no single place for the picture.
    """
    messages = [_message(turn.by, turn.value) for turn in one.conversations]
    ids: list[int] = []
    learnt: list[bool] = []
    before = ""
    for answer in range(1, len(messages), 2):
        asked = tokenizer.apply_chat_template(messages[:answer], tokenize=False, add_generation_prompt=True)
        said = tokenizer.apply_chat_template(messages[: answer + 1], tokenize=False, add_generation_prompt=False)
        if not asked.startswith(before) or not said.startswith(asked):
            raise ConfigError("the model's chat template does not add each turn at the end: it cannot be learned from")
        for words, is_learnt in ((asked[len(before) :], False), (said[len(asked) :], True)):
            tokens = tokenizer(words, add_special_tokens=False).input_ids
            ids += tokens
            learnt += [is_learnt] * len(tokens)
        before = said
    if ids.count(image_id) != 1:
        raise ConfigError(
            f"{one.id}: has {ids.count(image_id)} places for a picture in the model's chat template, not 1"
        )
    return Text(tuple(ids), tuple(learnt), ids.index(image_id))


def _message(by: str, value: str) -> dict[str, Any]:
    """As templates of vision-language models want it; the picture comes first."""
    if by == "gpt":
        return {"role": "assistant", "content": [{"type": "text", "text": value}]}
    words = value.replace(IMAGE, "").strip()
    picture = [{"type": "image"}] if IMAGE in value else []
    return {"role": "user", "content": [*picture, {"type": "text", "text": words}]}
