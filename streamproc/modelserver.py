# Longer than 300 lines: one client, whose deadline, retries, limit and fallbacks hold only together.
"""A client of an OpenAI-compatible model server (vLLM by reference), shared by perception and deduction.

Requests are made on an event loop of the client's own, because only there a deadline can end a request as a whole: the
openai client's timeouts bound each read, so a server that trickles bytes would pass them for ever, and its own retries
sleep as long as ``Retry-After`` says, past any deadline. They are off; tenacity's stop before a pause that would pass
it. A cancelled request closes its connection, which tells vLLM to stop generating.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import httpx2
import openai
import structlog
from openai.types.chat import ChatCompletionMessageParam
from openai.types.shared_params import ResponseFormatJSONSchema
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_base, wait_random_exponential

from streamproc.config import ServerSettings
from streamproc.errors import ChannelClosed, ConfigError, InferenceError, ReplyError
from streamproc.modelreply import (
    Reply,
    RequestRefused,
    ServerUnfit,
    Usage,
    read_choices,
    read_models,
    read_text,
    read_usage,
    translate,
)
from streamproc.runtime.breaker import Breaker, Health
from streamproc.runtime.clock import Clock
from streamproc.runtime.loopthread import LoopThread
from streamproc.secrets import redact, resolve

log = structlog.get_logger(__name__)
R = TypeVar("R", bound=Reply)
T = TypeVar("T")
PROBE_S = 2.0
"""Seconds within which a server that was down must list its models before a window is risked on it."""
ALTERNATIVES = 5
"""So many tokens are asked for in each place: as many as every server permits."""
_GRACE_S = 1.0


class Overloaded(InferenceError):  # noqa: N818 - a state
    """As many requests as the settings allow are under way; the window is lost, the server is not to blame."""

    retriable = False


class ModelServer:
    """One model on one server, with its deadline, its bound on requests under way, and its health. Thread-safe."""

    def __init__(
        self,
        settings: ServerSettings,
        clock: Clock,
        *,
        on_health: Callable[[Health], None] = lambda _: None,
        transport: httpx2.AsyncBaseTransport | None = None,
        open_after: int = 3,
    ) -> None:
        """Nothing is sent before the first call.

        ``on_health`` hears each change between up and down, on the client's own thread, and must not block. After
        ``open_after`` failures in a row the server counts as down. ``transport`` replaces the network in tests.
        """
        self.settings = settings
        self.clock = clock
        self._on_health = on_health
        self._breaker = Breaker(clock, open_after=open_after, on_change=self._changed)
        self._transport = transport
        self._slots = asyncio.Semaphore(settings.max_in_flight)
        self._thread = LoopThread(f"model-{settings.model}")
        self._client: openai.AsyncOpenAI | None = None
        self._refuses_n = False
        self._refuses_logprobs = False
        self._refuses_narrow = False
        self.spent = Usage(0, 0)
        """What the replies so far cost together, as the server counts; None once it did not say."""
        self.context_tokens: int | None = None
        """How many tokens prompt and reply may have together, once ``check`` was told so; vLLM does."""

    @property
    def health(self) -> Health:
        """Whether it is believed to answer, and the last failure's reason."""
        return self._breaker.health

    @property
    def name(self) -> str:
        """Model and address in words, without credentials."""
        return f"{self.settings.model} at {redact(self.settings.base_url)}"

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
            InferenceError: no usable answer within ``deadline_s``, retries included; or the server is down and not
                to be tried yet, which is said at once. The message holds no credential.
        """
        return self._run(lambda: self._ask(messages, reply, n, temperature, logprobs, schema), within_s)

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

        async def once() -> str | ReplyError:
            raw = await self._connected().chat.completions.with_raw_response.create(
                model=self.settings.model,
                messages=list(messages),
                max_tokens=self.settings.max_tokens,
                temperature=0.0,
            )
            self._spend(raw.text)
            return read_text(raw.text)

        said = self._run(lambda: self._attempts(once))
        if isinstance(said, ReplyError):
            raise said
        return said

    def cost(self, messages: Sequence[ChatCompletionMessageParam], max_tokens: int = 1) -> Usage:
        """What ``messages`` cost, as the server counts it; a reply of at most ``max_tokens`` is written, and not read.

        Raises:
            InferenceError: as ``ask``.
        """

        async def once() -> Usage:
            raw = await self._connected().chat.completions.with_raw_response.create(
                model=self.settings.model, messages=list(messages), max_tokens=max_tokens, temperature=0.0
            )
            return read_usage(raw.text)

        return self._run(lambda: self._attempts(once))

    def check(self) -> tuple[str, ...]:
        """Ask the server which models it has; their names.

        Raises:
            ConfigError: it does not serve ``settings.model`` (the message names what it does serve), refuses the
                key, or is no OpenAI-compatible API; or a secret is missing.
            InferenceError: it cannot be reached now, which may pass.
        """
        resolve(self.settings.base_url)
        resolve(self.settings.api_key or "")
        try:
            models = self._run(lambda: self._attempts(self._models))
        except ServerUnfit as error:
            raise ConfigError(f"{error}; base_url ends with the API's version: http://host:8000/v1") from None
        if self.settings.model not in models:
            has = ", ".join(redact(model) for model in models) or "none"
            raise ConfigError(f"model server {self.name} does not serve {self.settings.model}; it has: {has}")
        self.context_tokens = models[self.settings.model]
        return tuple(models)

    def close(self) -> None:
        """End the connections and the thread; requests under way fail. The client can be used no more."""
        self._thread.close(self._disconnect)

    # ---- on the client's own thread

    async def _ask(
        self,
        messages: Sequence[ChatCompletionMessageParam],
        reply: type[R],
        n: int,
        temperature: float,
        logprobs: bool,
        schema: Mapping[str, object] | None,
    ) -> tuple[R | ReplyError, ...]:
        own = reply.model_json_schema()

        async def complete(count: int) -> list[R | ReplyError]:
            if schema is None or self._refuses_narrow:
                return await once(count, own)
            try:
                return await once(count, schema)
            except openai.APIStatusError as error:
                if error.status_code not in (400, 422):
                    raise
                # For its form, or for itself? The plain one tells: some servers know no choice of objects.
                replies = await once(count, own)
                self._refuses_narrow = True
                log.info("model_server_without_narrow_schema", model=self.settings.model)
                return replies

        async def once(count: int, form: Mapping[str, object]) -> list[R | ReplyError]:
            response_format: ResponseFormatJSONSchema = {
                "type": "json_schema",
                "json_schema": {"name": reply.__name__.strip("_"), "schema": dict(form), "strict": True},
            }
            create = partial(
                self._connected().chat.completions.with_raw_response.create,
                model=self.settings.model,
                messages=list(messages),
                max_tokens=self.settings.max_tokens,
                temperature=temperature,
                response_format=response_format,
                n=count if count > 1 else openai.omit,
            )
            if logprobs and not self._refuses_logprobs:
                try:
                    return self._read((await create(logprobs=True, top_logprobs=ALTERNATIVES)).text, reply)
                except openai.APIStatusError as error:
                    # A server that has none says so; replies without them do.
                    if not 400 <= error.status_code < 500 or "logprob" not in error.message.casefold():
                        raise
                    self._refuses_logprobs = True
                    log.info("model_server_without_logprobs", model=self.settings.model)
            return self._read((await create()).text, reply)

        replies: list[R | ReplyError] = []
        if n > 1 and not self._refuses_n:
            try:
                replies = await self._attempts(lambda: complete(n))
            except RequestRefused:
                # For its n, or for itself? A single request tells: some servers know only n = 1.
                replies = await self._attempts(lambda: complete(1))
                self._refuses_n = True
        rest = (self._attempts(lambda: complete(1)) for _ in range(n - len(replies)))
        for several in await asyncio.gather(*rest, return_exceptions=True):
            if isinstance(several, BaseException):
                raise several
            replies += several
        return tuple(replies[:n])

    def _read(self, body: str, reply: type[R]) -> list[R | ReplyError]:
        read = read_choices(body, reply)
        self._spend(body)
        return read

    def _spend(self, body: str) -> None:
        cost = read_usage(body)
        self.spent = Usage(
            _sum(self.spent.prompt_tokens, cost.prompt_tokens), _sum(self.spent.reply_tokens, cost.reply_tokens)
        )

    async def _attempts(self, once: Callable[[], Awaitable[T]]) -> T:
        """``once`` in one of the slots, again with jittered pauses while that may help and the deadline has room."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, InferenceError) and error.retriable),
            stop=stop_after_attempt(self.settings.retries + 1) | stop_before_delay(self.settings.deadline_s),
            wait=_Pause(),
            sleep=asyncio.sleep,
            reraise=True,
        )

        return await retrying(self._in_slot, once)

    async def _in_slot(self, once: Callable[[], Awaitable[T]]) -> T:
        """``once`` when fewer than ``max_in_flight`` are under way; its errors in our tree.

        A slot is waited for during half the deadline at most, so that what begins has time to be answered.
        """
        try:
            async with asyncio.timeout(self.settings.deadline_s / 2):
                await self._slots.acquire()
        except TimeoutError:
            raise Overloaded(f"has {self.settings.max_in_flight} requests under way and none ended") from None
        try:
            return await once()
        except openai.APIError as error:
            raise translate(error) from error
        finally:
            self._slots.release()

    async def _models(self) -> dict[str, int | None]:
        raw = await self._connected().models.with_raw_response.list()
        return read_models(raw.text)

    def _connected(self) -> openai.AsyncOpenAI:
        """The client, with the credentials as they are now: a rotated secret file is read again."""
        try:
            base_url = resolve(self.settings.base_url)
            key = resolve(self.settings.api_key) if self.settings.api_key else "none"
        except ConfigError as error:
            raise InferenceError(f"cannot be asked: {error}") from None
        if self._client is None:
            # Connecting is bounded more tightly than answering: a host that is gone leaves time for another attempt.
            connect_s = self.settings.deadline_s / (self.settings.retries + 1)
            timeout = httpx2.Timeout(self.settings.deadline_s, connect=connect_s)
            http = openai.DefaultAsyncHttpxClient(transport=self._transport, timeout=timeout)
            self._client = openai.AsyncOpenAI(api_key=key, http_client=http, timeout=timeout, max_retries=0)
        return self._client.with_options(base_url=base_url, api_key=key)

    async def _disconnect(self) -> None:
        if self._client is not None:
            await self._client.close()

    # ---- the seam to other threads

    def _run(self, work: Callable[[], Awaitable[T]], within_s: float | None = None) -> T:
        """``work`` under breaker and deadline; errors leave here with the server's name and without a credential."""
        deadline_s = self.settings.deadline_s if within_s is None else min(within_s, self.settings.deadline_s)
        admission = self._breaker.admit()
        if admission == "refused":
            again = f"next try in {self._breaker.next_probe_s:.0f} s"
            raise InferenceError(f"model server {self.name} is down ({again}): {self.health.reason}")

        async def bounded() -> T:
            if admission == "probe":
                try:
                    async with asyncio.timeout(PROBE_S):
                        await self._in_slot(self._models)
                except TimeoutError:
                    raise InferenceError("still does not answer") from None
            async with asyncio.timeout(deadline_s):
                return await work()

        try:
            result = self._thread.run(bounded, deadline_s + PROBE_S + _GRACE_S)
        except RequestRefused as error:
            self._breaker.succeeded()  # it is well enough to refuse
            raise RequestRefused(f"model server {self.name} {error}") from None
        except Overloaded as error:
            self._breaker.abandoned()  # says nothing about the server
            raise Overloaded(f"model server {self.name} {error}") from None
        except InferenceError as error:
            self._breaker.failed(str(error))
            raise type(error)(f"model server {self.name} {error}") from None
        except TimeoutError:
            reason = f"does not answer within {deadline_s:.3g} s"
            if deadline_s < self.settings.deadline_s:
                self._breaker.abandoned()  # it was not given its time
            else:
                self._breaker.failed(reason)
            raise InferenceError(f"model server {self.name} {reason}") from None
        except ChannelClosed:
            self._breaker.abandoned()
            raise InferenceError(f"model server {self.name}: the client is closed") from None
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return result

    def _changed(self, health: Health) -> None:
        if health.up:
            log.info("model_server_up", model=self.settings.model)
        else:
            log.warning("model_server_down", model=self.settings.model, reason=health.reason)
        self._on_health(health)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


class _Pause(wait_base):
    """As the server asks in Retry-After, else doubling from half a second, at random."""

    _own = wait_random_exponential(multiplier=0.5, max=8)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        cause = error.__cause__ if error else None
        asked = cause.response.headers.get("retry-after", "") if isinstance(cause, openai.APIStatusError) else ""
        try:
            return max(0.0, float(asked))
        except ValueError:
            return self._own(retry_state)
