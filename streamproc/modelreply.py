"""What a model server says, read and judged: chat completions, JSON replies, and its errors put into our words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

import openai
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from streamproc.errors import InferenceError, ReplyError
from streamproc.secrets import redact

R = TypeVar("R", bound="Reply")
_CONTROL = re.compile(r"[\x00-\x1f]")
LONGEST_QUOTE = 300
"""Characters of a server's own words that an error message repeats."""


class RequestRefused(InferenceError):  # noqa: N818 - says what happened
    """The server is well and will not do this request (HTTP 400, 413, 422): the same again would fail again."""

    retriable = False


class ServerUnfit(InferenceError):  # noqa: N818 - says what happened
    """The server answers, but not to us: it refuses the key, or does not serve the model. Retrying at once is vain."""

    retriable = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What was read and written, as a server counts it; None where it does not say."""

    prompt_tokens: int | None
    reply_tokens: int | None


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a reply as the model wrote it."""

    text: bytes
    alternatives: tuple[tuple[bytes, float], ...]
    """The likeliest pieces in this place, this one among them, with the logarithms of their probabilities."""


class Reply(BaseModel):
    """Base of the replies that models are asked for; its JSON Schema goes to the server.

    Constraints that a grammar backend may not know (lengths, ranges) are left out of the schema and checked here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    _tokens: tuple[Token, ...] = PrivateAttr(())

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The reply piece by piece, where probabilities were asked for and the server gives them."""
        return self._tokens


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Alternative(BaseModel):
    token: str
    logprob: float
    octets: list[int] | None = Field(None, alias="bytes")

    def text(self) -> bytes:
        """A token may be part of a character, which only its bytes tell."""
        return self.token.encode() if self.octets is None else bytes(self.octets)


class _Token(_Alternative):
    top_logprobs: list[_Alternative] = []


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Model(BaseModel):
    id: str
    max_model_len: int | None = None


class _Models(BaseModel):
    data: list[_Model]


def read_choices(body: str, reply: type[R]) -> list[R | ReplyError]:
    """The choices of a chat completion, each as a ``reply`` or as what is wrong with it.

    Raises:
        InferenceError: ``body`` is not a chat completion; what answers is no model server.
    """
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        raise InferenceError(f"the answer is not a chat completion: {quoted(body)}") from None
    if not completion.choices:
        raise InferenceError("the chat completion holds no choices")
    return [_read(choice, reply) for choice in completion.choices]


def read_text(body: str) -> str | ReplyError:
    """The first choice of a chat completion as it is, or what is wrong with it.

    Raises:
        InferenceError: as ``read_choices``.
    """
    try:
        (choice, *_) = _Completion.model_validate_json(body).choices
    except ValueError:
        raise InferenceError(f"the answer is not a chat completion: {quoted(body)}") from None
    return _unfinished(choice) or choice.message.content or ""


def _unfinished(choice: _Choice) -> ReplyError | None:
    text = choice.message.content or ""
    if choice.message.refusal:
        return ReplyError("the model declined", choice.message.refusal)
    if choice.finish_reason == "length":
        return ReplyError("the reply is truncated: it reached max_tokens", text)
    if choice.finish_reason not in (None, "stop"):
        return ReplyError(f"the reply ended early: {quoted(choice.finish_reason)}", text)
    return None


def _read(choice: _Choice, reply: type[R]) -> R | ReplyError:
    text = choice.message.content or ""
    if (unfinished := _unfinished(choice)) is not None:
        return unfinished
    try:
        # xgrammar lets raw control characters into strings of bounded length; elsewhere in JSON they are white space.
        read = reply.model_validate_json(_CONTROL.sub(" ", text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return ReplyError(f"the reply does not fit the schema: {where + ': ' if where else ''}{first['msg']}", text)
    read._tokens = tuple(_token(token) for token in (choice.logprobs and choice.logprobs.content) or ())
    return read


def _token(token: _Token) -> Token:
    alternatives = {one.text(): one.logprob for one in (token, *token.top_logprobs)}
    return Token(token.text(), tuple(alternatives.items()))


def read_usage(body: str) -> Usage:
    """What a chat completion cost.

    Raises:
        InferenceError: ``body`` is not a chat completion.
    """
    try:
        used = _Completion.model_validate_json(body).usage or _Usage()
    except ValidationError:
        raise InferenceError(f"the answer is not a chat completion: {quoted(body)}") from None
    return Usage(used.prompt_tokens, used.completion_tokens)


def read_models(body: str) -> dict[str, int | None]:
    """The models that a server lists, with the tokens that prompt and reply may have together, where it says (vLLM).

    Raises:
        InferenceError: ``body`` is not a list of models.
    """
    try:
        return {model.id: model.max_model_len for model in _Models.model_validate_json(body).data}
    except ValidationError:
        raise InferenceError(f"the answer is not a list of models: {quoted(body)}") from None


def quoted(text: str) -> str:
    """A server's words, on one line, cut short, without credentials."""
    line = " ".join(redact(text).split())
    return line if len(line) <= LONGEST_QUOTE else line[:LONGEST_QUOTE] + " …"


def translate(error: openai.APIError) -> InferenceError:
    """The openai client's error in our tree; its message names status and cause and never a credential."""
    match error:
        case openai.APITimeoutError():
            return InferenceError("does not answer in time")
        case openai.APIConnectionError():
            cause = error.__cause__
            words = f"{type(cause).__name__}: {cause}" if cause is not None else str(error)
            return InferenceError(f"cannot be reached: {quoted(words)}")
        case openai.APIStatusError(status_code=401 | 403 as status):
            return ServerUnfit(f"refuses the key (HTTP {status})")
        case openai.APIStatusError(status_code=404):
            return ServerUnfit(f"does not serve this model or path (HTTP 404): {quoted(error.message)}")
        case openai.APIStatusError(status_code=400 | 413 | 422 as status):
            return RequestRefused(f"refuses the request (HTTP {status}): {quoted(error.message)}")
        case openai.APIStatusError():
            return InferenceError(f"failed (HTTP {error.status_code}): {quoted(error.message)}")
        case _:
            return InferenceError(quoted(str(error)))
