"""Keeps a library that repeats itself from flooding the log: kafka-python says several lines a second of a broker that
is away, which our own events already tell once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any

EVERY_S = 60.0


class Ration(logging.Filter):
    """Of a library's records lets one pass every ``EVERY_S`` seconds; the next one tells how many were held back."""

    def __init__(self, library: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``library`` is the first part of its loggers' names; ``monotonic`` gives seconds."""
        super().__init__(library)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told_s: float | None = None
        self._held = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        if not super().filter(record):
            return True  # another library's
        with self._lock:
            now_s = self._monotonic()
            if self._told_s is not None and now_s - self._told_s < EVERY_S:
                self._held += 1
                return False
            record.held_back, self._held, self._told_s = self._held, 0, now_s
            return True


def add_held_back(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor of other libraries' records: ``held_back`` where some were since the last one."""
    if held := getattr(event.get("_record"), "held_back", 0):
        event["held_back"] = held
    return event
