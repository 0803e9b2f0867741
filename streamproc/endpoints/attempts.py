"""A call's attempts: at one replica after the other, until one answers or the deadline is over.

Where a replica fails, or has not answered within half of the deadline, another is asked, without a pause; once around,
each waits before it is asked again. tenacity's stop before a pause that would pass the deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay
from tenacity.wait import wait_base, wait_random_exponential

from streamproc.endpoints.balancing import Way
from streamproc.endpoints.endpoint import Request
from streamproc.endpoints.replica import Replica
from streamproc.errors import InferenceError, NotSent
from streamproc.modelreply import RequestRefused, TryLater

T = TypeVar("T")
PROBE_S = 2.0
"""Seconds within which a server that was down must list its models before a window is risked on it."""
_FAIR = 0.9
"""Of the time that a server should have; one that was given less and did not answer is not held to be down."""


class _Late(InferenceError):  # noqa: N818 - says what happened
    """No answer in the time there was."""


class _StillDown(InferenceError):  # noqa: N818 - says what happened
    """Not to be tried again at once."""

    retriable = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A replica's turn at a call."""

    replica: Replica
    wait_s: float
    """How long a request may wait for a slot: half of the time, so that what begins has time to be answered."""

    async def complete(self, request: Request) -> bytes:
        """The body of the answer to ``request``."""
        return await self.replica.in_slot(lambda: self.replica.endpoint.complete(request), self.wait_s)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, and how often it may be tried."""

    deadline_s: float
    half_s: float
    """What a replica is given where another could be asked: half of a whole deadline, a fair time to answer in."""
    fair_s: float
    """What a replica should have had before its silence is held against it."""
    retries: int
    """Times that each may be asked again."""


class Attempts:
    """Those of one call, on its way over the replicas."""

    def __init__(self, model: str, way: Way, patience: Patience, down: Callable[[], InferenceError]) -> None:
        """``down`` makes the error where all are down."""
        self._model, self._way, self._patience, self._down = model, way, patience, down
        self._ends_s = 0.0

    async def until_answered(self, work: Callable[[Turn], Awaitable[T]]) -> T:
        """``work`` at one replica after the other, with jittered pauses once around, while that may help and the
        deadline has room.

        Raises:
            InferenceError: the last attempt's, with the server's name.
        """
        self._ends_s = asyncio.get_running_loop().time() + self._patience.deadline_s
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._again),
            stop=stop_before_delay(self._patience.deadline_s),
            wait=_Pause(self._way),
            sleep=asyncio.sleep,
            reraise=True,
        )
        answered = False
        try:
            result: T = await retrying(self._attempt, work)
            answered = True
        except RequestRefused:
            answered = True  # it is well enough to refuse
            raise
        finally:
            self._way.ends(answered)
        return result

    def _again(self, error: BaseException) -> bool:
        if not isinstance(error, InferenceError) or isinstance(error, RequestRefused | NotSent):
            return False
        if self._way.at is None:
            return False  # all are down
        return self._way.elsewhere() or (error.retriable and self._way.rounds < self._patience.retries)

    async def _attempt(self, work: Callable[[Turn], Awaitable[T]]) -> T:
        way, patience = self._way, self._patience
        left_s = self._ends_s - asyncio.get_running_loop().time() if way.at is not None else patience.deadline_s
        replica = way.next()
        if replica is None:
            raise self._down()
        given_s = min(left_s, patience.half_s) if way.elsewhere() else left_s
        try:
            try:
                async with asyncio.timeout(given_s):
                    if way.probes:
                        await _probe(replica)
                    return await work(Turn(replica, given_s / 2))
            except TimeoutError:
                raise _Late(f"does not answer within {given_s:.1f} s") from None
        except InferenceError as error:
            untried = isinstance(error, NotSent | RequestRefused) or (
                isinstance(error, _Late) and given_s < _FAIR * patience.fair_s
            )
            if not untried:
                way.failed(str(error))
            raise _named(error, f"model server {self._model} at {replica.name} ") from None


async def _probe(replica: Replica) -> None:
    try:
        async with asyncio.timeout(PROBE_S):
            await replica.endpoint.models()
    except TimeoutError:
        raise _StillDown("still does not answer") from None


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
