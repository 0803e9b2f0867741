"""Where processor time goes, by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Spent:
    """Processor seconds by part; a part inside another counts by itself alone. For one thread at a time.

    They are the whole process's: what libraries do in threads of their own is in them.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._part: str | None = None
        self._since = clock()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def on(self, part: str | None) -> Iterator[None]:
        """What the body takes is ``part``'s; nobody's if that is None."""
        before = self._part
        self._settle()
        self._part = part
        try:
            yield
        finally:
            self._settle()
            self._part = before

    def so_far(self) -> Mapping[str, float]:
        """Seconds by part up to now."""
        self._settle()
        return dict(self._seconds)

    def _settle(self) -> None:
        now = self._clock()
        if self._part is not None:
            self._seconds[self._part] = self._seconds.get(self._part, 0.0) + now - self._since
        self._since = now
