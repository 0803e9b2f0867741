"""An event loop in a thread of its own, for an adapter that must be able to cancel what it waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from streamproc.errors import ChannelClosed

T = TypeVar("T")
CLOSE_S = 5.0
"""Seconds that ``close`` waits for the thread."""


class LoopThread:
    """Runs coroutines for callers on other threads; starts at the first one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._last: Callable[[], Awaitable[None]] | None = None

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``work()`` beside whatever runs, and wait for nothing; what it raises is lost. Closed: do nothing."""
        with self._lock:
            if not self._closed:
                asyncio.run_coroutine_threadsafe(work(), self._running())

    def run(self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float) -> T:
        """What ``work()`` returns or raises.

        Raises:
            ChannelClosed: the loop was closed, before or meanwhile.
            TimeoutError: not done within ``timeout_s``; it was cancelled.
        """
        with self._lock:
            if self._closed:
                raise ChannelClosed
            future = asyncio.run_coroutine_threadsafe(_uncancelled(work), self._running())
        try:
            return future.result(timeout_s)
        finally:
            future.cancel()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._serve, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
        return self._loop

    def close(self, last: Callable[[], Awaitable[None]] | None = None) -> None:
        """Cancel what runs, run ``last`` on the loop, end the thread. Again: does nothing."""
        with self._lock:
            loop, thread, self._loop, self._closed, self._last = self._loop, self._thread, None, True, last
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(CLOSE_S)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            if self._last is not None:
                loop.run_until_complete(self._last())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


async def _uncancelled(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """``work()``, whose cancellation by ``close`` reaches the caller as an ordinary error."""
    try:
        return await work()
    except asyncio.CancelledError:
        raise ChannelClosed from None
