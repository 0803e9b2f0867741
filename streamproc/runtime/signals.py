"""SIGTERM and SIGINT as an event that threads can wait on."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger(__name__)


@contextmanager
def on_signals(stop: threading.Event) -> Iterator[None]:
    """Inside the block SIGTERM and SIGINT set ``stop``; a second one ends the process at once. Main thread only.

    The interpreter writes the signal's number to a socket that a thread reads. A handler that set the event itself
    would run in the middle of the main thread's own wait for that event, and could block on its lock.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    previous_fd = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    previous = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}

    def listen() -> None:
        asked = False  # Not what ``stop`` says: it is set too where the process ends by itself.
        while byte := reading.recv(1):
            number = byte[0]
            if number not in previous:
                continue
            name = signal.Signals(number).name
            if asked:
                log.warning("stopped_at_once", signal=name)
                os._exit(128 + number)
            log.info("stopping", signal=name, hint="a second signal ends the process at once")
            asked = True
            stop.set()

    thread = threading.Thread(target=listen, name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(previous_fd)
        writing.close()  # the reader gets an empty read and ends
        thread.join(timeout=1.0)
        reading.close()
