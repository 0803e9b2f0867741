"""The threads of a site on which evidence is made, after the alert was decided."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from streamproc.errors import ChannelClosed
from streamproc.runtime.channels import Channel
from streamproc.runtime.priority import give_way

log = structlog.get_logger(__name__)

Task = Callable[[], object]

COPIED, ENCODED = 64, 16
"""Most pieces of evidence that are waiting or being made: those to be encoded again take long."""
BESIDE = 2
"""Threads for openings and updates whose clips are copied: a picture takes some 15 ms, and alerts come together."""
MOST_BYTES = 256_000_000
"""Of packets and pictures that they keep in memory, all together."""


class EvidenceThreads:
    """Threads, each doing its tasks in order: clips that are copied and clips that are encoded again, of openings and
    updates and of resolutions. Where several do the same, a camera keeps to one of them.

    They are apart because a clip that is encoded again takes seconds, and neither a camera whose clips are copied in
    milliseconds must wait for it, nor an opening for a resolution. A resolution passes through the queue of the
    openings first, so that it is made after what came before it.
    """

    def __init__(self, copied: int = COPIED, encoded: int = ENCODED, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = {False: copied, True: encoded}, most_bytes
        self._under_way, self._bytes = {False: 0, True: 0}, 0
        self._lock = threading.Lock()
        self._lanes = {
            (resolves, encodes): [
                Channel[Task](self._most[encodes]) for _ in range(1 if resolves or encodes else BESIDE)
            ]
            for resolves in (False, True)
            for encodes in (False, True)
        }
        self._numbers = {encodes: dict[str, int]() for encodes in (False, True)}
        """By camera, in the order of their first evidence: they take the threads in turn."""
        self._threads: dict[Channel[Task], threading.Thread] = {}

    def __len__(self) -> int:
        with self._lock:
            return sum(self._under_way.values())

    def start(self) -> None:
        """Start all of them."""
        names = ("evidence-copy", "evidence-encode", "resolution-copy", "resolution-encode")
        for (lane, lanes), name in zip(self._lanes.items(), names, strict=True):
            for number, tasks in enumerate(lanes, 1):
                work = partial(self._run, tasks, gives_way=any(lane))
                called = f"{name}-{number}" if len(lanes) > 1 else name
                self._threads[tasks] = threading.Thread(target=work, name=called, daemon=True)
                self._threads[tasks].start()

    def dead(self) -> tuple[str, ...]:
        """Names of the threads that ended; before ``stop`` none should have."""
        return tuple(thread.name for thread in self._threads.values() if not thread.is_alive())

    def put(
        self, task: Task, *, encodes: bool, resolves: bool = False, size_bytes: int = 0, camera_id: str = ""
    ) -> bool:
        """Have ``task``, which keeps ``size_bytes`` in memory, done by one of the threads, in order among those of its
        camera; False, at once, where too much waits or they were stopped."""
        with self._lock:
            # One alone may be larger: nothing would ever be made where rings are.
            too_large = self._bytes > 0 and self._bytes + size_bytes > self._most_bytes
            if too_large or self._under_way[encodes] >= self._most[encodes]:
                return False
            self._count(encodes, 1, size_bytes)
            number = self._numbers[encodes].setdefault(camera_id, len(self._numbers[encodes]))
        todo = partial(self._do, task, encodes, size_bytes)
        try:
            # There is room: a lane is as long as what may be under way.
            openings, (resolutions,) = self._lanes[False, encodes], self._lanes[True, encodes]
            openings[number % len(openings)].put(partial(resolutions.put, todo, 0.0) if resolves else todo)
        except ChannelClosed:
            with self._lock:
                self._count(encodes, -1, -size_bytes)
            return False
        return True

    def stop(self, timeout_s: float) -> bool:
        """Do what waits, then end; False if that took longer than ``timeout_s`` seconds."""
        ends_s = time.monotonic() + timeout_s
        for resolves in (False, True):  # as they are handed on
            lanes = [*self._lanes[resolves, False], *self._lanes[resolves, True]]
            for lane in lanes:
                lane.close()
            for lane in lanes:
                if lane in self._threads:
                    self._threads[lane].join(max(0.0, ends_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads.values())

    def _do(self, task: Task, encodes: bool, size_bytes: int) -> None:
        try:
            task()
        except Exception:  # one message's evidence is lost, never the thread that makes the others'
            log.exception("evidence_task_failed")
        finally:
            with self._lock:
                self._count(encodes, -1, -size_bytes)

    def _count(self, encodes: bool, tasks: int, size_bytes: int) -> None:
        self._under_way[encodes] += tasks
        self._bytes += size_bytes

    @staticmethod
    def _run(tasks: Channel[Task], *, gives_way: bool) -> None:
        if gives_way:
            give_way()
        for task in tasks:
            with suppress(ChannelClosed):  # a resolution was to be handed on, and its thread was stopped
                task()
