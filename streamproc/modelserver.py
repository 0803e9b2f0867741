# Longer than 300 lines: one client, whose deadline, retries, limit and fallbacks hold only together.
"""A client of a model, shared by perception and deduction: one server or several, or an engine in this process.

Requests are made on an event loop of the client's own, because only there a deadline can end a request as a whole: an
HTTP client's timeouts bound each read, so a server that trickles bytes would pass them for ever, and retries that sleep
as long as ``Retry-After`` says pass any deadline. tenacity's stop before a pause that would pass it. A cancelled
request closes its connection, which tells vLLM to stop generating.

Of several servers the one with the fewest requests is asked. Where it fails, or has not answered within half of the
deadline, another is, without a pause; each has a breaker, so that one that is gone costs a few calls that much and then
none until it is back.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import structlog
from openai.types.chat import ChatCompletionMessageParam
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay
from tenacity.wait import wait_base, wait_random_exponential

from streamproc.config import UNPINNED, ServerSettings
from streamproc.endpoints.balancing import Way
from streamproc.endpoints.endpoint import Endpoint, Request
from streamproc.endpoints.http import HttpEndpoint
from streamproc.endpoints.replica import Replica, added
from streamproc.errors import ChannelClosed, ConfigError, InferenceError, NotSent, ReplyError
from streamproc.modelreply import (
    Listed,
    Reply,
    RequestRefused,
    RequestTooLarge,
    ServerUnfit,
    TryLater,
    Usage,
    quoted,
    read_choices,
    read_text,
)
from streamproc.runtime.breaker import Breaker, Health
from streamproc.runtime.clock import Clock
from streamproc.runtime.loopthread import LoopThread
from streamproc.types import ServerReading

log = structlog.get_logger(__name__)
R = TypeVar("R", bound=Reply)
T = TypeVar("T")
PROBE_S = 2.0
"""Seconds within which a server that was down must list its models before a window is risked on it."""
ALTERNATIVES = 5
"""So many tokens are asked for in each place: as many as every server permits."""
LOOK_EVERY_S = 10.0
"""Least seconds between two looks at what servers tell of themselves; Prometheus' usual interval is 15."""
_GRACE_S = 1.0
_FAIR = 0.9
"""Of the time that a server should have; one that was given less and did not answer is not held to be down."""


class Late(InferenceError):  # noqa: N818 - says what happened
    """No answer in the time there was."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A replica's turn at a call."""

    replica: Replica
    wait_s: float
    """How long a request may wait for a slot: half of the time, so that what begins has time to be answered."""

    async def complete(self, request: Request) -> bytes:
        return await self.replica.in_slot(lambda: self.replica.endpoint.complete(request), self.wait_s)


