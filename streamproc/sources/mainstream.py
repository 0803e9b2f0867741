"""The second session with a camera: its main stream, for evidence alone, beside the sub-stream that is analysed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from streamproc.config import CameraSettings
from streamproc.runtime.clock import Clock
from streamproc.secrets import redact
from streamproc.sources.address import is_live
from streamproc.sources.backoff import Backoff
from streamproc.sources.runs import CameraSource
from streamproc.sources.session import Opener, Session
from streamproc.types import CameraState, PacketBatch

log = structlog.get_logger(__name__)


class MainStream:
    """Reads the main stream in a thread of its own, from ``start`` to ``ask_to_stop``, reconnecting for ever.

    Its troubles are no one else's: the camera is watched all the same.
    """

    def __init__(
        self,
        camera: CameraSettings,
        on_packets: Callable[[PacketBatch], None],
        on_state: Callable[[CameraState], None],
        clock: Clock,
        *,
        on_dropped: Callable[[int], None] = lambda _: None,
        on_abandoned: Callable[[], None] = lambda: None,
        opener: Callable[[], Session] | None = None,
        backoff: Callable[[], Backoff] = Backoff,
        first_run: int = 1,
    ) -> None:
        """``on_dropped`` and ``on_abandoned`` are told what ``CameraSource`` tells; ``opener`` opens a session, by
        ``camera.main`` if left out; ``backoff`` makes the waits; ``first_run`` is its next run's number."""
        self._camera = camera
        self._clock = clock
        self._make_backoff = backoff
        self._stop = threading.Event()
        self._source = CameraSource(
            camera.id,
            opener or Opener(camera.main, camera),
            on_packets,
            on_state,
            clock,
            timeout_s=camera.timeout_s,
            paced=not is_live(camera.main),
            backoff=backoff(),
            first_run=first_run,
            stream="main",
            on_dropped=on_dropped,
            on_abandoned=on_abandoned,
        )
        self.thread = threading.Thread(target=self._run, name=f"main-{camera.id}", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self.thread.start()

    def ask_to_stop(self) -> None:
        """Begin to end; returns at once."""
        self._stop.set()

    def _run(self) -> None:
        backoff = self._make_backoff()
        while not self._stop.is_set():
            try:
                self._source.run(self._stop)
            except Exception as error:
                log.error("main_stream_failed", camera=self._camera.id, error=redact(repr(error)))
                self._clock.wait(self._stop, backoff.next_s(error))
            else:
                return
