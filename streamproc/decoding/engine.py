"""Groups of pictures from many cameras, decoded together: one engine serves a process.

A camera's thread submits and waits; the engine's own thread gathers what comes within a moment and decodes it as one
batch. A batch that fails is decoded again group by group, so that a broken one takes no other along. Nothing is dropped
here: a camera has two groups under way at most and its thread waits for them, so that losses stay where they are
counted, in front of the decoder.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from streamproc.errors import StreamprocError
from streamproc.secrets import redact
from streamproc.types import DecoderFault, Picture

log = structlog.get_logger(__name__)

STUCK_S = 10.0
"""A batch that takes longer is given up: our choice, far beyond any that ends at all."""
_CLOSES_S = 2.0
_WAITING = 1024
"""Groups that wait to be decoded; two a camera, so more cameras than a card serves."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedGop:
    """A group, and what is wanted of it."""

    video: bytes
    """A recording of it."""
    numbers: tuple[int, ...]
    """Which pictures, counted from 0 in the order of presentation."""
    width_px: int
    height_px: int
    """To which they are scaled."""
    mask: npt.NDArray[np.uint8]
    """By which they are multiplied: (height, width, 1) or (1, 1, 1), 0 under a privacy mask and 1 elsewhere."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not decoded here."""

    fault: DecoderFault
    detail: str
    """In words; may hold another library's."""
    for_good: bool = False
    """Whether what follows would not be decoded either."""


class RefusedError(StreamprocError):
    """The engine does not decode this."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class BatchDecoder(Protocol):
    """Decodes groups together, on whatever device. Used by one thread at a time; unusable once it raised."""

    def decode(self, gops: Sequence[EncodedGop]) -> list[list[Picture]]:
        """The wanted pictures of each, RGB, scaled and masked.

        Raises:
            RefusedError: one of them, or all, cannot be decoded.
        """
        ...


_Job = tuple[EncodedGop, Future[list[Picture]]]
_STUCK = Refusal("dali_stuck", f"a batch did not end within {STUCK_S:g} s", for_good=True)


class Engine:
    """Batches what cameras submit."""

    def __init__(
        self,
        open_batches: Callable[[], BatchDecoder],
        *,
        batch: int,
        most_wait_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        look_s: float = 1.0,
    ) -> None:
        """``open_batches`` raises ``RefusedError`` where there is nothing to decode with. ``look_s`` is how often those
        who wait look whether the present batch is stuck."""
        self._open = open_batches
        self._batch, self._most_wait_s, self._monotonic, self._look_s = batch, most_wait_s, monotonic, look_s
        self._jobs: queue.Queue[_Job | None] = queue.Queue(_WAITING)
        self._began_s: float | None = None
        self._said: set[tuple[str, DecoderFault]] = set()
        self._lock = threading.Lock()
        self._decoder: BatchDecoder | None = None
        self._thread = threading.Thread(target=self._work, name="dali", daemon=True)
        self.refused: Refusal | None = None
        """Why nothing at all can be decoded here."""

    def start(self) -> None:
        """Make ready; ``refused`` tells if that failed."""
        if self._reopen():
            self._thread.start()

    def submit(self, gop: EncodedGop) -> Future[list[Picture]]:
        """The wanted pictures, later; the future raises ``RefusedError`` where they cannot be had."""
        future: Future[list[Picture]] = Future()
        if self.refused is None:
            try:
                self._jobs.put((gop, future), timeout=STUCK_S)
                return future
            except queue.Full:
                self.refused = _STUCK
        future.set_exception(RefusedError(self.refused))
        return future

    def result(self, future: Future[list[Picture]]) -> list[Picture]:
        """Wait for a future; for ever only while other batches go on to end.

        Raises:
            RefusedError: as the future, or the present batch does not end.
        """
        while True:
            try:
                return future.result(timeout=self._look_s)
            except TimeoutError:
                began_s = self._began_s
                if began_s is not None and self._monotonic() - began_s > STUCK_S:
                    self.refused = _STUCK
                if self.refused is not None and not future.done():
                    raise RefusedError(self.refused) from None

    def say_once(self, camera_id: str, refusal: Refusal) -> bool:
        """Log why a camera is decoded elsewhere; whether it is the first time in this process."""
        with self._lock:
            first = (camera_id, refusal.fault) not in self._said
            self._said.add((camera_id, refusal.fault))
        if first:
            log.warning("decoder_fallback", camera=camera_id, fault=refusal.fault, detail=redact(refusal.detail))
        return first

    def close(self) -> None:
        """End the thread, within a moment; what waits is refused."""
        self.refused = self.refused or Refusal("dali_stuck", "the engine was closed", for_good=True)
        if self._thread.is_alive():
            with suppress(queue.Full):
                self._jobs.put(None, timeout=_CLOSES_S)
            self._thread.join(_CLOSES_S)

    def _reopen(self) -> bool:
        try:
            self._decoder = self._open()
        except RefusedError as error:
            self._decoder, self.refused = None, error.refusal
            return False
        return True

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs, ends_s = [job], time.monotonic() + self._most_wait_s
            while len(jobs) < self._batch:
                try:
                    following = self._jobs.get(timeout=max(0.0, ends_s - time.monotonic()))
                except queue.Empty:
                    break
                if following is None:
                    self._jobs.put(None)
                    break
                jobs.append(following)
            self._began_s = self._monotonic()
            self._decode(jobs)
            self._began_s = None

    def _decode(self, jobs: Sequence[_Job]) -> None:
        try:
            pictures = self._pictures([gop for gop, _ in jobs])
        except RefusedError as error:
            if self.refused is None and self._reopen() and len(jobs) > 1:
                for job in jobs:
                    self._began_s = self._monotonic()
                    self._decode([job])
                return
            for _, future in jobs:
                future.set_exception(RefusedError(self.refused or error.refusal))
            return
        for (_, future), taken in zip(jobs, pictures, strict=True):
            future.set_result(taken)

    def _pictures(self, gops: Sequence[EncodedGop]) -> list[list[Picture]]:
        if self._decoder is None or self.refused is not None:
            raise RefusedError(self.refused or Refusal("dali_no_device", "nothing is open", for_good=True))
        try:
            return self._decoder.decode(gops)
        except RefusedError:
            raise
        except Exception as error:  # Whatever it is, it must not end the thread on which all cameras wait.
            log.exception("dali_failed")
            raise RefusedError(Refusal("dali_broken_gop", repr(error))) from None
