"""Replies of a given form, asked for as a server understands it: servers differ in what they know of the OpenAI API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import structlog
from openai.types.chat import ChatCompletionMessageParam

from streamproc.endpoints.attempts import Turn
from streamproc.endpoints.endpoint import Request
from streamproc.errors import ReplyError
from streamproc.modelreply import Reply, RequestRefused, RequestTooLarge, ServerUnfit, read_choices

log = structlog.get_logger(__name__)
R = TypeVar("R", bound=Reply)
ALTERNATIVES = 5
"""So many tokens are asked for in each place: as many as every server permits."""


def request_for(
    model: str, messages: Sequence[ChatCompletionMessageParam], max_tokens: int, temperature: float
) -> dict[str, Any]:
    """What every request for a completion has."""
    return {"model": model, "messages": messages, "max_tokens": max_tokens, "temperature": temperature}


@dataclass(frozen=True, slots=True)
class StructuredRequest(Generic[R]):
    """A request for ``n`` replies of one form; ``ModelServer.ask`` tells the rest."""

    request: Mapping[str, Any]
    reply: type[R]
    n: int
    logprobs: bool
    schema: Mapping[str, object] | None

    async def complete(self, turn: Turn) -> tuple[R | ReplyError, ...]:
        """The replies; what the replica does not know (``n``, log-probabilities, a narrow schema) it is not asked for
        again."""
        replica = turn.replica
        replies: list[R | ReplyError] = []
        if self.n > 1 and not replica.refuses_n:
            try:
                replies = await self._in_form(turn, self.n)
            except RequestRefused:
                # For its n, or for itself? A single request tells: some servers know only n = 1.
                replies = await self._in_form(turn, 1)
                replica.refuses_n = True
        rest = (self._in_form(turn, 1) for _ in range(self.n - len(replies)))
        for several in await asyncio.gather(*rest, return_exceptions=True):
            if isinstance(several, BaseException):
                raise several
            replies += several
        return tuple(replies[: self.n])

    async def _in_form(self, turn: Turn, count: int) -> list[R | ReplyError]:
        own = _schema(self.reply)
        if self.schema is None or turn.replica.refuses_narrow:
            return await self._once(turn, count, own)
        try:
            return await self._once(turn, count, self.schema)
        except RequestTooLarge:
            raise
        except RequestRefused:
            # For its form, or for itself? The plain one tells: some servers know no choice of objects.
            replies = await self._once(turn, count, own)
            turn.replica.refuses_narrow = True
            log.info("model_server_without_narrow_schema", model=self.request["model"])
            return replies

    async def _once(self, turn: Turn, count: int, form: Mapping[str, object]) -> list[R | ReplyError]:
        request = {
            **self.request,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": self.reply.__name__.strip("_"), "schema": form, "strict": True},
            },
        }
        if count > 1:
            request["n"] = count
        if self.logprobs and not turn.replica.refuses_logprobs:
            try:
                return await self._read(turn, request | {"logprobs": True, "top_logprobs": ALTERNATIVES})
            except (RequestRefused, ServerUnfit) as error:
                # A server that has none says so; replies without them do.
                if "logprob" not in str(error).casefold():
                    raise
                turn.replica.refuses_logprobs = True
                log.info("model_server_without_logprobs", model=self.request["model"])
        return await self._read(turn, request)

    async def _read(self, turn: Turn, request: Request) -> list[R | ReplyError]:
        choices, cost = read_choices(await turn.complete(request), self.reply)
        turn.replica.spend(cost)
        return choices


@cache
def _schema(reply: type[Reply]) -> Mapping[str, object]:
    return reply.model_json_schema()