class ModelServer:
    """One model where it is served, with its deadline, its bound on requests under way, and its health. Thread-safe."""

    def __init__(
        self,
        settings: ServerSettings,
        clock: Clock,
        *,
        on_health: Callable[[Health], None] = lambda _: None,
        endpoints: Sequence[Endpoint] = (),
        open_after: int = 3,
    ) -> None:
        """Nothing is sent before the first call.

        ``on_health`` hears each change between up and down, on the client's own thread, and must not block; with
        several servers the last one's going down and the first one's coming back. After ``open_after`` failures in a
        row a server counts as down. ``endpoints`` are used in place of the settings' in tests.
        """
        self.settings = settings
        self.clock = clock
        self._on_health = on_health
        self._replicas = tuple(
            Replica(endpoint, self._breaker(endpoint, open_after), settings.model, settings.max_in_flight)
            for endpoint in endpoints or _endpoints(settings)
        )
        self._was_up = True
        self._turns = itertools.count(1)
        self._thread = LoopThread(f"model-{settings.model}")
        self._look_at_s = 0.0

    def _breaker(self, endpoint: Endpoint, open_after: int) -> Breaker:
        return Breaker(self.clock, open_after=open_after, on_change=lambda health: self._changed(endpoint.name, health))

    @property
    def health(self) -> Health:
        """Whether one of the servers is believed to answer, and the last failures' reasons."""
        all_ = [(one.name, one.breaker.health) for one in self._replicas]
        if len(all_) == 1:
            return all_[0][1]
        reasons = "; ".join(f"{name} {health.reason}" for name, health in all_ if health.reason)
        return Health(any(health.up for _, health in all_), reasons, min(health.failures for _, health in all_))

    @property
    def spent(self) -> Usage:
        """What the replies so far cost together, as the servers count; None once one did not say."""
        total = Usage(0, 0, 0)
        for one in self._replicas:
            total = added(total, one.spent)
        return total

    @property
    def listed(self) -> Listed | None:
        """The model as the first server that ``check`` reached lists it."""
        return next((one.listed for one in self._replicas if one.listed is not None), None)

    @property
    def context_tokens(self) -> int | None:
        """How many tokens prompt and reply may have together at each server, once ``check`` was told so; vLLM does."""
        told = [one.listed.context_tokens for one in self._replicas if one.listed is not None]
        return min((tokens for tokens in told if tokens is not None), default=None)

    def reached(self) -> tuple[ServerSettings, ...]:
        """The settings for each server alone that ``check`` reached."""
        pairs = zip(self.settings.apart(), self._replicas, strict=True)
        return tuple(alone for alone, one in pairs if one.listed is not None)

    def readings(self) -> tuple[ServerReading, ...]:
        """Each server as it is now; what they tell of themselves is as of the last time this was asked."""
        known, now_s = tuple(one.reading() for one in self._replicas), self.clock.monotonic()
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + LOOK_EVERY_S
            self._thread.start(self._look)
        return known

    @property
    def name(self) -> str:
        """Model and addresses in words, without credentials."""
        return f"{self.settings.model} at {', '.join(one.name for one in self._replicas)}"

    def ask(
        self,
        messages: Sequence[ChatCompletionMessageParam],
        reply: type[R],
        *,
        n: int = 1,
        temperature: float = 0.0,
        logprobs: bool = False,
        within_s: float | None = None,
        schema: Mapping[str, object] | None = None,
    ) -> tuple[R | ReplyError, ...]:
        """``n`` replies to ``messages``, each as the pydantic model ``reply`` or as what is wrong with it.

        ``reply``'s JSON Schema constrains the server where it can; what comes is validated all the same. A server
        that takes no ``n``, or gives fewer choices, is asked again for the rest within the same deadline. With
        ``logprobs`` replies have ``tokens``, where the server gives them. ``within_s`` is a shorter deadline.
        ``schema`` is a narrower one than ``reply``'s own, for the server alone; one that refuses it is sent that.

        Raises:
            InferenceError: no usable answer within ``deadline_s``, retries and other servers included; or all are
                down and not to be tried yet, which is said at once. The message holds no credential.
            NotSent: as many requests as permitted are under way.
        """
        return self._run(lambda turn: self._ask(turn, messages, reply, n, temperature, logprobs, schema), within_s)

    def ask_one(
        self,
        messages: Sequence[ChatCompletionMessageParam],
        reply: type[R],
        *,
        temperature: float = 0.0,
        schema: Mapping[str, object] | None = None,
    ) -> R:
        """One reply.

        Raises:
            InferenceError: as ``ask``.
            ReplyError: the reply is truncated or does not fit the schema; keeps its text.
        """
        (answer,) = self.ask(messages, reply, temperature=temperature, schema=schema)
        if isinstance(answer, ReplyError):
            raise answer
        return answer

    def write(self, messages: Sequence[ChatCompletionMessageParam]) -> str:
        """What the model says to ``messages`` in its own form, without a schema.

        Raises:
            InferenceError: as ``ask``.
            ReplyError: the reply is truncated or refused; keeps its text.
        """

        async def once(turn: _Turn) -> str | ReplyError:
            said, cost = read_text(await turn.complete(self._request(messages, self.settings.max_tokens, 0.0)))
            turn.replica.spend(cost)
            return said

        said = self._run(once)
        if isinstance(said, ReplyError):
            raise said
        return said

    def cost(self, messages: Sequence[ChatCompletionMessageParam], max_tokens: int = 1) -> Usage:
        """What ``messages`` cost, as the server counts it; a reply of at most ``max_tokens`` is written, and not read.

        Raises:
            InferenceError: as ``ask``.
        """

        async def once(turn: _Turn) -> Usage:
            return read_text(await turn.complete(self._request(messages, max_tokens, 0.0)))[1]

        return self._run(once)

    def check(self) -> tuple[str, ...]:
        """Ask each server which models it has; the names of one's that answers.

        Raises:
            ConfigError: one does not serve ``settings.model`` (the message names what it does serve), refuses the
                key, or is no OpenAI-compatible API; or a secret is missing.
            InferenceError: none can be reached now, which may pass.
        """
        for replica in self._replicas:
            replica.endpoint.check()
        names: tuple[str, ...] = ()
        unreached: list[InferenceError] = []
        for replica in self._replicas:
            try:
                models = self._run(_models, replicas=(replica,))
            except ServerUnfit as error:
                raise ConfigError(f"{error}; base_url ends with the API's version: http://host:8000/v1") from None
            except InferenceError as error:
                unreached.append(error)
                continue
            if self.settings.model not in models:
                raise ConfigError(self._without_the_model(replica, models))
            replica.listed, names = models[self.settings.model], tuple(models)
        if len(unreached) == len(self._replicas):
            raise unreached[0]
        for gone in unreached:
            log.warning("model_server_unreachable", model=self.settings.model, error=str(gone))
        return names

    def _without_the_model(self, replica: Replica, models: Mapping[str, Listed]) -> str:
        has = ", ".join(quoted(model) for model in models) or "none"
        return f"model server {self._named(replica)} does not serve {self.settings.model}; it has: {has}"

    def close(self) -> None:
        """End the connections and the thread; requests under way fail. The client can be used no more."""
        self._thread.close(self._disconnect)

    # ---- on the client's own thread

    def _request(
        self, messages: Sequence[ChatCompletionMessageParam], max_tokens: int, temperature: float
    ) -> dict[str, Any]:
        return {
            "model": self.settings.model,
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
        }

    async def _ask(
        self,
        turn: _Turn,
        messages: Sequence[ChatCompletionMessageParam],
        reply: type[R],
        n: int,
        temperature: float,
        logprobs: bool,
        schema: Mapping[str, object] | None,
    ) -> tuple[R | ReplyError, ...]:
        replica, own = turn.replica, _schema(reply)

        async def complete(count: int) -> list[R | ReplyError]:
            if schema is None or replica.refuses_narrow:
                return await once(count, own)
            try:
                return await once(count, schema)
            except RequestTooLarge:
                raise
            except RequestRefused:
                # For its form, or for itself? The plain one tells: some servers know no choice of objects.
                replies = await once(count, own)
                replica.refuses_narrow = True
                log.info("model_server_without_narrow_schema", model=self.settings.model)
                return replies

        async def once(count: int, form: Mapping[str, object]) -> list[R | ReplyError]:
            request = self._request(messages, self.settings.max_tokens, temperature) | {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": reply.__name__.strip("_"), "schema": form, "strict": True},
                }
            }
            if count > 1:
                request["n"] = count
            if logprobs and not replica.refuses_logprobs:
                try:
                    return await read(request | {"logprobs": True, "top_logprobs": ALTERNATIVES})
                except (RequestRefused, ServerUnfit) as error:
                    # A server that has none says so; replies without them do.
                    if "logprob" not in str(error).casefold():
                        raise
                    replica.refuses_logprobs = True
                    log.info("model_server_without_logprobs", model=self.settings.model)
            return await read(request)

        async def read(request: Request) -> list[R | ReplyError]:
            choices, cost = read_choices(await turn.complete(request), reply)
            replica.spend(cost)
            return choices

        replies: list[R | ReplyError] = []
        if n > 1 and not replica.refuses_n:
            try:
                replies = await complete(n)
            except RequestRefused:
                # For its n, or for itself? A single request tells: some servers know only n = 1.
                replies = await complete(1)
                replica.refuses_n = True
        rest = (complete(1) for _ in range(n - len(replies)))
        for several in await asyncio.gather(*rest, return_exceptions=True):
            if isinstance(several, BaseException):
                raise several
            replies += several
        return tuple(replies[:n])

    async def _served(self, work: Callable[[_Turn], Awaitable[T]], way: Way, deadline_s: float) -> T:
        """``work`` at one replica after the other, with jittered pauses once around, while that may help and the
        deadline has room; errors in our tree, with the server's name."""
        ends_s = asyncio.get_running_loop().time() + deadline_s

        def again(error: BaseException) -> bool:
            if not isinstance(error, InferenceError) or isinstance(error, RequestRefused | NotSent):
                return False
            if way.at is None:
                return False  # all are down
            return way.elsewhere() or (error.retriable and way.rounds < self.settings.retries)

        retrying = AsyncRetrying(
            retry=retry_if_exception(again),
            stop=stop_before_delay(deadline_s),
            wait=_Pause(way),
            sleep=asyncio.sleep,
            reraise=True,
        )
        answered = False
        try:
            result: T = await retrying(self._attempt, work, way, deadline_s, ends_s)
            answered = True
        except RequestRefused:
            answered = True  # it is well enough to refuse
            raise
        finally:
            way.ends(answered)
        return result

    async def _attempt(self, work: Callable[[_Turn], Awaitable[T]], way: Way, deadline_s: float, ends_s: float) -> T:
        left_s = ends_s - asyncio.get_running_loop().time() if way.at is not None else deadline_s
        replica = way.next()
        if replica is None:
            raise self._down()
        # Half of the whole is a fair time to answer in, and leaves as much to another.
        given_s = min(left_s, self.settings.deadline_s / 2) if way.elsewhere() else left_s
        try:
            try:
                async with asyncio.timeout(given_s):
                    if way.probes:
                        await self._probe(replica)
                    return await work(_Turn(replica, given_s / 2))
            except TimeoutError:
                raise Late(f"does not answer within {given_s:.1f} s") from None
        except InferenceError as error:
            fair_s = self.settings.deadline_s / (2 if len(self._replicas) > 1 else 1)
            untried = isinstance(error, NotSent | RequestRefused) or (
                isinstance(error, Late) and given_s < _FAIR * fair_s
            )
            if not untried:
                way.failed(str(error))
            raise _named(error, f"model server {self._named(replica)} ") from None

    async def _probe(self, replica: Replica) -> None:
        try:
            async with asyncio.timeout(PROBE_S):
                await replica.endpoint.models()
        except TimeoutError:
            raise _StillDown("still does not answer") from None

    async def _look(self) -> None:
        for replica in self._replicas:
            try:
                async with asyncio.timeout(PROBE_S):
                    await replica.look()
            except (TimeoutError, InferenceError):
                log.debug("model_server_tells_nothing", server=replica.name)

    def _down(self) -> InferenceError:
        again_s = min(one.breaker.next_probe_s for one in self._replicas)
        several = len(self._replicas) > 1
        return InferenceError(
            f"model server{'s' if several else ''} {self.name} {'are' if several else 'is'} down "
            f"(next try in {again_s:.0f} s): {self.health.reason}"
        )

    def _named(self, replica: Replica) -> str:
        return f"{self.settings.model} at {replica.name}"

    async def _disconnect(self) -> None:
        for replica in self._replicas:
            await replica.endpoint.close()

    # ---- the seam to other threads

    def _run(
        self,
        work: Callable[[_Turn], Awaitable[T]],
        within_s: float | None = None,
        replicas: Sequence[Replica] = (),
    ) -> T:
        """``work`` under deadline, at ``replicas`` or any."""
        deadline_s = self.settings.deadline_s if within_s is None else min(within_s, self.settings.deadline_s)
        asked = replicas or self._replicas

        async def bounded() -> T:
            for one in asked:
                await one.endpoint.ready()
            return await self._served(work, Way(asked, lambda: next(self._turns)), deadline_s)

        ready_s = sum(one.endpoint.ready_s for one in asked)
        try:
            return self._thread.run(bounded, ready_s + deadline_s + _GRACE_S)
        except ChannelClosed:
            raise InferenceError(f"model server {self.name}: the client is closed") from None

    def _changed(self, server: str, health: Health) -> None:
        if health.up:
            log.info("model_server_up", model=self.settings.model, server=server)
        else:
            log.warning("model_server_down", model=self.settings.model, server=server, reason=health.reason)
        whole = self.health
        if whole.up != self._was_up:
            self._was_up = whole.up
            self._on_health(whole)


