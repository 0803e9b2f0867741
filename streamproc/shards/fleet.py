"""A site's cameras spread over processes, each kept running: one that ends is followed by another with its cameras.

Cameras whose process died early several times running are given one each, so that whichever brings it down goes on
alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import structlog

from streamproc.errors import StageError
from streamproc.observability.metrics import Metrics
from streamproc.runtime.clock import Clock
from streamproc.shards.child import Child
from streamproc.shards.hearing import Hearing
from streamproc.shards.shard import Shard
from streamproc.sources.backoff import Backoff

log = structlog.get_logger(__name__)

STEADY_S = 600.0
"""A process that lived for so long is no early death, whatever ended it."""
EARLY_DEATHS = 3
"""In a row, after which a process's cameras get one each: one may be a machine's whim, two a coincidence."""

Launch = Callable[[str, Sequence[Hearing]], Child]


class Fleet:
    """Every camera of a site in one of its processes."""

    def __init__(
        self,
        hearings: Mapping[str, Hearing],
        processes: int,
        launch: Launch,
        clock: Clock,
        metrics: Metrics,
        memory_mb: Callable[[int], float],
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        """``memory_mb`` is the bound of a process of so many cameras; ``backoff`` makes the waits after its death."""
        self._hearings = dict(hearings)
        self._launch, self._clock, self._metrics = launch, clock, metrics
        self._memory_mb, self._make_backoff = memory_mb, backoff
        self._started: set[str] = set()
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        ids = list(self._hearings)
        groups = [ids[first::processes] for first in range(min(processes, len(ids)))]
        self._shards = [self._shard(f"shard-{number}", group) for number, group in enumerate(groups, 1)]

    def unit(self, camera_id: str) -> RemoteUnit:
        """The camera, as a site starts and stops it."""
        return RemoteUnit(self, self._hearings[camera_id])

    def doing(self) -> Mapping[str, tuple[bool, str]]:
        """Of each process by name: whether it runs, and what it does, in words."""
        with self._lock:
            return {shard.name: (shard.up, shard.doing) for shard in self._shards}

    def start(self, camera_id: str) -> None:
        """Watch a camera; its process starts with the last of its cameras."""
        with self._lock:
            self._started.add(camera_id)
            for shard in tuple(self._shards):
                if camera_id in shard.cameras and self._started >= set(shard.cameras):
                    self._begin(shard, 0.0)

    def ask_to_stop(self, camera_id: str) -> None:
        """Begin to end a camera; returns at once."""
        with self._lock:
            for shard in self._shards:
                shard.ask_to_stop(camera_id)

    def dead(self, camera_id: str) -> bool:
        """Whether the camera is to be watched, and nobody starts its process."""
        with self._lock:
            keepers = [self._threads.get(one.name) for one in self._shards if camera_id in one.cameras]
            return not any(keeper is not None and keeper.is_alive() for keeper in keepers)

    def _shard(self, name: str, ids: Sequence[str]) -> Shard:
        hearings = [self._hearings[one] for one in ids]
        return Shard(name, hearings, self._launch, self._clock, self._metrics, self._memory_mb(len(ids)))

    def _begin(self, shard: Shard, wait_s: float) -> None:
        thread = threading.Thread(target=self._keep, args=(shard, wait_s), name=shard.name, daemon=True)
        self._threads[shard.name] = thread
        thread.start()

    def _keep(self, shard: Shard, wait_s: float) -> None:
        backoff, early = self._make_backoff(), 0
        while not self._clock.wait(shard.nobody, wait_s):
            began_s = self._clock.monotonic()
            death = shard.live()
            left = shard.left
            if death is None or not left:
                break
            for hearing in left:
                hearing.lost(f"its process ended: {death.reason}")
            self._metrics.shard_restarted(shard.name, death.cause)
            if self._clock.monotonic() - began_s >= STEADY_S:
                early = 0
                backoff.reset()
            early += 1
            if len(left) == 1 and not left[0].live:
                log.error("recording_given_up", camera=left[0].camera_id, reason=death.reason)
                break  # it would bring the next one down at the same place
            if early >= EARLY_DEATHS and len(left) > 1:
                self._spread(shard)
                return
            wait_s = backoff.next_s(StageError(death.reason))
            shard.doing = f"starts again: {death.reason}"
            log.info("process_restarts", process=shard.name, in_s=round(wait_s, 1))
        shard.finish()

    def _spread(self, shard: Shard) -> None:
        with self._lock:
            left = shard.left  # some may have been told to end meanwhile
            log.warning("cameras_isolated", process=shard.name, cameras=[one.camera_id for one in left])
            self._shards.remove(shard)
            alone = [self._shard(f"camera-{one.camera_id}", [one.camera_id]) for one in left]
            self._shards += alone
            for one in alone:
                self._begin(one, self._make_backoff().next_s(StageError("isolated")))
        shard.finish(but=left)


class RemoteUnit:
    """One camera of a fleet, as ``camera.CameraUnit`` is one of this process."""

    def __init__(self, fleet: Fleet, hearing: Hearing) -> None:
        self.camera_id = hearing.camera_id
        self._fleet, self._hearing = fleet, hearing
        self._started = False

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._started = True
        self._hearing.start()
        self._fleet.start(self.camera_id)

    def ask_to_stop(self) -> None:
        """Begin to end; returns at once."""
        self._fleet.ask_to_stop(self.camera_id)

    def stop(self, timeout_s: float) -> bool:
        """End within ``timeout_s``; False if it did not."""
        self.ask_to_stop()
        if self.join(timeout_s):
            return True
        log.error("camera_late", camera=self.camera_id, process=True)
        return False

    @property
    def dead(self) -> bool:
        """Whether nobody watches over it any more."""
        return (
            self._started and not self._hearing.join(0.0) and (self._hearing.dead or self._fleet.dead(self.camera_id))
        )

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, of a recording mostly; whether it came within ``timeout_s``."""
        return not self._started or self._hearing.join(timeout_s)
