"""A thread of its own around a session, because a read can hang inside FFmpeg and nothing can call it back.

The thread opens, reads and closes the session; whoever takes its packets waits on a channel, with a bound. A reader
that does not come back is abandoned: its channel is closed, so that it ends by itself should it ever return.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from streamproc.errors import ChannelClosed, ConfigError, SourceError, SourceRefused
from streamproc.runtime.channels import Channel
from streamproc.runtime.clock import Clock
from streamproc.secrets import redact
from streamproc.sources.session import Demuxed, Session
from streamproc.types import StreamInfo

log = structlog.get_logger(__name__)

_CLOSE_S = 0.5
_WAITED_S = 0.005
"""A packet that took so long to come had not been there: all before it were read."""
_LOT = 64
"""Packets that are held at most, as those in a channel."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is open."""

    stream: StreamInfo
    live: bool
    keeps: bool
    """Whether what is not read at once is kept."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over: ``error`` says why, None where the stream just ended."""

    error: SourceError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A packet came."""

    packet: Demuxed
    at: datetime
    """Wall clock, UTC: it may wait before it is taken."""


Item = Opened | Arrived | Ended


class Reader:
    """Reads one session in a daemon thread."""

    def __init__(self, camera_id: str, opener: Callable[[], Session], clock: Clock, size: int = 64) -> None:
        self._camera_id = camera_id
        self._clock = clock
        self._opener = opener
        self._items: Channel[Sequence[Item]] = Channel(size)
        self._closing = threading.Event()
        self._rest = (0.0, 0.0)
        self._lot: list[Item] = []
        """Read, and not handed over yet."""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"read-{camera_id}", daemon=True)

    def start(self) -> None:
        """Begin to open the session."""
        self._thread.start()

    def take(self, timeout_s: float) -> list[Item]:
        """All that came; nothing if none did within ``timeout_s``."""
        lots = self._items.get_all(timeout_s)
        if not lots and self._clock.monotonic() >= self._rest[0]:
            with self._lock:  # The camera fell silent during a nap, or something came just now, which comes first.
                lots, self._lot = [*self._items.get_all(0), self._lot], []
        return [item for lot in lots for item in lot]

    def rest(self, until_s: float, most_s: float) -> None:
        """Nobody needs a packet before ``until_s`` of the monotonic clock: read what comes ``most_s`` apart, together.

        Meanwhile it is kept by the system and the camera. Reading it together takes half the time of reading it packet
        by packet as it comes, and nobody is woken for it.
        """
        self._rest = (until_s, most_s)

    def close(self) -> bool:
        """Let the thread end; False if it is still inside FFmpeg, where it ends by itself or is left behind."""
        self._closing.set()
        self._items.close()
        self._thread.join(_CLOSE_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._items.put((self._read(),))
        except ChannelClosed:
            log.debug("reader_let_go", camera=self._camera_id)

    def _read(self) -> Ended:
        try:
            with self._opener() as session:
                self._items.put((Opened(session.stream, session.live, session.keeps),))
                self._read_on(session)
            return Ended()
        except SourceError as error:
            return Ended(error)
        except ConfigError as error:
            # A credential that is not set is as good as a wrong one: it may be mended while we run.
            return Ended(SourceRefused(self._camera_id, str(error)))
        except ChannelClosed:
            raise
        except Exception as error:
            log.error("session_failed", camera=self._camera_id, error=redact(repr(error)))
            return Ended(SourceError(self._camera_id, redact(f"{type(error).__name__}: {error}")))

    def _read_on(self, session: Session) -> None:
        napped, asked_s = False, self._clock.monotonic()
        try:
            for packet in session:
                arrived, now_s = Arrived(packet, self._clock.now()), self._clock.monotonic()
                with self._lock:
                    self._lot.append(arrived)
                    held = len(self._lot)
                newest = now_s - asked_s > _WAITED_S
                until_s, most_s = self._rest
                napped = now_s < until_s and held < _LOT and (newest or napped)
                if not napped:
                    self._hand_over()
                elif newest and self._clock.wait(self._closing, min(until_s - now_s, most_s)):
                    return
                asked_s = self._clock.monotonic()
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        with self._lock:
            lot, self._lot = self._lot, []
        if lot:
            self._items.put(lot)
