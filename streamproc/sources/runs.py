"""A camera as an endless row of runs: session after session, with what happens to the camera told in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from streamproc.errors import SourceError, SourceRefused, SourceTimeout
from streamproc.runtime.clock import Clock
from streamproc.secrets import redact
from streamproc.sources.backoff import Backoff
from streamproc.sources.reader import Ended, Opened, Reader
from streamproc.sources.session import RawPacket, Session
from streamproc.sources.timeline import Timeline
from streamproc.types import CameraPhase, CameraState, Packet, PacketBatch, StreamInfo

log = structlog.get_logger(__name__)

HEALTHY_S = 10.0
"""A session that streamed for so long makes the next wait a short one again."""
_POLL_S = 0.1


def hard_limit_s(timeout_s: float) -> float:
    """Silence after which a reader counts as hung: FFmpeg keeps its own timeouts only to about twice their value."""
    return 3.0 * timeout_s + 2.0


class CameraSource:
    """Packets of one camera, run after run; ``run`` for ever, ``run_once`` for one session."""

    def __init__(
        self,
        camera_id: str,
        opener: Callable[[], Session],
        on_packet: Callable[[PacketBatch], None],
        on_state: Callable[[CameraState], None],
        clock: Clock,
        *,
        timeout_s: float,
        paced: bool = False,
        start: datetime | None = None,
        backoff: Backoff | None = None,
        first_run: int = 1,
        stream: str = "",
        on_dropped: Callable[[int], None] = lambda _: None,
        on_abandoned: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_packet`` gets one packet at a time and may block, which a recording waits for.

        ``paced`` plays a recording at its own speed. Packets of a recording are stamped with ``start`` plus their media
        time; if left out, with the time of receipt. ``stream`` tells in the log which of the camera's streams it is.
        ``on_dropped`` is told of packets that build on a keyframe which did not come, ``on_abandoned`` of a reader that
        hung inside FFmpeg and was left behind.
        """
        self.camera_id = camera_id
        self.next_run = first_run
        self._who = {"camera": camera_id} | ({"stream": stream} if stream else {})
        self._opener = opener
        self._on_packet = on_packet
        self._on_state = on_state
        self._on_dropped = on_dropped
        self._on_abandoned = on_abandoned
        self._clock = clock
        self._timeout_s = timeout_s
        self._paced = paced
        self._start = start
        self._backoff = backoff or Backoff()
        self._streamed = False
        """Whether the present session gave packets."""
        self._told: tuple[CameraPhase, int, str] | None = None

    def run(self, stop: threading.Event) -> None:
        """Stream until ``stop`` is set or a recording ends, reconnecting without an attempt limit."""
        self._tell("connecting", "")
        while not stop.is_set():
            try:
                self.run_once(stop)
            except SourceError as error:
                reason = redact(error.reason)
                self._tell(self._phase_after(error), reason)
                wait_s = self._backoff.next_s(error)
                log.info("camera_retry", **self._who, reason=reason, wait_s=round(wait_s, 1))
                self._clock.wait(stop, wait_s)
            else:
                return

    def _phase_after(self, error: SourceError) -> CameraPhase:
        if isinstance(error, SourceRefused):
            return "refused"
        # It fell silent with its connection open; it counts as lost once it cannot be opened again.
        if isinstance(error, SourceTimeout) and self._streamed:
            return "frozen"
        return "lost"

    def run_once(self, stop: threading.Event) -> None:
        """One session, until ``stop`` is set or a recording ends.

        Raises:
            SourceError: the session could not be opened, broke, or a live stream ended.
        """
        self._streamed = False
        reader = Reader(self.camera_id, self._opener)
        reader.start()
        try:
            self._follow(reader, stop)
        finally:
            reader.close()

    def _follow(self, reader: Reader, stop: threading.Event) -> None:
        opened: Opened | None = None
        first_run = self.next_run
        timeline = Timeline(self.camera_id, self.next_run)
        began = heard = self._clock.monotonic()
        while not stop.is_set():
            item = reader.take(_POLL_S)
            now = self._clock.monotonic()
            match item:
                case None:
                    self._watch(now - heard)
                    continue
                case Opened():
                    opened = item
                    timeline = Timeline(self.camera_id, self.next_run, item.stream.fps)
                    began = now
                case RawPacket() if opened is not None:
                    self._forward(item, opened.stream, timeline, began, stop)
                    if now - began >= HEALTHY_S:
                        self._backoff.reset()
                case Ended(error=error) if opened is not None and not opened.live and self.next_run > first_run:
                    # A damaged recording would break at the same place each time it is tried again.
                    self._tell("ended", redact(error.reason) if error else "")
                    return
                case Ended(error=None) if opened is not None and not opened.live:
                    raise SourceError(self.camera_id, "the recording holds no keyframe")
                case Ended(error=error):
                    raise error or SourceError(self.camera_id, "the camera ended the stream")
            # Whoever takes the packets may have blocked; that is not the camera's silence.
            heard = self._clock.monotonic()

    def _forward(
        self, raw: RawPacket, stream: StreamInfo, timeline: Timeline, began: float, stop: threading.Event
    ) -> None:
        place = timeline.place(raw)
        self.next_run = timeline.next_run
        if place is None:
            self._on_dropped(1)
            return
        if self._paced:
            ahead_s = began + place.session_s - self._clock.monotonic()
            if ahead_s > 0 and self._clock.wait(stop, ahead_s):
                return
        received_at = self._clock.now() if self._start is None else self._start + timedelta(seconds=place.session_s)
        packet = Packet(self.camera_id, place.run, place.pts_s, place.dts_s, received_at, raw.is_keyframe, raw.data)
        self._streamed = True
        self._tell("streaming", "", place.run)
        self._on_packet(PacketBatch(stream, (packet,)))

    def _watch(self, silent_s: float) -> None:
        if self._streamed and silent_s >= self._timeout_s:
            self._tell("frozen", f"no packet for {self._timeout_s:g} s")
        if silent_s >= hard_limit_s(self._timeout_s):
            self._on_abandoned()
            log.warning("reader_abandoned", **self._who, silent_s=round(silent_s, 1))
            raise SourceTimeout(self.camera_id, f"the reader hung for {silent_s:.0f} s and was left behind")

    def _tell(self, phase: CameraPhase, detail: str, run: int | None = None) -> None:
        run = max(0, self.next_run - 1) if run is None else run
        if self._told == (phase, run, detail):
            return
        self._told = (phase, run, detail)
        say = log.info
        if phase in ("lost", "frozen"):
            say = log.warning
        elif phase == "refused":
            say = log.error  # it needs a person
        say("camera_state", **self._who, phase=phase, run=run, detail=detail)
        self._on_state(CameraState(self.camera_id, run, phase, self._clock.now(), detail))
