"""A camera as an endless row of runs: session after session, with what happens to the camera told in between."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from streamproc.errors import SourceError, SourceRefused, SourceTimeout
from streamproc.runtime.clock import Clock
from streamproc.secrets import redact
from streamproc.sources.backoff import Backoff
from streamproc.sources.pausing import Pausing
from streamproc.sources.reader import Arrived, Ended, Opened, Reader
from streamproc.sources.session import Session
from streamproc.sources.timeline import Timeline
from streamproc.types import CameraPhase, CameraState, Packet, PacketBatch

log = structlog.get_logger(__name__)

HEALTHY_S = 10.0
"""A session that streamed for so long makes the next wait a short one again."""
_POLL_S = 0.1
_TOGETHER = 32
"""Packets that are handed on together at most: half of what waits to be decoded."""


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
        due: Callable[[], float] = lambda: -math.inf,
    ) -> None:
        """``on_packet`` gets packets of one group of pictures: of a recording one at a time, and may block, which it
        waits for; of a camera those that came. ``due`` is asked up to which media time none will be looked at.

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
        self._due = due
        self._paced = paced
        self._start = start
        self._backoff = backoff or Backoff()
        self._streamed = False
        """Whether the present session gave packets."""
        self._taken: list[Packet] = []
        """Not handed on yet."""
        self._pausing = Pausing()
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
        self._streamed, self._taken = False, []
        self._pausing = Pausing()
        reader = Reader(self.camera_id, self._opener, self._clock)
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
            items = reader.take(_POLL_S)
            now = self._clock.monotonic()
            if not items:
                self._watch(now - heard)
                continue
            for item in items:
                match item:
                    case Opened():
                        opened = item
                        timeline = Timeline(self.camera_id, self.next_run, item.stream.fps)
                        began = now
                    case Arrived() if opened is not None:
                        self._forward(item, opened, timeline, began, stop)
                        if self._clock.monotonic() - began >= HEALTHY_S:
                            self._backoff.reset()
                    case Ended(error=error):
                        self._hand_on(opened)
                        self._end(error, opened, streamed=self.next_run > first_run)
                        return
            self._hand_on(opened)
            if opened is not None and opened.live:
                self._pause(reader, opened, now, stop)
            # Whoever takes the packets may have blocked; that is not the camera's silence.
            heard = self._clock.monotonic()

    def _pause(self, reader: Reader, opened: Opened, now: float, stop: threading.Event) -> None:
        """Until shortly before something will be looked at, let packets come."""
        pause_s, unread_s = self._pausing.left_s(self._due(), now)
        if pause_s > 0:
            if opened.keeps and unread_s > 0:
                reader.rest(now + pause_s, unread_s)
            self._clock.wait(stop, pause_s)

    def _end(self, error: SourceError | None, opened: Opened | None, *, streamed: bool) -> None:
        if opened is None or opened.live:
            raise error or SourceError(self.camera_id, "the camera ended the stream")
        if streamed:
            # A damaged recording would break at the same place each time it is tried again.
            self._tell("ended", redact(error.reason) if error else "")
            return
        raise error or SourceError(self.camera_id, "the recording holds no keyframe")

    def _forward(
        self, arrived: Arrived, opened: Opened, timeline: Timeline, began: float, stop: threading.Event
    ) -> None:
        raw = arrived.packet
        place = timeline.place(raw)
        self.next_run = timeline.next_run
        if place is None:
            self._on_dropped(1)
            return
        if self._paced:
            ahead_s = began + place.session_s - self._clock.monotonic()
            if ahead_s > 0 and self._clock.wait(stop, ahead_s):
                return
        received_at = arrived.at if opened.live else self._clock.now()
        if self._start is not None:
            received_at = self._start + timedelta(seconds=place.session_s)
        packet = Packet(self.camera_id, place.run, place.pts_s, place.dts_s, received_at, raw.is_keyframe, raw.data)
        self._streamed = True
        self._pausing.came(place, len(packet.data))
        if raw.is_keyframe or len(self._taken) >= _TOGETHER:
            self._hand_on(opened)
        self._tell("streaming", "", place.run)
        self._taken.append(packet)
        if not opened.live:
            self._hand_on(opened)

    def _hand_on(self, opened: Opened | None) -> None:
        if opened is not None and self._taken:
            packets, self._taken = tuple(self._taken), []
            self._on_packet(PacketBatch(opened.stream, packets))

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