def _endpoints(settings: ServerSettings) -> tuple[Endpoint, ...]:
    # Connecting is bounded more tightly than answering: a host that is gone leaves time for another attempt.
    connect_s = settings.deadline_s / (settings.retries + max(1, len(settings.base_url)))
    if settings.engine is not None:
        from streamproc.endpoints.vllm import VllmEndpoint

        revision = settings.revision if settings.revision != UNPINNED else None
        return (VllmEndpoint(settings.model, revision, settings.engine),)
    return tuple(HttpEndpoint(address, settings.api_key, connect_s) for address in settings.base_url)


async def _models(turn: _Turn) -> Mapping[str, Listed]:
    return await turn.replica.in_slot(turn.replica.endpoint.models, turn.wait_s)


@cache
def _schema(reply: type[Reply]) -> Mapping[str, object]:
    return reply.model_json_schema()


class _StillDown(InferenceError):  # noqa: N818 - says what happened
    """Not to be tried again at once."""

    retriable = False


def _named(error: InferenceError, name: str) -> InferenceError:
    """The same with the server's name before its words."""
    match error:
        case NotSent():
            return NotSent(name + str(error), error.cause)
        case TryLater():
            return TryLater(name + str(error), error.after_s)
        case _:
            return type(error)(name + str(error))


class _Pause(wait_base):
    """None before another server; else as the server asks in Retry-After, or doubling from half a second, at random."""

    _own = wait_random_exponential(multiplier=0.5, max=8)

    def __init__(self, way: Way) -> None:
        self._way = way

    def __call__(self, retry_state: RetryCallState) -> float:
        if self._way.elsewhere():
            return 0.0
        error = retry_state.outcome.exception() if retry_state.outcome else None
        return error.after_s if isinstance(error, TryLater) else self._own(retry_state)
