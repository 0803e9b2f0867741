# Longer than 300 lines: which thread hands what to which, and how all of them end, is read as one.
"""One site, running: camera units, workers that walk the cameras' lines, and deliveries, joined by channels.

::

    CameraUnit (threads of its own a camera)
        packets  -> ring                             evidence is cut from it; of the main stream beside a sub-stream
        state    -> metrics, health topic, incidents
        window   -> Lanes (one a camera; a full one has its unit wait)
    workers      Lanes -> CameraLine: caption, match, decide, incident, outbox
    inspection   crops of windows -> defects: incident, outbox; a thread for all cameras, never waited for
    evidence     pictures and clips of what was decided, then the message is let go
    deliveries   outbox -> sink                      one thread a sink
    caretaker    now and then: silent cameras, retention, gauges

Shutting down goes the same way: cameras first, then what is in the lanes, then evidence, then the outbox.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from streamproc.alerts.delivery import Delivery
from streamproc.alerts.desk import AlertDesk
from streamproc.alerts.evidence_desk import HOLD_RESOLUTION_S
from streamproc.alerts.evidence_threads import EvidenceThreads
from streamproc.alerts.health import Health, camera_health
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.retention import Sweep
from streamproc.config import EvidenceSettings
from streamproc.errors import SinkError, StageError
from streamproc.inspection_branch import Inspection
from streamproc.line import CameraLine
from streamproc.observability.metrics import Metrics
from streamproc.runtime.channels import Lanes
from streamproc.runtime.clock import Clock
from streamproc.runtime.supervisor import Supervisor
from streamproc.secrets import redact
from streamproc.sources.evidence import EvidenceRing
from streamproc.types import CameraFault, CameraPhase, CameraState, DropCause, ObservedWindow, PacketBatch

log = structlog.get_logger(__name__)

_WAIT_S = 0.5
_CARE_S = 1.0
_DRAIN_S = 3.0
_EVIDENCE_S = 3.0
_TROUBLE = ("lost", "refused", "frozen")


class Unit(Protocol):
    """A camera that is watched, in this process or another; ``camera.CameraUnit`` is one."""

    @property
    def dead(self) -> bool:
        """Whether it broke off, and nothing starts it again."""
        ...

    def start(self) -> None:
        """Begin to watch; returns at once.

        Raises:
            ModelLoadError: a model cannot be had.
            ConfigError: the calibration does not load.
        """
        ...

    def ask_to_stop(self) -> None:
        """Begin to end; returns at once."""
        ...

    def stop(self, timeout_s: float) -> bool:
        """End within ``timeout_s``; False, told in the log, if it did not."""
        ...

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, of a recording mostly; whether it came within ``timeout_s``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class CameraParts:
    """What one camera is made of."""

    unit: Unit
    ring: EvidenceRing
    desk: AlertDesk
    line: CameraLine


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """A window on its way to a worker."""

    observed: ObservedWindow
    decode_ms: float
    """Milliseconds from receipt of its last frame until it was observed."""


class Hub:
    """Takes what the camera units emit to where it belongs; called from the units' threads."""

    def __init__(self, site_id: str, metrics: Metrics, clock: Clock) -> None:
        self.lanes: Lanes[Observed] = Lanes()
        self.phases: dict[str, CameraPhase] = {}
        """Each camera's condition as last told."""
        self.said: dict[str, tuple[str, ...]] = {}
        """What cannot be judged at each camera, and what drifted there, as its last window told."""
        self._before: dict[str, CameraState] = {}
        self._drifted: dict[str, tuple[str, ...]] = {}
        self._site_id, self._metrics, self._clock = site_id, metrics, clock
        self._rings: dict[str, EvidenceRing] = {}
        self._desks: dict[str, AlertDesk] = {}
        self._deliveries: Sequence[Delivery] = ()
        self._inspection: Inspection | None = None
        self._dropped: dict[str, int] = {}
        self._lock = threading.Lock()

    def connect(
        self,
        rings: Mapping[str, EvidenceRing],
        desks: Mapping[str, AlertDesk],
        deliveries: Sequence[Delivery],
        inspection: Inspection | None = None,
    ) -> None:
        """Say where packets, states, health messages and, beside the lanes, windows go; before any unit starts."""
        self._rings, self._desks, self._deliveries = dict(rings), dict(desks), deliveries
        self._inspection = inspection

    def packets(self, batch: PacketBatch) -> None:
        """To the ring."""
        camera_id, last = batch.packets[0].camera_id, batch.packets[-1]
        size_bytes = sum(len(packet.data) for packet in batch.packets)
        self._metrics.packets(camera_id, len(batch.packets), size_bytes, last.received_at.timestamp())
        self._metrics.ring_cut_short(camera_id, self._rings[camera_id].append(batch))

    def main_packets(self, batch: PacketBatch) -> None:
        """To the ring."""
        camera_id = batch.packets[0].camera_id
        self._metrics.ring_cut_short(camera_id, self._rings[camera_id].append_main(batch))

    def main_state(self, state: CameraState) -> None:
        """To metrics; alerts whose evidence is without the main stream say so themselves."""
        self._metrics.main_stream(state.camera_id, up=state.phase == "streaming")

    def state(self, state: CameraState) -> None:
        """To metrics, the health topic and the camera's incidents."""
        # The end of a recording resolves what goes on: not before its last window was decided about.
        while state.phase == "ended" and not self.lanes.settle(state.camera_id, _WAIT_S):
            pass
        while self._inspection and state.phase == "ended" and not self._inspection.settle(state.camera_id, _WAIT_S):
            pass
        with self._lock:
            # A camera that was lost is connecting before it streams again, and that is still its coming back.
            before = self._before.get(state.camera_id)
            self.phases[state.camera_id] = state.phase
            if state.phase != "connecting":
                self._before[state.camera_id] = state
        if _is_reconnect(before, state):
            self._metrics.reconnect(state.camera_id)
        self._metrics.camera_phase(state.camera_id, state.phase)
        self.health(camera_health(self._site_id, state, before.phase if before else None))
        try:
            self._desks[state.camera_id].camera_changed(state)
        except SinkError as error:
            log.error("alert_not_decided", camera=state.camera_id, error=redact(str(error)))
        except Exception:
            # The camera's own thread is here: it must go on to reconnect, whatever became of the news.
            log.exception("camera_state_not_followed", camera=state.camera_id)

    def health(self, message: Health) -> None:
        """To every sink, best effort."""
        for delivery in self._deliveries:
            delivery.health(message)

    def window(self, observed: ObservedWindow) -> None:
        """To the camera's lane; waits while its last window is still being decided about."""
        window = observed.window
        self._metrics.window(window.camera_id)
        self._metrics.frames(window.camera_id, sum(len(burst) for burst in window.bursts))
        self._metrics.skipped(window.camera_id, "calm", observed.passed_by)
        self._heed(window.camera_id, observed)
        if self._inspection is not None:
            self._inspection.offer(observed)
        decode_ms = (self._clock.now() - window.captured_at).total_seconds() * 1e3
        while not self.lanes.put(window.camera_id, Observed(observed, decode_ms), _WAIT_S):
            pass

    def _heed(self, camera_id: str, observed: ObservedWindow) -> None:
        missing = self._inspection.missing(camera_id) if self._inspection is not None else ()
        self.said[camera_id] = (*observed.not_judged, *observed.drift, *missing)
        before = self._drifted.get(camera_id, ())
        if observed.drift == before:
            return
        self._drifted[camera_id] = observed.drift
        self._metrics.drifted(camera_id, bool(observed.drift))
        for text in observed.drift:
            if text not in before:
                log.warning("drifted_from_normal", camera=camera_id, says=text)

    def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:
        """To metrics, and to the next verdict's record."""
        self._metrics.dropped(camera_id, cause, count)
        if cause not in ("busy", "shed", "inference"):
            return  # packets
        with self._lock:
            self._dropped[camera_id] = self._dropped.get(camera_id, 0) + count

    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None:
        """To metrics."""
        self._metrics.decoded(camera_id, pictures, keyframe_every_s)

    def fault(self, camera_id: str, fault: CameraFault) -> None:
        """To metrics."""
        self._metrics.camera_fault(camera_id, fault)

    def take_dropped(self, camera_id: str) -> int:
        """How many of the camera's windows were dropped since this was last asked."""
        with self._lock:
            return self._dropped.pop(camera_id, 0)


