"""So many threads at once, in the order in which they asked."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Turns:
    """A semaphore for ``with`` that is handed on: whoever asked first is next, even if the last holder asks again."""

    def __init__(self, at_once: int) -> None:
        if at_once < 1:
            raise ValueError("there is room for at least one")
        self._free = at_once
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
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
