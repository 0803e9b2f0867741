"""How long to wait before the next session: longer after each failure, with jitter, and for ever."""

from __future__ import annotations

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_fixed, wait_random, wait_random_exponential

from streamproc.errors import SourceRefused


class Backoff:
    """Waits after failures in a row; jitter keeps a site's cameras from coming back all at once."""

    def __init__(self, lost: wait_base | None = None, refused: wait_base | None = None) -> None:
        """``lost``: 0.5 s growing to 30 s if left out; ``refused``: 60 to 70 s, because cameras lock accounts."""
        self._lost = lost or wait_random_exponential(multiplier=1.0, min=0.5, max=30.0)
        self._refused = refused or wait_fixed(60) + wait_random(0, 10)
        self._failures = RetryCallState(Retrying(), None, (), {})

    def next_s(self, error: Exception) -> float:
        """Seconds to wait after ``error``."""
        wait = self._refused if isinstance(error, SourceRefused) else self._lost
        seconds = float(wait(self._failures))
        self._failures.attempt_number += 1
        return seconds

    def reset(self) -> None:
        """The camera was well again."""
        self._failures.attempt_number = 1
