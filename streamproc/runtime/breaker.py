"""A circuit breaker: after some failures in a row a server is left alone, and asked again from time to time.

Without it a dead server would cost every window the whole deadline. The breaker knows nothing of networks: callers
ask ``admit`` before they try and tell it how it went.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from streamproc.runtime.clock import Clock

Admission = Literal["open", "probe", "refused"]
"""``open``: go ahead. ``probe``: go ahead alone, to see whether it is back. ``refused``: do not try now."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a server is believed to answer."""

    up: bool
    reason: str = ""
    """Why it is down, or the last failure, in words without credentials; empty if there was none since it was up."""
    failures: int = 0
    """Failures in a row."""


class Breaker:
    """Counts failures in a row; down after ``open_after`` of them, up again at the first success. Thread-safe."""

    def __init__(
        self,
        clock: Clock,
        *,
        open_after: int = 3,
        first_probe_s: float = 2.0,
        longest_probe_s: float = 30.0,
        on_change: Callable[[Health], None] = lambda _: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """A server that is down is probed after ``first_probe_s``, then at intervals that double to
        ``longest_probe_s``, each made up to a quarter longer by ``jitter`` (0..1) so that many cameras' clients do not
        return in step. ``on_change`` hears each change between up and down, on the thread that caused it.
        """
        self._clock = clock
        self._open_after = open_after
        self._first_probe_s = first_probe_s
        self._longest_probe_s = longest_probe_s
        self._on_change = on_change
        self._jitter = jitter
        self._lock = threading.Lock()
        self._health = Health(up=True)
        self._probe_after_s = first_probe_s
        self._probe_at = 0.0
        self._probing = False

    @property
    def health(self) -> Health:
        """As of now."""
        with self._lock:
            return self._health

    @property
    def next_probe_s(self) -> float:
        """Seconds until the next probe is let through; 0 when up or due."""
        with self._lock:
            return 0.0 if self._health.up else max(0.0, self._probe_at - self._clock.monotonic())

    @property
    def refuses(self) -> bool:
        """Whether ``admit`` would refuse now."""
        with self._lock:
            return self._refuses()

    def admit(self) -> Admission:
        """Whether to try now. After ``probe`` the caller must tell ``succeeded``, ``failed`` or ``abandoned``."""
        with self._lock:
            if self._health.up:
                return "open"
            if self._refuses():
                return "refused"
            self._probing = True
            return "probe"

    def _refuses(self) -> bool:
        return not self._health.up and (self._probing or self._clock.monotonic() < self._probe_at)

    def succeeded(self) -> None:
        """The server answered."""
        with self._lock:
            changed = not self._health.up
            self._health = Health(up=True)
            self._probing = False
            self._probe_after_s = self._first_probe_s
        if changed:
            self._on_change(self.health)

    def failed(self, reason: str) -> None:
        """The server did not answer, or not as a model server does."""
        with self._lock:
            was_up, failures = self._health.up, self._health.failures + 1
            up = was_up and failures < self._open_after
            self._health = health = Health(up=up, reason=reason, failures=failures)
            if not up and (was_up or self._probing):
                self._probe_at = self._clock.monotonic() + self._probe_after_s * (1 + self._jitter() / 4)
                self._probe_after_s = min(self._probe_after_s * 2, self._longest_probe_s)
                self._probing = False
        if was_up and not up:
            self._on_change(health)

    def abandoned(self) -> None:
        """The try told nothing about the server (it was cancelled, or never sent)."""
        with self._lock:
            self._probing = False
