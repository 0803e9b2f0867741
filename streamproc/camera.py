"""One unit from a camera's address to observed windows.

Built from settings that can be pickled and speaking only through ``Emit``, so that it can move to another process::

    reader thread      session -> packets            one a session; may hang inside FFmpeg and is then left behind
    unit thread        packets -> runs -> channel    a camera drops to the next keyframe where decoding falls behind
    decode thread      packets -> frames -> windows  into a slot of one: a camera's newest window replaces its oldest
    main thread        main stream -> Emit           where a sub-stream is analysed: for evidence, never decoded
    observe thread     window -> observed window     in its turn; waits in ``Emit.window`` while later stages are busy

A recording that is not played in real time loses nothing: every put blocks. An exception that nobody expected ends the
camera's threads, is told as a lost camera, and the camera is started afresh; other cameras do not notice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from streamproc.config import CameraSettings, DecoderSettings, NormalitySettings, SamplingSettings
from streamproc.errors import StreamprocError
from streamproc.runtime.clock import Clock
from streamproc.sampling.shedding import Shedding
from streamproc.secrets import redact
from streamproc.sources.address import is_live
from streamproc.sources.backoff import Backoff
from streamproc.sources.mainstream import MainStream
from streamproc.sources.runs import CameraSource
from streamproc.sources.session import Opener, Session, analysed_address
from streamproc.sources.timeline import Timeline
from streamproc.types import CameraState, ObservedWindow, Packet, PacketBatch
from streamproc.viewing import Viewing
from streamproc.watch import Emit, Observer, Watch, observe_all

__all__ = ["CameraUnit", "Emit", "Observer", "UnitSettings"]

log = structlog.get_logger(__name__)

_STEADY_S = 60.0
WAITING_S = 1.0
"""Of windows that wait to be observed: a camera that falls behind then loses a second at once, and what is left is long
enough for motion to be measured in it."""


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """All that a unit needs to know; can be pickled."""

    camera: CameraSettings
    sampling: SamplingSettings
    decoder: DecoderSettings
    normality: NormalitySettings


class CameraUnit:
    """Watches one camera from ``start`` to ``stop``, or plays one recording through ``run_inline``."""

    def __init__(
        self,
        settings: UnitSettings,
        emit: Emit,
        clock: Clock,
        observer_factory: Callable[[UnitSettings], Observer],
        *,
        opener: Callable[[], Session] | None = None,
        main_opener: Callable[[], Session] | None = None,
        backoff: Callable[[], Backoff] = Backoff,
        first_run: int = 1,
        first_main_run: int = 1,
        shedding: Shedding | None = None,
    ) -> None:
        """``opener`` opens a session with the stream that is analysed, ``main_opener`` with the main stream where that
        is another, by their addresses if left out; ``backoff`` makes the waits. ``first_run`` and ``first_main_run``
        are the next runs of the two, where the camera was watched before. ``shedding`` is that of all cameras of the
        process; one of its own if left out."""
        camera = settings.camera
        self.camera_id = camera.id
        self._settings = settings
        self._emit = emit
        self._clock = clock
        self._make_observer = observer_factory
        self._opener = opener or Opener(analysed_address(camera), camera)
        self._make_backoff = backoff
        self._live = is_live(analysed_address(camera))
        self._main: MainStream | None = None
        if camera.sub is not None and (self._live or camera.realtime):
            # A recording that is not played in real time is ahead of any session beside it.
            self._main = MainStream(
                camera,
                emit.main_packets,
                emit.main_state,
                clock,
                on_dropped=self._no_keyframe,
                on_abandoned=self._abandoned,
                opener=main_opener,
                backoff=backoff,
                first_run=first_main_run,
            )
        self._shedding = shedding or Shedding(clock)
        self._stop = threading.Event()
        self._over = threading.Event()
        self._done = False
        self._next_run = first_run
        self._ended: CameraState | None = None
        self._thread: threading.Thread | None = None
        self._watch: Watch | None = None

    def start(self) -> None:
        """Begin to watch; returns as soon as the observer is made.

        Raises:
            ModelLoadError: the observer's models cannot be had.
        """
        observer = self._make_observer(self._settings)
        self._thread = threading.Thread(target=self._run, args=(observer,), name=f"unit-{self.camera_id}", daemon=True)
        self._thread.start()
        if self._main is not None:
            self._main.start()

    def ask_to_stop(self) -> None:
        """Begin to end; returns at once. ``stop`` waits for it."""
        self._stop.set()
        self._over.set()
        if self._main is not None:
            self._main.ask_to_stop()

    def stop(self, timeout_s: float) -> bool:
        """End within ``timeout_s``; False, with the threads named in the log, if it did not."""
        self.ask_to_stop()
        ends_s = time.monotonic() + timeout_s
        ended = self.join(timeout_s)
        if self._main is not None and self._main.thread.ident is not None:
            self._main.thread.join(max(0.0, ends_s - time.monotonic()))
            ended = ended and not self._main.thread.is_alive()
        if ended:
            return True
        threads = (*(self._watch.threads if self._watch else ()), *((self._main.thread,) if self._main else ()))
        late = [thread.name for thread in threads if thread.is_alive()]
        log.error("camera_late", camera=self.camera_id, threads=late or [f"unit-{self.camera_id}"])
        return False

    @property
    def dead(self) -> bool:
        """Whether the unit's thread broke off: nothing starts it again, unlike the threads that it watches over."""
        return self._thread is not None and not self._thread.is_alive() and not self._done

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, of a recording mostly; whether it came within ``timeout_s``."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def run_inline(self, start: datetime, first_run: int = 1) -> Iterator[ObservedWindow]:
        """Play the recording in this thread, as fast as it goes: the same windows each time.

        ``start`` is the capture time of its first packet, UTC; ``first_run`` its run's number. ``Emit`` is told of
        packets and losses; the windows are handed to the caller alone.

        Raises:
            SourceError: the recording cannot be opened or breaks off.
        """
        viewing, observer = self._viewing(), self._make_observer(self._settings)
        with self._opener() as session:
            timeline = Timeline(self.camera_id, first_run, session.stream.fps)
            for raw in session:
                place = timeline.place(raw)
                if place is None:
                    self._no_keyframe(1)
                    continue
                at = start + timedelta(seconds=place.session_s)
                packet = Packet(self.camera_id, place.run, place.pts_s, place.dts_s, at, raw.is_keyframe, raw.data)
                batch = PacketBatch(session.stream, (packet,))
                self._emit.packets(batch)
                yield from observe_all(observer, viewing.add(batch), self._emit)
            yield from observe_all(observer, viewing.end(), self._emit)

    def _run(self, observer: Observer | None) -> None:
        try:
            self._watch_on(observer)
            self._done = True
        finally:
            self._shedding.leave(self.camera_id)
            if self._main is not None:
                self._main.ask_to_stop()

    def _watch_on(self, observer: Observer | None) -> None:
        backoff = self._make_backoff()
        while not self._stop.is_set():
            began = self._clock.monotonic()
            failure = self._watch_once(observer)
            if failure is None:
                if self._ended is not None:
                    self._emit.state(self._ended)
                return
            detail = str(failure) if isinstance(failure, StreamprocError) else f"{type(failure).__name__}: {failure}"
            run = max(0, self._next_run - 1)
            self._emit.state(CameraState(self.camera_id, run, "lost", self._clock.now(), redact(detail)))
            if not self._live:
                return  # A recording would fail at the same place again.
            if self._clock.monotonic() - began >= _STEADY_S:
                backoff.reset()
            observer = None
            self._emit.fault(self.camera_id, "restarted")
            self._clock.wait(self._stop, backoff.next_s(failure))

    def _watch_once(self, observer: Observer | None) -> Exception | None:
        self._over = threading.Event()
        if self._stop.is_set():
            return None
        try:
            observer = observer or self._make_observer(self._settings)
        except Exception as error:
            log.error("observer_failed", camera=self.camera_id, error=redact(repr(error)))
            return error
        may_drop = self._live or self._settings.camera.realtime
        if may_drop:
            self._shedding.watch(self.camera_id)
        waiting = max(1, round(WAITING_S / self._settings.sampling.window_s)) if may_drop else 0
        watch = self._watch = Watch(
            self.camera_id,
            self._source,
            self._viewing(partial(self._shedding.rest_s, self.camera_id) if may_drop else lambda: 0.0),
            observer,
            self._emit,
            self._clock,
            self._shedding,
            self._over,
            may_drop=waiting,
        )
        failure = watch.run()
        self._next_run = watch.source.next_run
        return failure

    def _source(self, on_packet: Callable[[PacketBatch], None], due: Callable[[], float]) -> CameraSource:
        camera = self._settings.camera
        return CameraSource(
            self.camera_id,
            self._opener,
            on_packet,
            self._on_state,
            self._clock,
            timeout_s=camera.timeout_s,
            paced=camera.realtime and not self._live,
            start=None if self._live or camera.realtime else self._clock.now(),
            backoff=self._make_backoff(),
            first_run=self._next_run,
            on_dropped=self._no_keyframe,
            on_abandoned=self._abandoned,
            due=due,
        )

    def _on_state(self, state: CameraState) -> None:
        if state.phase == "ended":
            self._ended = state  # It is told once the last window was observed.
        else:
            if state.phase in ("lost", "refused") and self._watch is not None:
                self._watch.interrupted()
            self._emit.state(state)

    def _no_keyframe(self, count: int) -> None:
        self._emit.dropped(self.camera_id, "no_keyframe", count)

    def _abandoned(self) -> None:
        self._emit.fault(self.camera_id, "reader_abandoned")

    def _viewing(self, rest_s: Callable[[], float] = lambda: 0.0) -> Viewing:
        settings = self._settings
        corrupt = partial(self._emit.dropped, self.camera_id, "corrupt")
        decoded = partial(self._emit.decoded, self.camera_id)
        fault = partial(self._emit.fault, self.camera_id)
        shed = partial(self._emit.dropped, self.camera_id, "shed")
        masks = settings.camera.privacy_masks
        return Viewing(
            self.camera_id, settings.sampling, settings.decoder, masks, corrupt, decoded, fault, rest_s, shed
        )
