"""One camera that is watched in another process, as the site hears of it: the far end of ``telling.RemoteEmit``.

Two threads a camera, for as long as the site runs: one takes its events, the other its windows, process after process.
Whatever the site makes this camera wait for, no other camera's thread waits.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import structlog

from streamproc.camera import Emit, UnitSettings
from streamproc.errors import ChannelClosed
from streamproc.normality.calibration import Calibration
from streamproc.runtime.channels import Channel
from streamproc.runtime.clock import Clock
from streamproc.shards import wire
from streamproc.shards.orders import (
    Answer,
    CameraOrders,
    CameraOver,
    Counted,
    Event,
    FaultFound,
    PacketsReceived,
    StateChanged,
    WindowObserved,
)
from streamproc.sources.address import is_live
from streamproc.sources.session import analysed_address
from streamproc.types import CameraState, Packet, PacketBatch

log = structlog.get_logger(__name__)

_CATCH_UP_S = 5.0
"""A window waits no longer for its packets: what they wait for is no business of windows."""
_LIVES = 4
"""One process more is heard, and one loss told, before the next begins."""


@dataclass(slots=True, eq=False)
class _Life:
    """One process's watching of the camera."""

    events: socket.socket
    windows: socket.socket
    calibration: Calibration | None
    """That it measures by."""
    told: int = 0
    silent: bool = False
    """Whether no more events come."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def heard(self, count: int, *, silent: bool = False) -> None:
        with self.changed:
            self.told += count
            self.silent = self.silent or silent
            self.changed.notify_all()

    def caught_up(self, told: int) -> None:
        """Wait until so many events were taken: a window comes after the packets that it was made from."""
        with self.changed:
            self.changed.wait_for(lambda: self.silent or self.told >= told, _CATCH_UP_S)


class Hearing:
    """Hands what one camera's processes tell to the site's ``Emit``, in the order in which it was told."""

    def __init__(
        self, settings: UnitSettings, emit: Emit, calibration: Callable[[], Calibration | None], clock: Clock
    ) -> None:
        """``calibration`` returns the one in force; asked after each window."""
        self.camera_id = settings.camera.id
        self.live = is_live(analysed_address(settings.camera))
        """Whether it goes on for ever; a recording does not."""
        self._settings, self._emit, self._calibration, self._clock = settings, emit, calibration, clock
        self._next_run = self._next_main_run = 1
        self._life: _Life | None = None
        self._lives: Channel[_Life | str] = Channel(_LIVES)
        self._windows: Channel[_Life] = Channel(_LIVES)
        self._ended = False
        self._over = threading.Event()
        self._threads = (
            threading.Thread(target=self._hear, name=f"hear-{self.camera_id}", daemon=True),
            threading.Thread(target=self._take_windows, name=f"windows-{self.camera_id}", daemon=True),
        )

    def start(self) -> None:
        """Be ready to hear."""
        for thread in self._threads:
            thread.start()

    def orders(self) -> CameraOrders:
        """For the next process, which goes on counting runs where the last one was heard to be."""
        return CameraOrders(self._settings, self._calibration(), self._next_run, self._next_main_run)

    def attach(self, orders: CameraOrders, events: socket.socket, windows: socket.socket) -> None:
        """Hear a process that was given ``orders``, once all of the last one was heard."""
        self._life = life = _Life(events, windows, orders.calibration)
        self._lives.put(life)
        self._windows.put(life)

    def drained(self, timeout_s: float) -> bool:
        """Wait until all was heard of a process that is gone; False if that took longer than ``timeout_s``."""
        life = self._life
        if life is None or self.ended:
            return True
        with life.changed:
            return life.changed.wait_for(lambda: life.silent or self.ended, timeout_s)

    def lost(self, reason: str) -> None:
        """Have the site told, after all that its process told, that the camera is not watched now."""
        self._lives.put(reason)

    def finish(self) -> None:
        """No further process watches it."""
        self._lives.close()

    @property
    def ended(self) -> bool:
        """Whether its recording came to its end, or it was told to end and did."""
        return self._ended

    @property
    def dead(self) -> bool:
        """Whether one of its threads broke off."""
        return not self._over.is_set() and any(
            thread.ident is not None and not thread.is_alive() for thread in self._threads
        )

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until all of the camera was heard and no more comes; False if that took longer than ``timeout_s``."""
        return self._over.wait(timeout_s)

    def _hear(self) -> None:
        for item in self._lives:
            if isinstance(item, str):
                self._safely(partial(self._tell_lost, item))
                continue
            with item.events:
                self._hear_life(item)
            item.heard(0, silent=True)
            if self._ended:
                break
        self._windows.close()
        self._over.set()

    def _hear_life(self, life: _Life) -> None:
        over = False
        while not over:
            try:
                event: Event = wire.receive(life.events)
            except ChannelClosed:
                return
            over = isinstance(event, CameraOver)
            if over or (isinstance(event, StateChanged) and event.state.phase == "ended" and not event.main):
                self._ended = True
                life.heard(0)
            self._safely(partial(self._take, event))
            life.heard(1)

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            # One event's failure is no reason to be deaf for the next.
            log.exception("camera_event_failed", camera=self.camera_id)

    def _tell_lost(self, reason: str) -> None:
        run, main_run, now = self._next_run - 1, self._next_main_run - 1, self._clock.now()
        if main_run:
            self._emit.main_state(CameraState(self.camera_id, main_run, "lost", now, reason))
        self._emit.state(CameraState(self.camera_id, run, "lost", now, reason))
        self._emit.fault(self.camera_id, "restarted")

    def _take(self, event: Event) -> None:
        match event:
            case PacketsReceived():
                self._packets(event)
            case Counted():
                for cause, count in event.dropped:
                    self._emit.dropped(self.camera_id, cause, count)
                if event.decoded:
                    self._emit.decoded(self.camera_id, event.decoded, event.keyframe_every_s)
            case StateChanged(state=state, main=True):
                self._next_main_run = max(self._next_main_run, state.run + 1)
                self._emit.main_state(state)
            case StateChanged(state=state):
                self._next_run = max(self._next_run, state.run + 1)
                self._emit.state(state)
            case FaultFound(fault=fault):
                self._emit.fault(self.camera_id, fault)
            case CameraOver():
                pass

    def _packets(self, event: PacketsReceived) -> None:
        batch = PacketBatch(event.stream, tuple(Packet(self.camera_id, *row) for row in event.rows))
        following = batch.packets[-1].run + 1
        if event.main:
            self._next_main_run = max(self._next_main_run, following)
            self._emit.main_packets(batch)
        else:
            self._next_run = max(self._next_run, following)
            self._emit.packets(batch)

    def _take_windows(self) -> None:
        for life in self._windows:
            with life.windows:
                try:
                    while True:
                        self._take_window(life, wire.receive(life.windows))
                except ChannelClosed:
                    pass

    def _take_window(self, life: _Life, told: WindowObserved) -> None:
        life.caught_up(told.after)
        taken: Literal["taken", "closed", "failed"] = "taken"
        try:
            self._emit.window(told.observed)
        except ChannelClosed:
            taken = "closed"
        except Exception:
            log.exception("camera_window_failed", camera=self.camera_id)
            taken = "failed"
        calibration = self._calibration()
        changed = calibration is not life.calibration
        life.calibration = calibration
        wire.send(life.windows, Answer(taken, changed, calibration if changed else None))