def _is_reconnect(before: CameraState | None, now: CameraState) -> bool:
    """Whether a further session began: a frozen camera may go on with its run, and one never seen has had none."""
    return before is not None and before.phase in _TROUBLE and now.phase == "streaming" and 0 < before.run < now.run


class Site:
    """A site's threads, from ``start`` to ``stop``."""

    def __init__(
        self,
        hub: Hub,
        cameras: Mapping[str, CameraParts],
        deliveries: Sequence[Delivery],
        outbox: Outbox,
        threads: EvidenceThreads,
        evidence: EvidenceSettings,
        clock: Clock,
        supervisor: Supervisor,
        workers: int,
        metrics: Metrics,
        inspection: Inspection | None = None,
    ) -> None:
        self._inspection = inspection
        self._hub, self._cameras, self._deliveries = hub, cameras, deliveries
        self._outbox, self._threads, self._clock = outbox, threads, clock
        self._sweep = Sweep(evidence, outbox, metrics, clock)
        self._supervisor = supervisor
        self._workers = min(workers, len(cameras))
        self._delivers = False
        self._ended_s: float | None = None

    def start(self) -> None:
        """Start deliveries, workers, cameras; returns at once.

        Raises:
            ModelLoadError: a model cannot be had.
            ConfigError: a camera's calibration does not load.
        """
        self._delivers = True
        for delivery in self._deliveries:
            delivery.start()
        self._threads.start()
        for number in range(self._workers):
            self._supervisor.start(
                f"worker-{number}", self._work, on_failure="restart", ask_to_end=self._hub.lanes.close
            )
        if (inspection := self._inspection) is not None:
            self._supervisor.start("inspection", inspection.work, on_failure="restart", ask_to_end=inspection.close)
            if (words := inspection.explaining) is not None:
                self._supervisor.start("explanations", words.work, on_failure="restart", ask_to_end=words.close)
        self._supervisor.start("caretaker", self._care, on_failure="restart")
        for parts in self._cameras.values():
            parts.unit.start()

    def finished(self) -> bool:
        """Whether every camera was a recording that has ended, or cannot be played any further, and its evidence is
        made; that is waited for as long as an alert is held for it."""
        if not all(parts.unit.join(0.0) for parts in self._cameras.values()):
            return False
        if self._ended_s is None:
            self._ended_s = self._clock.monotonic()
        return len(self._threads) == 0 or self._clock.monotonic() - self._ended_s >= HOLD_RESOLUTION_S

    def dead(self) -> tuple[str, ...]:
        """Names of the threads that should run and do not, for the liveness page."""
        if self._supervisor.stopping.is_set():
            return ()
        units = (f"unit-{name}" for name, parts in self._cameras.items() if parts.unit.dead)
        deliveries = (f"delivery-{one.name}" for one in self._deliveries if one.dead)
        return (*self._supervisor.dead(), *units, *self._threads.dead(), *deliveries)

    def stop(self, deadline_s: float) -> None:
        """End everything in order: cameras, windows under way, evidence, the outbox.

        Alerts that could not be delivered stay in the outbox; evidence that takes too long is left out of its alert.

        Raises:
            StageError: what did not end in time, by name, or the failure that ended the site.
        """
        ends_s = self._clock.monotonic() + deadline_s

        def left_s() -> float:
            return max(0.1, ends_s - self._clock.monotonic())

        self._supervisor.stopping.set()
        for parts in self._cameras.values():
            parts.unit.ask_to_stop()
        late = [f"camera {name}" for name, parts in self._cameras.items() if not parts.unit.stop(left_s() / 2)]
        problems: list[str] = []
        try:
            self._supervisor.stop(left_s() / 2)
        except StageError as error:
            problems.append(str(error))
        if not self._threads.stop(min(_EVIDENCE_S, left_s() / 2)):
            log.warning("evidence_unfinished", waiting=len(self._threads))
        self._outbox.let_go()
        for delivery in self._deliveries if self._delivers else ():
            self._drain(delivery, min(_DRAIN_S, left_s() / 2))
        late += [f"delivery {one.name}" for one in self._deliveries if not one.stop(left_s())]
        if late:
            problems.append(f"did not end within {deadline_s:g} s: {', '.join(late)}")
        if problems:
            raise StageError("; ".join(problems))
        self._outbox.close()

    def _drain(self, delivery: Delivery, timeout_s: float) -> None:
        try:
            waiting = delivery.drain(timeout_s)
        except SinkError as error:
            log.error("outbox_unreadable", sink=delivery.name, error=redact(str(error)))
            return
        if waiting:
            log.warning("outbox_kept", sink=delivery.name, pending=waiting)

    def _work(self) -> None:
        while True:
            with self._hub.lanes.take(_WAIT_S) as item:
                if item is not None:
                    self._walk(item)

    def _walk(self, item: Observed) -> None:
        camera_id = item.observed.window.camera_id
        try:
            self._cameras[camera_id].line.watch(item.observed, item.decode_ms)
        except Exception:
            # One window's failure is the camera's loss, never the worker's: other cameras need it.
            log.exception("window_failed", camera=camera_id)
            self._hub.dropped(camera_id, "inference", 1)

    def _care(self) -> None:
        while not self._clock.wait(self._supervisor.stopping, _CARE_S):
            self._sweep.when_due()  # first, as it makes room on a full disk
            for parts in self._cameras.values():
                parts.desk.tick()
