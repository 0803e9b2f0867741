"""Public fakes for processes that watch cameras: none is started, and a test says what one tells and how it ends."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from streamproc.errors import ChannelClosed, StageError
from streamproc.shards.hearing import Hearing
from streamproc.shards.orders import Beat, CameraOrders, Failed, Leave, Orders, StopCamera
from streamproc.shards.telling import RemoteEmit
from streamproc.testing import FakeClock

BEAT = Beat(memory_mb=200.0, cpu_s=1.5)


class FakeChild:
    """Says what it is told to say; silence passes on the clock at once."""

    def __init__(self, number: int, orders: Orders, hearings: Sequence[Hearing], clock: FakeClock) -> None:
        self.pid = number
        self.orders = orders
        self.told: list[StopCamera | Leave] = []
        self.killed = False
        self.emits: dict[str, RemoteEmit] = {}
        """What the process's cameras tell with."""
        self._clock = clock
        self._says: queue.SimpleQueue[Beat | Failed | float | str] = queue.SimpleQueue()
        self._ends: list[socket.socket] = []
        self._how = ""
        self._changed = threading.Condition()
        for camera, hearing in zip(orders.cameras, hearings, strict=True):
            self._attach(camera, hearing)

    def _attach(self, camera: CameraOrders, hearing: Hearing) -> None:
        (events, events_there), (windows, windows_there) = socket.socketpair(), socket.socketpair()
        self._ends += [events_there, windows_there]
        hearing.attach(camera, events, windows)
        self.emits[hearing.camera_id] = RemoteEmit(hearing.camera_id, events_there, windows_there, camera.calibration)

    def say(self, *said: Beat | Failed) -> FakeChild:
        """To the site."""
        for one in said:
            self._says.put(one)
        return self

    def be_silent(self, seconds: float) -> FakeChild:
        """Say nothing for so long."""
        self._says.put(seconds)
        return self

    def end(self, how: str = "") -> FakeChild:
        """Go, as ``how`` says; in order if that is empty."""
        self._says.put(how)
        return self

    def heard(self, condition: Callable[[FakeChild], bool]) -> bool:
        """Whether ``condition`` holds of it within ten seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), 10)

    def next(self, timeout_s: float) -> Beat | Failed | None:
        """What it says next."""
        said = self._says.get(timeout=20)
        if isinstance(said, float):
            self._clock.advance(min(said, timeout_s))
            if said > timeout_s and not self.killed:
                rest: queue.SimpleQueue[Beat | Failed | float | str] = queue.SimpleQueue()
                rest.put(said - timeout_s)
                while not self._says.empty():
                    rest.put(self._says.get())
                self._says = rest
            return None
        if isinstance(said, str):
            self._how = said
            raise ChannelClosed
        return said

    def tell(self, message: StopCamera | Leave) -> None:
        """Note it."""
        with self._changed:
            self.told.append(message)
            self._changed.notify_all()

    def kill(self) -> None:
        """Note it."""
        with self._changed:
            self.killed = True
            self._changed.notify_all()

    def reap(self) -> tuple[str, str]:
        """How it ended."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # as the kernel does where somebody reads from it still
            end.close()
        return "killed by SIGKILL" if self.killed else self._how, ""


class FakeLaunch:
    """Starts fake processes, each prepared by ``script`` before it is listened to."""

    def __init__(self, clock: FakeClock, script: Callable[[FakeChild], object] = lambda _: None) -> None:
        self.children: list[FakeChild] = []
        self.fails: StageError | None = None
        """Raised in place of the next start."""
        self._clock, self._script = clock, script
        self._changed = threading.Condition()

    def __call__(self, name: str, hearings: Sequence[Hearing]) -> FakeChild:
        """Start one for the cameras of ``hearings``."""
        if self.fails is not None:
            fails, self.fails = self.fails, None
            raise fails
        orders = Orders(name, tuple(one.orders() for one in hearings), Path("models"), "json", "info")
        with self._changed:
            child = FakeChild(len(self.children) + 1, orders, hearings, self._clock)
            self.children.append(child)
            self._changed.notify_all()
        self._script(child)
        return child

    def started(self, count: int) -> bool:
        """Whether so many were started within ten seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.children) >= count, 10)
