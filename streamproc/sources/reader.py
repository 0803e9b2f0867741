"""A thread of its own around a session, because a read can hang inside FFmpeg and nothing can call it back.

The thread opens, reads and closes the session; whoever takes its packets waits on a channel, with a bound. A reader
that does not come back is abandoned: its channel is closed, so that it ends by itself should it ever return.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is open."""

    stream: StreamInfo
    live: bool


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
        self._items: Channel[Item] = Channel(size)
        self._thread = threading.Thread(target=self._run, name=f"read-{camera_id}", daemon=True)

    def start(self) -> None:
        """Begin to open the session."""
        self._thread.start()

    def take(self, timeout_s: float) -> list[Item]:
        """All that came; nothing if none did within ``timeout_s``."""
        return self._items.get_all(timeout_s)

    def close(self) -> bool:
        """Let the thread end; False if it is still inside FFmpeg, where it ends by itself or is left behind."""
        self._items.close()
        self._thread.join(_CLOSE_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._items.put(self._read())
        except ChannelClosed:
            log.debug("reader_let_go", camera=self._camera_id)

    def _read(self) -> Ended:
        try:
            with self._opener() as session:
                self._items.put(Opened(session.stream, session.live))
                for packet in session:
                    self._items.put(Arrived(packet, self._clock.now()))
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
