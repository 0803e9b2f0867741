"""The threads of a site on which evidence is made, after the alert was decided."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from streamproc.errors import ChannelClosed
from streamproc.runtime.channels import Channel

log = structlog.get_logger(__name__)

Task = Callable[[], None]

COPIED, ENCODED = 64, 16
"""Most pieces of evidence that wait: each keeps its packets in memory, and those to be encoded again take long."""


class EvidenceThreads:
    """Two threads, each doing its tasks in order: one for clips that are copied, one for those that are encoded again.

    They are apart because a clip that is encoded again takes seconds, and a camera whose clips are copied in
    milliseconds must not wait for it.
    """

    def __init__(self, copied: int = COPIED, encoded: int = ENCODED) -> None:
        self._tasks: Mapping[bool, Channel[Task]] = {False: Channel(copied), True: Channel(encoded)}
        self._threads: list[threading.Thread] = []

    def __len__(self) -> int:
        return sum(len(tasks) for tasks in self._tasks.values())

    def start(self) -> None:
        """Start both."""
        for name, tasks in zip(("evidence-copy", "evidence-encode"), self._tasks.values(), strict=True):
            thread = threading.Thread(target=self._run, args=(tasks,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def dead(self) -> tuple[str, ...]:
        """Names of the threads that ended; before ``stop`` none should have."""
        return tuple(thread.name for thread in self._threads if not thread.is_alive())

    def put(self, task: Task, *, encodes: bool) -> bool:
        """Have ``task`` done by one of the threads; False, at once, where too much waits or they were stopped."""
        try:
            return self._tasks[encodes].put(task, 0.0)
        except ChannelClosed:
            return False

    def stop(self, timeout_s: float) -> bool:
        """Do what waits, then end; False if that took longer than ``timeout_s`` seconds."""
        for tasks in self._tasks.values():
            tasks.close()
        ends_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @staticmethod
    def _run(tasks: Channel[Task]) -> None:
        for task in tasks:
            try:
                task()
            except Exception:  # one message's evidence is lost, never the thread that makes the others'
                log.exception("evidence_task_failed")
