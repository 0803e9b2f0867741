"""One go at watching a camera: its threads, the channels between them, and how they end together."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import structlog

from streamproc.errors import ChannelClosed, InferenceError
from streamproc.runtime.channels import Channel, Freshest
from streamproc.runtime.clock import Clock
from streamproc.runtime.priority import give_way
from streamproc.sampling.shedding import Shedding
from streamproc.secrets import redact
from streamproc.sources.runs import CameraSource
from streamproc.types import CameraFault, CameraState, DropCause, ObservedWindow, PacketBatch, Window
from streamproc.viewing import Viewing

log = structlog.get_logger(__name__)

_PACKETS = 64
"""Packets that wait to be decoded: about three seconds of a camera."""
_WAIT_S = 0.5


class Emit(Protocol):
    """Where a camera's findings go. Its methods are called from several threads."""

    def packets(self, batch: PacketBatch) -> None:
        """Packets were received; before they are decoded."""
        ...

    def state(self, state: CameraState) -> None:
        """The camera's condition changed."""
        ...

    def window(self, observed: ObservedWindow) -> None:
        """A window was observed. May block while later stages are busy; raises ``ChannelClosed`` to end the unit."""
        ...

    def main_packets(self, batch: PacketBatch) -> None:
        """Packets of the main stream were received, for evidence alone; only where a sub-stream is analysed."""
        ...

    def main_state(self, state: CameraState) -> None:
        """The condition of the session with that main stream changed."""
        ...

    def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:
        """Packets or windows were lost."""
        ...

    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None:
        """So many more pictures were decoded, of all that was received; how far apart keyframes are, once known."""
        ...

    def fault(self, camera_id: str, fault: CameraFault) -> None:
        """Something went wrong among the camera's threads that a reconnect does not tell."""
        ...


class Observer(Protocol):
    """Tracks and measures; given a camera's windows in order, it notices a new run by ``window.run``."""

    def observe(self, window: Window) -> ObservedWindow | None:
        """The window with its tracks and measurements; None where it was passed by, as nothing stands out.

        Raises:
            InferenceError: a model failed on this window; it is counted as lost, and the next one is tried.
        """
        ...


def observe_all(observer: Observer, windows: list[Window], emit: Emit) -> Iterator[ObservedWindow]:
    """The windows observed, but for those passed by; one that a model failed on is counted as lost."""
    for window in windows:
        try:
            observed = observer.observe(window)
        except InferenceError as error:
            log.warning("window_lost", camera=window.camera_id, error=redact(str(error)))
            emit.dropped(window.camera_id, "inference", 1)
        else:
            if observed is not None:
                yield observed


class _Interrupted:
    """In the place of packets: the run is over, and nobody knows when the next begins."""


def _stands_out(observed: ObservedWindow) -> bool:
    """Whether anything is half as unusual as would be told."""
    return any(one.score >= one.threshold / 2 for one in observed.measurements)


class Watch:
    """Runs ``source`` in the caller's thread, decoding and observing in two more, until all have ended.

    Each thread that ends closes the channels beside it, so that its neighbours end too: in order where the source
    ended, at once where one of them failed.
    """

    def __init__(
        self,
        camera_id: str,
        make_source: Callable[[Callable[[PacketBatch], None], Callable[[], float]], CameraSource],
        viewing: Viewing,
        observer: Observer,
        emit: Emit,
        clock: Clock,
        shedding: Shedding,
        over: threading.Event,
        *,
        may_drop: int,
    ) -> None:
        """``over`` ends the watch from outside; ``may_drop`` is how many windows may wait before the newest replaces
        them, 0 where none may be lost."""
        self._camera_id = camera_id
        self._viewing = viewing
        self._observer = observer
        self._emit = emit
        self._clock = clock
        self._shedding = shedding
        self._over = over
        self._may_drop = may_drop
        self._packets: Channel[PacketBatch | _Interrupted] = Channel(_PACKETS)
        self._windows: Channel[Window] | Freshest[Window] = Freshest(may_drop) if may_drop else Channel(1)
        self._came = self._gone = 0
        """Packets that were handed to the decoder and that it took; each is written by one thread alone."""
        self._skipping = False
        self._failures: list[Exception] = []
        self.source = make_source(self._take_packet, lambda: viewing.due_s)
        self.threads = (
            threading.Thread(target=self._guard, args=(self._decode,), name=f"decode-{camera_id}", daemon=True),
            threading.Thread(target=self._guard, args=(self._observe,), name=f"observe-{camera_id}", daemon=True),
        )

    def run(self) -> Exception | None:
        """Watch until the source ends or ``over`` is set; the exception that nobody expected, if one ended it."""
        for thread in self.threads:
            thread.start()
        self._guard(self._read)
        for thread in self.threads:
            while thread.is_alive():
                thread.join(_WAIT_S)
        return self._failures[0] if self._failures else None

    def interrupted(self) -> None:
        """Nothing more will come of the present run: what was begun is handed on as it is, whenever another begins."""
        with contextlib.suppress(ChannelClosed):
            self._packets.put(_Interrupted(), timeout_s=0)

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ChannelClosed:
            self._over.set()
        except Exception as error:
            trace = redact(traceback.format_exc())
            log.error("camera_thread_failed", camera=self._camera_id, error=redact(repr(error)), trace=trace)
            self._failures.append(error)
            self._over.set()

    def _read(self) -> None:
        try:
            self.source.run(self._over)
        finally:
            self._packets.close()

    def _take_packet(self, batch: PacketBatch) -> None:
        self._emit.packets(batch)
        if not self._may_drop:
            self._put(self._packets, batch, "stopping")
            return
        # What follows a lost packet builds on it: no use until the next keyframe.
        self._skipping = self._skipping and not batch.packets[0].is_keyframe
        count = len(batch.packets)
        full = self._came - self._gone + count > _PACKETS
        self._skipping = self._skipping or full or not self._packets.put(batch, timeout_s=0)
        if self._skipping:
            self._drop("decoder", count)
            self._shedding.lost(self._camera_id)
        else:
            self._came += count

    def _decode(self) -> None:
        try:
            for batch in self._packets:
                if isinstance(batch, _Interrupted):
                    self._hand_on(self._viewing.end())
                    continue
                self._gone += len(batch.packets)
                if self._over.is_set():
                    self._drop("stopping", len(batch.packets))
                else:
                    self._hand_on(self._viewing.add(batch))
            self._hand_on(self._viewing.end())
        finally:
            self._packets.close()
            self._windows.close()

    def _hand_on(self, windows: list[Window]) -> None:
        for window in windows:
            if not isinstance(self._windows, Freshest):
                self._put(self._windows, window, "unobserved")
            elif not self._windows.put(window):
                self._drop("busy", self._windows.lost)
                self._shedding.lost(self._camera_id)

    def _observe(self) -> None:
        give_way()  # to what is read in time, and to alerts that wait for a core
        try:
            for window in self._windows:
                began_s = self._clock.monotonic()
                for observed in observe_all(self._observer, [window], self._emit):
                    self._shedding.seen(self._camera_id, _stands_out(observed))
                    self._emit.window(replace(observed, took_s=self._clock.monotonic() - began_s))
        finally:
            self._windows.close()

    def _put(self, channel: Channel[Any], item: PacketBatch | Window, cause: DropCause) -> None:
        while not channel.put(item, _WAIT_S):
            if self._over.is_set():
                self._drop(cause, 1)
                return

    def _drop(self, cause: DropCause, count: int) -> None:
        self._emit.dropped(self._camera_id, cause, count)
