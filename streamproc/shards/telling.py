"""The ``Emit`` of a camera that is watched in another process than the site's: it tells over two sockets.

Windows have a socket of their own and each is answered, so that a site which is busy holds up this camera's windows as
it would in one process, and nothing else. Packets go some at a time: alone, a packet's two wake-ups cost more than
demuxing it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter

import structlog

from streamproc.errors import ChannelClosed, StageError
from streamproc.normality.calibration import Calibration
from streamproc.shards import wire
from streamproc.shards.orders import (
    Answer,
    CameraOver,
    Counted,
    Event,
    FaultFound,
    PacketRow,
    PacketsReceived,
    StateChanged,
    WindowObserved,
    row_of,
)
from streamproc.types import CameraFault, CameraState, DropCause, ObservedWindow, PacketBatch, StreamInfo

log = structlog.get_logger(__name__)

_MOST_PACKETS = 12
"""Half a second of a camera: a packet costs a twelfth of its own message then (`tests/benchmarks/processes.txt`)."""
_MOST_BYTES = 256_000
"""Of packets that wait to be told: more are not worth waiting for."""
_MOST_WAIT_S = 0.5
"""Between the receipt of the first and the last: packets of a slow camera wait no longer than those of a quick one."""


class _Waiting:
    """Packets of one stream that wait to be told."""

    def __init__(self, *, main: bool) -> None:
        self.main = main
        self.stream: StreamInfo | None = None
        self.rows: list[PacketRow] = []
        self._size_bytes = 0

    def add(self, batch: PacketBatch) -> None:
        self.stream = batch.stream
        self.rows += [row_of(packet) for packet in batch.packets]
        self._size_bytes += sum(len(packet.data) for packet in batch.packets)

    @property
    def full(self) -> bool:
        waited_s = (self.rows[-1][3] - self.rows[0][3]).total_seconds()
        return len(self.rows) >= _MOST_PACKETS or self._size_bytes >= _MOST_BYTES or waited_s >= _MOST_WAIT_S

    def fits(self, batch: PacketBatch) -> bool:
        return not self.rows or (batch.stream == self.stream and batch.packets[0].run == self.rows[-1][0])

    def take(self) -> tuple[PacketRow, ...]:
        rows, self.rows, self._size_bytes = tuple(self.rows), [], 0
        return rows


class RemoteEmit:
    """Tells one camera's findings. What waits is told at the latest before the next window or state."""

    def __init__(
        self, camera_id: str, events: socket.socket, windows: socket.socket, calibration: Calibration | None
    ) -> None:
        self.calibration = calibration
        """In force, as the site last said."""
        self._camera_id = camera_id
        self._events, self._windows = events, windows
        self._told = 0
        self._analysed, self._main = _Waiting(main=False), _Waiting(main=True)
        self._dropped: Counter[DropCause] = Counter()
        self._decoded = 0
        self._keyframe_every_s: float | None = None
        self._lock = threading.Lock()

    def packets(self, batch: PacketBatch) -> None:
        """They wait until there are some, or something else is told."""
        self._add(self._analysed, batch)

    def main_packets(self, batch: PacketBatch) -> None:
        """As ``packets``."""
        self._add(self._main, batch)

    def state(self, state: CameraState) -> None:
        """Told at once."""
        self._tell(StateChanged(state, main=False))

    def main_state(self, state: CameraState) -> None:
        """Told at once."""
        self._tell(StateChanged(state, main=True))

    def fault(self, camera_id: str, fault: CameraFault) -> None:  # noqa: ARG002 - there is one camera
        """Told at once."""
        self._tell(FaultFound(fault))

    def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:  # noqa: ARG002 - there is one camera
        """Told with the next packets."""
        with self._lock:
            self._dropped[cause] += count

    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None:  # noqa: ARG002 - as above
        """Told with the next packets."""
        with self._lock:
            self._decoded += pictures
            self._keyframe_every_s = keyframe_every_s

    def window(self, observed: ObservedWindow) -> None:
        """Waits until the site took it; then the calibration may be another.

        Raises:
            ChannelClosed: the site takes no more.
            StageError: the site failed at it.
        """
        with self._lock:
            self._flush()
            after = self._told
        wire.send(self._windows, WindowObserved(observed, after))
        answer: Answer = wire.receive(self._windows)
        if answer.changed:
            self.calibration = answer.calibration
            sha256 = None if answer.calibration is None else answer.calibration.sha256[:12]
            log.info("calibration_followed", camera=self._camera_id, sha256=sha256)
        if answer.taken == "closed":
            raise ChannelClosed
        if answer.taken == "failed":
            raise StageError("the site failed at a window; its log says why")

    def over(self) -> None:
        """Tell that nothing more comes."""
        with contextlib.suppress(ChannelClosed):
            self._tell(CameraOver())
        self._windows.close()  # the process may live on with other cameras

    def _add(self, waiting: _Waiting, batch: PacketBatch) -> None:
        with self._lock:
            if not waiting.fits(batch):
                self._flush()
            waiting.add(batch)
            if waiting.full:
                self._flush()

    def _tell(self, event: Event) -> None:
        with self._lock:
            self._flush()
            self._send(event)

    def _flush(self) -> None:
        for waiting in (self._analysed, self._main):
            if waiting.stream is not None and waiting.rows:
                self._send(PacketsReceived(waiting.stream, waiting.take(), waiting.main))
        if self._dropped or self._decoded:
            self._send(Counted(tuple(self._dropped.items()), self._decoded, self._keyframe_every_s))
            self._dropped.clear()
            self._decoded = 0

    def _send(self, event: Event) -> None:
        wire.send(self._events, event)
        self._told += 1
