"""A client of a model, shared by perception and deduction: one server or several, or an engine in this process.

Requests are made on an event loop of the client's own, because only there a deadline can end a request as a whole: an
HTTP client's timeouts bound each read, so a server that trickles bytes would pass them for ever, and retries that sleep
as long as ``Retry-After`` says pass any deadline. A cancelled request closes its connection, which tells vLLM to stop
generating.

Of several servers the one with the fewest requests is asked; each has a breaker, so that one that is gone costs a few
calls half of a deadline and then none until it is back.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog
from openai.types.chat import ChatCompletionMessageParam

from streamproc.config import ServerSettings
from streamproc.endpoints.attempts import Attempts, Patience, Turn
from streamproc.endpoints.balancing import Way
from streamproc.endpoints.endpoint import Endpoint
from streamproc.endpoints.factory import make_endpoints
from streamproc.endpoints.replica import Replica, added
from streamproc.endpoints.structured import StructuredRequest, request_for
from streamproc.errors import ChannelClosed, ConfigError, InferenceError, ReplyError
from streamproc.modelreply import Listed, Reply, ServerUnfit, Usage, quoted, read_text
from streamproc.runtime.breaker import Breaker, Health
from streamproc.runtime.clock import Clock
from streamproc.runtime.loopthread import LoopThread
from streamproc.types import ServerReading

log = structlog.get_logger(__name__)
R = TypeVar("R", bound=Reply)
T = TypeVar("T")
LOOK_EVERY_S = 10.0
"""Least seconds between two looks at what servers tell of themselves; Prometheus' usual interval is 15."""
_LOOK_S = 2.0
"""Seconds within which one must tell them."""
_GRACE_S = 1.0


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
            for endpoint in endpoints or make_endpoints(settings)
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
        request = request_for(self.settings.model, messages, self.settings.max_tokens, temperature)
        return self._run(StructuredRequest(request, reply, n, logprobs, schema).complete, within_s)

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
        request = request_for(self.settings.model, messages, self.settings.max_tokens, 0.0)

        async def once(turn: Turn) -> str | ReplyError:
            said, cost = read_text(await turn.complete(request))
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
        request = request_for(self.settings.model, messages, max_tokens, 0.0)

        async def once(turn: Turn) -> Usage:
            return read_text(await turn.complete(request))[1]

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
        model, has = self.settings.model, ", ".join(map(quoted, models)) or "none"
        return f"model server {model} at {replica.name} does not serve {model}; it has: {has}"

    def close(self) -> None:
        """End the connections and the thread; requests under way fail. The client can be used no more."""
        self._thread.close(self._disconnect)

    # ---- on the client's own thread

    async def _look(self) -> None:
        for replica in self._replicas:
            try:
                async with asyncio.timeout(_LOOK_S):
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

    async def _disconnect(self) -> None:
        for replica in self._replicas:
            await replica.endpoint.close()

    # ---- the seam to other threads

    def _run(
        self,
        work: Callable[[Turn], Awaitable[T]],
        within_s: float | None = None,
        replicas: Sequence[Replica] = (),
    ) -> T:
        """``work`` under deadline, at ``replicas`` or any."""
        deadline_s = self.settings.deadline_s if within_s is None else min(within_s, self.settings.deadline_s)
        asked, half_s = replicas or self._replicas, self.settings.deadline_s / 2
        fair_s = half_s if len(self._replicas) > 1 else self.settings.deadline_s
        patience = Patience(deadline_s, half_s, fair_s, self.settings.retries)

        async def bounded() -> T:
            for one in asked:
                await one.endpoint.ready()
            way = Way(asked, lambda: next(self._turns))
            return await Attempts(self.settings.model, way, patience, self._down).until_answered(work)

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


async def _models(turn: Turn) -> Mapping[str, Listed]:
    return await turn.replica.in_slot(turn.replica.endpoint.models, turn.wait_s)
