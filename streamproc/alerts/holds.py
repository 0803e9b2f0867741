"""Messages in the outbox that wait for their evidence before they may be delivered.

Only in memory: what a process held when it was killed is free for the next one, as it was stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.runtime.clock import Clock


@dataclass(slots=True)
class _Hold:
    key: str
    seq: int
    until_s: float


class Holds:
    """Not for several threads at once; the outbox's lock guards it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._holds: dict[str, _Hold] = {}

    def add(self, message_id: str, key: str, seq: int, seconds: float) -> None:
        """Hold a message for at most ``seconds``; earlier ones of its key will not keep it any longer."""
        until_s = self._clock.monotonic() + seconds
        for earlier in self._holds.values():
            if earlier.key == key:
                earlier.until_s = min(earlier.until_s, until_s)
        self._holds[message_id] = _Hold(key, seq, until_s)

    def end(self, message_id: str) -> None:
        """Hold the message no longer."""
        self._holds.pop(message_id, None)

    def clear(self) -> None:
        """Hold nothing any longer."""
        self._holds.clear()

    def __contains__(self, message_id: str) -> bool:
        self._let_go()
        return message_id in self._holds

    def first(self) -> dict[str, int]:
        """By key, the number of the first message that is held: it and what came after it has to wait."""
        self._let_go()
        first: dict[str, int] = {}
        for hold in self._holds.values():
            first[hold.key] = min(hold.seq, first.get(hold.key, hold.seq))
        return first

    def _let_go(self) -> None:
        now_s = self._clock.monotonic()
        for message_id in [name for name, hold in self._holds.items() if hold.until_s <= now_s]:
            del self._holds[message_id]
