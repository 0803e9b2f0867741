"""One camera's verdicts to decided alerts: incident, evidence, message, outbox, in that order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol

import structlog

from streamproc.alerts.compose import Origin, build_alert
from streamproc.alerts.evidence import Evidence, EvidenceWriter
from streamproc.alerts.incidents import Decision, Incidents
from streamproc.alerts.message import Action, Alert, EvidenceHashes, EvidenceRef
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.sinks import Outgoing
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.types import CameraState, PacketBatch, Picture, Verdict

log = structlog.get_logger(__name__)


class Ring(Protocol):
    """Where clips are cut from; ``sources.evidence.EvidenceRing`` is one."""

    def clip(self, run: int, start_s: float, end_s: float) -> PacketBatch | None: ...


class DeskMetrics(Protocol):
    """What is counted; ``observability.metrics.Metrics`` is one."""

    def alert_decided(self, camera_id: str, action: Action) -> None: ...

    def incidents_open(self, camera_id: str, count: int) -> None: ...

    def evidence_failed(self, camera_id: str) -> None: ...

    def latency(self, stage: Literal["publish"], seconds: float) -> None: ...


class AlertDesk:
    """Decides a camera's alerts. Any thread may call it; calls take turns."""

    def __init__(
        self,
        origin: Origin,
        incidents: Incidents,
        outbox: Outbox,
        *,
        evidence: EvidenceWriter | None = None,
        ring: Ring | None = None,
        on_decided: Callable[[Alert], None] | None = None,
        metrics: DeskMetrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``on_decided`` is called after the transaction, to wake the deliveries. Without ``evidence`` none is made."""
        self._origin, self._incidents, self._outbox = origin, incidents, outbox
        self._evidence, self._ring = evidence, ring
        self._on_decided, self._metrics = on_decided, metrics
        self._clock = clock or SystemClock()
        self._turn = threading.Lock()
        self._run_starts: dict[str, tuple[int, float]] = {}

    @property
    def busy(self) -> bool:
        """Whether an incident is open; asked before a window is judged, so it may lag by one."""
        return any(not incident.suppressed for incident in self._incidents.open.values())

    def feed(self, verdict: Verdict, picture: Picture | None = None) -> list[Alert]:
        """What is decided on a verdict; ``picture`` is its window's last frame.

        Raises:
            SinkError: the outbox could not store it. Nothing is decided, and the next verdict is judged as if this
                one had not been.
        """
        return self._decide(lambda: self._incidents.feed(verdict), picture, verdict)

    def tick(self) -> list[Alert]:
        """Resolve what a silent camera left open; call it every few seconds, never in a replay."""
        return self._decide(lambda: self._incidents.tick(self._clock.now()))

    def camera_changed(self, state: CameraState) -> list[Alert]:
        """Note a change in the camera's condition."""
        return self._decide(lambda: self._incidents.camera_changed(state))

    def finish(self, at: datetime, reason: str) -> list[Alert]:
        """Resolve what goes on, at the end of a replay."""
        return self._decide(lambda: self._incidents.finish(at, reason))

    def _decide(
        self,
        ask: Callable[[], Sequence[Decision]],
        picture: Picture | None = None,
        verdict: Verdict | None = None,
    ) -> list[Alert]:
        started_s = self._clock.monotonic()
        with self._turn:
            before = self._incidents.open
            try:
                alerts = self._store(ask(), picture, verdict, started_s)
            except BaseException:
                self._incidents.restore(before)
                raise
            still_open = sum(not incident.suppressed for incident in self._incidents.open.values())
        for alert in alerts:
            self._tell(alert)
        if self._metrics is not None:
            self._metrics.incidents_open(self._origin.camera.id, still_open)
            if alerts:
                self._metrics.latency("publish", self._clock.monotonic() - started_s)
        return alerts

    def _store(
        self, decisions: Sequence[Decision], picture: Picture | None, verdict: Verdict | None, started_s: float
    ) -> list[Alert]:
        alerts: list[Alert] = []
        states: dict[tuple[str, str], str | None] = {}
        for decision in decisions:
            place = (decision.incident.camera_id, decision.incident.kind)
            states[place] = None
            if decision.action is None:
                continue
            made = self._make_evidence(decision, picture, verdict)
            alert = build_alert(
                decision,
                self._origin,
                published_at=self._clock.now(),
                evidence=made.ref,
                publish_ms=1000 * (self._clock.monotonic() - started_s),
                degraded=made.degraded,
            )
            incident = self._incidents.told(alert, decision.incident)
            if decision.action != "resolve":
                states[place] = incident.model_dump_json()
            alerts.append(alert)
        if states:
            out = [Outgoing(alert.id, alert.subject, alert.body()) for alert in alerts]
            new = set(self._outbox.decide(out, states))
            alerts = [alert for alert in alerts if alert.id in new]
        return alerts

    def _make_evidence(self, decision: Decision, picture: Picture | None, seen: Verdict | None) -> Evidence:
        last = decision.incident.last_alert
        kept = last.data.evidence if last is not None else EvidenceRef()
        if self._evidence is None or decision.action == "suppress":
            return Evidence(kept, ())
        incident = decision.incident
        key = incident.alert_id
        if decision.action == "open" and decision.verdict is not None:
            self._run_starts[key] = (decision.verdict.run, decision.verdict.pts_s)
        packets = self._cut(key, decision, seen)
        if packets is None and decision.action == "resolve":
            self._run_starts.pop(key, None)
            return Evidence(kept, ())  # the last clip is all there is: the camera is gone, or it was long ago
        made = self._evidence.write(
            key,
            incident.revision,
            decision.verdict,
            incident.severity,
            decision.at,
            picture=picture,
            packets=packets,
            # The opening's clip shows how it began, the resolution's how it went; updates would fill the disk between.
            with_clip=decision.action != "update",
        )
        if made.degraded and self._metrics is not None:
            self._metrics.evidence_failed(self._origin.camera.id)
        if decision.action == "resolve":
            self._run_starts.pop(key, None)
        return Evidence(_merged(kept, made.ref), (*made.degraded, *(packets.degraded if packets else ())))

    def _cut(self, key: str, decision: Decision, seen: Verdict | None) -> PacketBatch | None:
        """The run's packets from before the incident until now; from the run's start if it began in the midst."""
        until = decision.verdict or seen
        if self._ring is None or self._evidence is None or until is None:
            return None
        run, first_s = self._run_starts.get(key, (until.run, until.pts_s))
        if run != until.run:
            if decision.action == "resolve":
                return None  # this run has not seen the incident
            first_s = 0.0
        return self._ring.clip(until.run, max(0.0, first_s - self._evidence.before_s), until.pts_s)

    def _tell(self, alert: Alert) -> None:
        data = alert.data
        log.info(
            "alert_decided",
            camera=data.camera.id,
            action=data.action,
            severity=data.severity,
            category=data.category,
            id=alert.id,
        )
        if self._metrics is not None:
            self._metrics.alert_decided(data.camera.id, data.action)
        if self._on_decided is not None:
            self._on_decided(alert)


def _merged(kept: EvidenceRef, new: EvidenceRef) -> EvidenceRef:
    """The new evidence, and the last message's where there is no new one."""
    return EvidenceRef(
        snapshot_uri=new.snapshot_uri or kept.snapshot_uri,
        clip_uri=new.clip_uri or kept.clip_uri,
        sha256=EvidenceHashes(
            snapshot=new.sha256.snapshot or kept.sha256.snapshot, clip=new.sha256.clip or kept.sha256.clip
        ),
    )
