"""So many threads at once, in the order in which they asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from types import TracebackType

import structlog

log = structlog.get_logger(__name__)

STUCK_S = 10.0
"""Without a turn that ended or began: who has one hangs. A look takes hundredths of a second."""


class Turns:
    """A semaphore for ``with`` that is handed on: whoever asked first is next, even if the last holder asks again.

    Holders that hang stop nobody: after ``stuck_s`` without any change, one more turn is made, which stays.
    """

    def __init__(self, at_once: int, stuck_s: float = STUCK_S) -> None:
        if at_once < 1:
            raise ValueError("there is room for at least one")
        self.at_once = at_once
        """How many may have a turn at the same time."""
        self._free = at_once
        self._stuck_s = stuck_s
        self._changed_s = time.monotonic()
        self._waiting: deque[threading.Lock] = deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                self._changed_s = time.monotonic()
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        while not turn.acquire(timeout=self._stuck_s):
            if self._is_made_for(turn):
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._changed_s = time.monotonic()
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _is_made_for(self, turn: threading.Lock) -> bool:
        """Whether one more turn was made, as nobody got or gave back any for so long."""
        with self._lock:
            if turn not in self._waiting or time.monotonic() - self._changed_s < self._stuck_s:
                return False
            self._waiting.remove(turn)
            self.at_once += 1
            self._changed_s = time.monotonic()
        log.error("turns_stuck", now_at_once=self.at_once, hint="cameras' models hang; a restart ends what does")
        return True
