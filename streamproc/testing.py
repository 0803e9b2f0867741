"""For tests: a clock that passes the same contract tests as the real one, and waiting for other threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock that moves only when told to, or when something waits on it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._lock = threading.Lock()
        self.waits: list[float] = []
        """Every wait asked for, in seconds."""

    def now(self) -> datetime:
        """The start plus what was advanced."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Seconds advanced."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        with self._lock:
            self._elapsed_s += seconds

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Let the whole timeout pass at once, unless the event is set already."""
        self.waits.append(timeout_s)
        if not event.is_set():
            self.advance(timeout_s)
        return event.is_set()


def until(done: Callable[[], object], patience_s: float = 5.0) -> None:
    """Return as soon as ``done()`` is true, which another thread sees to.

    Raises:
        AssertionError: it is not within ``patience_s`` seconds.
    """
    ends_s, pause = time.monotonic() + patience_s, threading.Event()
    while not done():
        if time.monotonic() > ends_s:
            raise AssertionError(f"not within {patience_s:g} s")
        pause.wait(0.001)
