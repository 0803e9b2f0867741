"""What a model server says, read and judged: chat completions, JSON replies, and its errors put into our words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import from_json

from streamproc.errors import InferenceError, ReplyError
from streamproc.secrets import redact

R = TypeVar("R", bound="Reply")
_CONTROL = re.compile(r"[\x00-\x1f]")
LONGEST_QUOTE = 300
"""Characters of a server's own words that an error message repeats."""


class RequestRefused(InferenceError):  # noqa: N818 - says what happened
    """The server is well and will not do this request (HTTP 400, 413, 422): the same again would fail again."""

    retriable = False


class RequestTooLarge(RequestRefused):
    """However the reply is to be formed."""


class ServerUnfit(InferenceError):  # noqa: N818 - says what happened
    """The server answers, but not to us: it refuses the key, or does not serve the model. Retrying at once is vain."""

    retriable = False


class TryLater(InferenceError):  # noqa: N818 - says what happened
    """The server asks to be left alone for a time (``Retry-After``)."""

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message, after_s)
        self.message, self.after_s = message, after_s

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Usage:
    """What was read and written, as a server counts it; None where it does not say."""

    prompt_tokens: int | None
    reply_tokens: int | None
    cached_tokens: int | None = None
    """Of the prompt, what the server had kept from requests before: its prefix cache's hits."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A model as a server lists it; None where it does not say, as only vLLM does."""

    context_tokens: int | None
    """How many tokens prompt and reply may have together."""
    root: str | None
    """What was loaded: a repository or a path."""


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


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None

    def usage(self) -> Usage:
        details = self.prompt_tokens_details
        return Usage(self.prompt_tokens, self.completion_tokens, details.cached_tokens if details else None)


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Model(BaseModel):
    id: str
    max_model_len: int | None = None
    root: str | None = None


class _Models(BaseModel):
    data: list[_Model]


def read_choices(body: str | bytes, reply: type[R]) -> tuple[list[R | ReplyError], Usage]:
    """The choices of a chat completion, each as a ``reply`` or as what is wrong with it; and what it cost.

    Raises:
        InferenceError: ``body`` is not a chat completion; what answers is no model server.
    """
    completion = _completion(body)
    return [_read(choice, reply) for choice in completion.choices], (completion.usage or _Usage()).usage()


def read_text(body: str | bytes) -> tuple[str | ReplyError, Usage]:
    """The first choice of a chat completion as it is, or what is wrong with it; and what it cost.

    Raises:
        InferenceError: as ``read_choices``.
    """
    completion = _completion(body)
    choice = completion.choices[0]
    return _unfinished(choice) or choice.message.content or "", (completion.usage or _Usage()).usage()


def _completion(body: str | bytes) -> _Completion:
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        raise InferenceError(f"the answer is not a chat completion: {quoted(body)}") from None
    if not completion.choices:
        raise InferenceError("the chat completion holds no choices")
    return completion


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


def read_models(body: str | bytes) -> dict[str, Listed]:
    """The models that a server lists.

    Raises:
        InferenceError: ``body`` is not a list of models.
    """
    try:
        return {model.id: Listed(model.max_model_len, model.root) for model in _Models.model_validate_json(body).data}
    except ValidationError:
        raise InferenceError(f"the answer is not a list of models: {quoted(body)}") from None


def quoted(text: str | bytes) -> str:
    """A server's words, on one line, cut short, without credentials."""
    line = " ".join(redact(text if isinstance(text, str) else text.decode(errors="replace")).split())
    return line if len(line) <= LONGEST_QUOTE else line[:LONGEST_QUOTE] + " …"


def refusal(status: int, body: str, retry_after: str = "") -> InferenceError:
    """An answer of ``status`` 400 or above in our tree; the message names status and cause and never a credential.

    ``retry_after`` is the header's value; only seconds are understood, not a date.
    """
    words = quoted(_cause(body))
    match status:
        case 401 | 403:
            return ServerUnfit(f"refuses the key (HTTP {status})")
        case 404:
            return ServerUnfit(f"does not serve this model or path (HTTP 404): {words}")
        case 413:
            return RequestTooLarge(f"refuses the request (HTTP 413): {words}")
        case 400 | 422:
            return RequestRefused(f"refuses the request (HTTP {status}): {words}")
    failed = f"failed (HTTP {status}): {words}"
    try:
        return TryLater(failed, max(0.0, float(retry_after)))
    except ValueError:
        return InferenceError(failed)


def _cause(body: str) -> str:
    """What an error's body says: OpenAI's ``{"error": {"message": …}}``, or the whole of it."""
    try:
        read = from_json(body)
        error = read.get("error", read)
        return str(error if isinstance(error, str) else error.get("message") or body)
    except (ValueError, AttributeError):
        return body
