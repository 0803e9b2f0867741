"""The process itself, as the site starts it, listens to it and ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from streamproc.errors import ChannelClosed, StageError
from streamproc.shards import wire
from streamproc.shards.hearing import Hearing
from streamproc.shards.orders import Beat, CameraOrders, Failed, Leave, Orders, StopCamera

COMMAND = (sys.executable, "-P", "-m", "streamproc.shards.process")
_ORDERS_WITHIN_S = 120.0
_TRACE_BYTES = 4000
"""Of the stack of a process that crashed: the thread that did comes first."""


class Child(Protocol):
    """A process that watches cameras."""

    @property
    def pid(self) -> int: ...

    def next(self, timeout_s: float) -> Beat | Failed | None:
        """What it says next; None if it said nothing within ``timeout_s``.

        Raises:
            ChannelClosed: it is gone, or about to be.
        """
        ...

    def tell(self, message: StopCamera | Leave) -> None:
        """Say something to it; one that is gone hears nothing."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def reap(self) -> tuple[str, str]:
        """How it ended, in words (empty for an orderly end), and the stack where it crashed."""
        ...


class ChildProcess:
    """One that was started."""

    def __init__(self, orders: Orders, hearings: Sequence[Hearing], command: Sequence[str] = COMMAND) -> None:
        """Start it with ``orders`` and have ``hearings``, of the same cameras in the same order, hear it.

        Raises:
            StageError: it cannot be started.
        """
        self._control, control = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        self._trace = os.memfd_create("trace")
        ours: list[tuple[socket.socket, socket.socket]] = []
        theirs: list[socket.socket] = []
        cameras: list[CameraOrders] = []
        for camera in orders.cameras:
            (events, events_there), (windows, windows_there) = socket.socketpair(), socket.socketpair()
            ours.append((events, windows))
            theirs += [events_there, windows_there]
            cameras.append(replace(camera, events_fd=events_there.fileno(), windows_fd=windows_there.fileno()))
        inherited = [control.fileno(), lifeline, self._trace]
        try:
            self._process = subprocess.Popen(
                [*command, *map(str, inherited)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # the site's may be a sink's
                pass_fds=[*inherited, *(one.fileno() for one in theirs)],
            )
        except OSError as error:
            for one in (self._control, *(end for pair in ours for end in pair)):
                one.close()
            os.close(self._lifeline)
            os.close(self._trace)
            raise StageError(f"it cannot be started: {error.strerror}") from None
        finally:
            for one in (control, *theirs):
                one.close()
            os.close(lifeline)
        for camera, hearing, (events, windows) in zip(cameras, hearings, ours, strict=True):
            hearing.attach(camera, events, windows)
        self._control.settimeout(_ORDERS_WITHIN_S)
        with contextlib.suppress(ChannelClosed):  # ``next`` finds that it is gone
            wire.send(self._control, replace(orders, cameras=tuple(cameras)))

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def next(self, timeout_s: float) -> Beat | Failed | None:
        """What it says next."""
        self._control.settimeout(timeout_s)
        try:
            said: Beat | Failed = wire.receive(self._control)
        except TimeoutError:
            return None
        return said

    def tell(self, message: StopCamera | Leave) -> None:
        """Say something to it."""
        with contextlib.suppress(ChannelClosed):
            wire.send(self._control, message)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def reap(self) -> tuple[str, str]:
        """How it ended, in words, and the stack where it crashed; kills what is left of it."""
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        trace = os.pread(self._trace, _TRACE_BYTES, 0).decode(errors="replace")
        self._control.close()
        os.close(self._lifeline)
        os.close(self._trace)
        if code < 0:
            return f"killed by {signal.Signals(-code).name}", trace
        return (f"exit code {code}" if code else ""), trace


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts processes for a site."""

    models: Path
    """Cache of the embedded models."""
    log_format: Literal["console", "json"]
    log_level: Literal["debug", "info", "warning", "error"]
    command: Sequence[str] = COMMAND

    def __call__(self, name: str, hearings: Sequence[Hearing]) -> ChildProcess:
        """Start one for the cameras of ``hearings``.

        Raises:
            StageError: it cannot be started.
        """
        cameras = tuple(one.orders() for one in hearings)
        orders = Orders(name, cameras, self.models, self.log_format, self.log_level)
        return ChildProcess(orders, hearings, self.command)
