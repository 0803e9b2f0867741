"""One of the places that serve a client's model: its health, its bound on requests, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streamproc.endpoints.endpoint import Endpoint
from streamproc.endpoints.gauges import read_gauges
from streamproc.errors import InferenceError, NotSent
from streamproc.modelreply import Listed, RequestRefused, Usage
from streamproc.runtime.breaker import Breaker
from streamproc.types import ServerGauges, ServerReading

T = TypeVar("T")


class Replica:
    """An endpoint as its client knows it. Changed on the client's event loop alone; figures are read from anywhere."""

    def __init__(self, endpoint: Endpoint, breaker: Breaker, model: str, at_once: int) -> None:
        """``at_once`` bounds the requests under way."""
        self.endpoint, self.breaker, self.model, self.at_once = endpoint, breaker, model, at_once
        self._slots = asyncio.Semaphore(at_once)
        self.outstanding = 0
        """Calls that were given to it and are not over: they wait for a slot, or for its answer."""
        self.taken = 0
        """When it was last given one, counted in calls: of several with as few outstanding the one that rested longest
        is next."""
        self.answered = 0
        """Requests that it answered."""
        self.failed = 0
        """Requests that it did not answer, or not in time; those that it refused for themselves are answers."""
        self.spent = Usage(0, 0, 0)
        """What its replies cost together, as it counts; None where it did not say."""
        self.listed: Listed | None = None
        """The model as it lists it, once it was asked."""
        self._gauges: ServerGauges | None = None
        self.refuses_n = False
        self.refuses_logprobs = False
        self.refuses_narrow = False

    @property
    def name(self) -> str:
        """Where it is, in words without credentials."""
        return self.endpoint.name

    async def in_slot(self, once: Callable[[], Awaitable[T]], wait_s: float) -> T:
        """``once`` when fewer than ``at_once`` are under way; waited for at most ``wait_s`` seconds.

        Raises:
            NotSent: none ended in that time.
            InferenceError: of ``once``.
        """
        try:
            async with asyncio.timeout(wait_s):
                await self._slots.acquire()
        except TimeoutError:
            raise NotSent(f"has {self.at_once} requests under way and none ended", "overloaded") from None
        try:
            result = await once()
        except RequestRefused:
            self.answered += 1
            raise
        except (InferenceError, asyncio.CancelledError):
            self.failed += 1
            raise
        finally:
            self._slots.release()
        self.answered += 1
        return result

    def spend(self, cost: Usage) -> None:
        """Add what a reply cost."""
        self.spent = added(self.spent, cost)

    async def look(self) -> None:
        """Read what it tells of itself; what cannot be read leaves nothing."""
        page = await self.endpoint.gauges_page()
        self._gauges = read_gauges(page, self.model) if page is not None else None

    def reading(self) -> ServerReading:
        """As of now."""
        health = self.breaker.health
        return ServerReading(
            self.name,
            health.up,
            health.reason,
            self.outstanding,
            self.answered,
            self.failed,
            self.spent.prompt_tokens,
            self.spent.cached_tokens or 0,
            self._gauges,
        )


def added(one: Usage, other: Usage) -> Usage:
    """Both together; None once one did not say, but for the cache, which many servers never tell."""
    return Usage(
        _sum(one.prompt_tokens, other.prompt_tokens),
        _sum(one.reply_tokens, other.reply_tokens),
        (one.cached_tokens or 0) + (other.cached_tokens or 0),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
