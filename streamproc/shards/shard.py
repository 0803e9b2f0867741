"""One process after another for the same cameras: started, listened to, and ended where it hangs or grows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from streamproc.errors import ChannelClosed, StageError
from streamproc.observability.metrics import Metrics, ShardEnd
from streamproc.runtime.clock import Clock
from streamproc.shards.child import Child
from streamproc.shards.hearing import Hearing
from streamproc.shards.orders import Beat, Failed, Leave, StopCamera

log = structlog.get_logger(__name__)

_LISTEN_S = 0.5
_START_WITHIN_S = 120.0
"""Loading libraries and models takes 2 to 4 s of a core, which a site's processes share while they start."""
_HUNG_S = 15.0
"""Signs of life come once a second; on a machine at twice its capacity the longest pause was a fraction of this."""
_LEAVE_WITHIN_S = 5.0
_DRAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Death:
    """Why a process ended before its cameras did."""

    cause: ShardEnd
    reason: str
    """In words, for the cameras' states."""


class Shard:
    """The cameras of one process."""

    def __init__(
        self,
        name: str,
        hearings: Sequence[Hearing],
        launch: Callable[[str, Sequence[Hearing]], Child],
        clock: Clock,
        metrics: Metrics,
        memory_mb: float,
    ) -> None:
        """``launch`` starts a process for some of the cameras; ``memory_mb`` is the most that it may grow to."""
        self.name = name
        self.doing = "starts"
        """In words, for the readiness page."""
        self.up = False
        """Whether all is well: it runs, or need not any more."""
        self.cameras = tuple(one.camera_id for one in hearings)
        self.nobody = threading.Event()
        """Set when none of its cameras is to be watched any more."""
        self._hearings, self._launch = tuple(hearings), launch
        self._clock, self._metrics, self._memory_mb = clock, metrics, memory_mb
        self._unwanted: set[str] = set()
        self._child: Child | None = None
        self._lock = threading.Lock()

    @property
    def left(self) -> tuple[Hearing, ...]:
        """Cameras that are to be watched still."""
        with self._lock:
            return tuple(one for one in self._hearings if not one.ended and one.camera_id not in self._unwanted)

    def ask_to_stop(self, camera_id: str) -> None:
        """Begin to end a camera, where it is one of these; returns at once."""
        with self._lock:
            if camera_id not in self.cameras:
                return
            self._unwanted.add(camera_id)
            if self._unwanted >= {one.camera_id for one in self._hearings if not one.ended}:
                self.nobody.set()
            if self._child is not None:
                self._child.tell(StopCamera(camera_id))

    def finish(self, but: Sequence[Hearing] = ()) -> None:
        """No process follows; ``but`` are watched by others."""
        self.up, self.doing = True, "its cameras are over"
        self._metrics.shard_gone(self.name)
        for one in self._hearings:
            if one not in but:
                one.finish()

    def live(self) -> Death | None:
        """Watch what is left in a process until that ends; why it did before its cameras, None if it did not."""
        hearings = self.left
        if not hearings:
            return None
        try:
            child = self._launch(self.name, hearings)
        except StageError as error:
            return Death("died", str(error))
        with self._lock:
            self._child = child
            asked = [one.camera_id for one in hearings if one.camera_id in self._unwanted]
        for camera_id in asked:  # while the process was being started
            child.tell(StopCamera(camera_id))
        log.info("process_started", process=self.name, pid=child.pid, cameras=[one.camera_id for one in hearings])
        self.up = True
        self._metrics.shard_up(self.name, len(hearings))
        death = self._listen(child)
        with self._lock:
            self._child = None
            self.up = False
        how, trace = child.reap()
        self._metrics.shard_up(self.name, 0)
        for one in hearings:
            while not one.drained(_DRAIN_S):
                pass
        if not self.left:
            return None
        death = death or Death("died", how or "it ended though it was to watch")
        log.error("process_lost", process=self.name, pid=child.pid, cause=death.cause, reason=death.reason, trace=trace)
        return death

    def _listen(self, child: Child) -> Death | None:
        heard_s, bound_s, leaving = self._clock.monotonic(), _START_WITHIN_S, False
        death: Death | None = None
        while True:
            try:
                said = child.next(_LISTEN_S)
            except ChannelClosed:
                return death
            silent_s = self._clock.monotonic() - heard_s
            match said:
                case Beat():
                    heard_s, bound_s = self._clock.monotonic(), _HUNG_S
                    self.doing = f"{said.memory_mb:.0f} MB"
                    self._metrics.shard_used(self.name, said.memory_mb, said.cpu_s)
                    if said.memory_mb > self._memory_mb and not leaving:
                        leaving, death = True, self._too_large(child, said)
                        leaves_s = self._clock.monotonic() + _LEAVE_WITHIN_S
                case Failed(reason=reason):
                    death = death or Death("died", reason)
                case None if silent_s >= bound_s:
                    death = Death("hung", f"no sign of life for {silent_s:.0f} s")
                    child.kill()
                    return death
            if leaving and self._clock.monotonic() >= leaves_s:
                child.kill()
                return death

    def _too_large(self, child: Child, beat: Beat) -> Death:
        reason = f"it grew to {beat.memory_mb:.0f} MB; {self._memory_mb:.0f} MB are its bound"
        log.warning("process_too_large", process=self.name, pid=child.pid, reason=reason)
        child.tell(Leave())
        return Death("memory", reason)
