"""A process that watches some of a site's cameras, from its first orders to its last camera's end.

Started as ``python -m streamproc.shards.process CONTROL LIFELINE CRASH``: three file descriptors, and no argument that
tells anything. The site alone ends it: SIGTERM and SIGINT, which reach a whole group, are not for it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from streamproc.camera import CameraUnit
from streamproc.errors import ChannelClosed
from streamproc.models.store import ModelStore
from streamproc.observability import logs
from streamproc.observing import ObserverModels
from streamproc.runtime.clock import SystemClock
from streamproc.runtime.garbage import freeze_loaded
from streamproc.sampling.shedding import Shedding
from streamproc.secrets import redact
from streamproc.shards import tether, wire
from streamproc.shards.orders import Beat, CameraOrders, Failed, Leave, Orders, StopCamera
from streamproc.shards.telling import RemoteEmit

log = structlog.get_logger(__name__)

BEAT_S = 1.0
_LEAVE_S = 3.0
"""In which cameras may end what they are at."""

MakeUnit = Callable[[CameraOrders, RemoteEmit], CameraUnit]


def embedded(orders: Orders) -> MakeUnit:
    """Makes units with the embedded observer, its models loaded once.

    Raises:
        ModelLoadError: a model cannot be had.
    """
    models, clock = ObserverModels(ModelStore(orders.models)), SystemClock()
    shedding = Shedding(clock)

    def make(camera: CameraOrders, emit: RemoteEmit) -> CameraUnit:
        observer = partial(models.observer, lambda: emit.calibration)
        return CameraUnit(
            camera.settings,
            emit,
            clock,
            observer,
            first_run=camera.first_run,
            first_main_run=camera.first_main_run,
            shedding=shedding,
        )

    return make


class Watching:
    """The process's cameras, from the first to be started to the last to end."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._units: dict[str, CameraUnit] = {}
        self._ends: list[threading.Thread] = []
        self._leave = threading.Event()

    def add(self, orders: CameraOrders, make: MakeUnit) -> None:
        """Make a camera's unit and start it.

        Raises:
            ConfigError: its calibration does not fit the pipeline.
        """
        events, windows = socket.socket(fileno=orders.events_fd), socket.socket(fileno=orders.windows_fd)
        camera_id = orders.settings.camera.id
        emit = RemoteEmit(camera_id, events, windows, orders.calibration)
        unit = self._units[camera_id] = make(orders, emit)
        unit.start()
        # Each camera's last word waits for the site by itself.
        end = threading.Thread(target=self._see_out, args=(unit, emit), name=f"end-{camera_id}", daemon=True)
        self._ends.append(end)
        end.start()

    def run(self) -> None:
        """Until the last camera is over, or the site has another process take over.

        Raises:
            ChannelClosed: the site is gone.
            RuntimeError: a camera's thread broke off, which nothing in here starts again.
        """
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        while not self._leave.is_set() and any(end.is_alive() for end in self._ends):
            wire.send(self._control, Beat(_memory_mb(), time.process_time()))
            for camera_id, unit in self._units.items():
                if unit.dead:
                    raise RuntimeError(f"the thread of camera {camera_id} broke off")
            next((end for end in self._ends if end.is_alive()), threading.current_thread()).join(BEAT_S)

    def _see_out(self, unit: CameraUnit, emit: RemoteEmit) -> None:
        unit.join()
        unit.stop(_LEAVE_S)  # the main stream beside it
        if not (unit.dead or self._leave.is_set()):
            emit.over()

    def _listen(self) -> None:
        while True:
            match wire.receive(self._control):
                case StopCamera(camera_id=camera_id):
                    self._units[camera_id].ask_to_stop()
                case Leave():
                    self._leave.set()
                    for unit in self._units.values():
                        unit.ask_to_stop()


def main(prepare: Callable[[Orders], MakeUnit] = embedded) -> None:
    """Watch what the orders name; never returns. ``prepare`` makes what makes units."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    control_fd, lifeline, crash = map(int, sys.argv[1:4])
    tether.end_with(lifeline)
    faulthandler.enable(crash)  # names of functions, never values
    control = socket.socket(fileno=control_fd)
    code = 0
    try:
        orders: Orders = wire.receive(control)
        logs.configure(orders.log_format, orders.log_level)
        watching, make = Watching(control), prepare(orders)
        freeze_loaded()
        for camera in orders.cameras:
            watching.add(camera, make)
        watching.run()
    except ChannelClosed:
        code = 1  # the site is gone
    except Exception as error:
        log.exception("process_failed")
        wire.send(control, Failed(redact(f"{type(error).__name__}: {error}")))
        code = 1
    sys.stderr.flush()
    os._exit(code)  # threads that hang inside FFmpeg were left behind, and would hold up an orderly end


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
