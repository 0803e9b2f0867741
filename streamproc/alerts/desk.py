"""One camera's verdicts to decided alerts: incident, message, outbox, and then evidence, in that order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol

import structlog

from streamproc.alerts.compose import NOT_READY, Origin, build_alert
from streamproc.alerts.evidence_desk import EvidenceDesk, Gathered
from streamproc.alerts.incidents import Decision, Incident, Incidents
from streamproc.alerts.message import Action, Alert, AlertData
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.sinks import Outgoing
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.types import CameraState, Explained, Picture, Verdict

log = structlog.get_logger(__name__)


class DeskMetrics(Protocol):
    """What is counted; ``observability.metrics.Metrics`` is one."""

    def alert_decided(self, camera_id: str, action: Action) -> None: ...

    def incidents_open(self, camera_id: str, count: int) -> None: ...

    def latency(self, stage: Literal["publish"], seconds: float) -> None: ...


class AlertDesk:
    """Decides a camera's alerts. Any thread may call it; calls take turns."""

    def __init__(
        self,
        origin: Origin,
        incidents: Incidents,
        outbox: Outbox,
        *,
        evidence: EvidenceDesk | None = None,
        on_ready: Callable[[Alert], None] | None = None,
        metrics: DeskMetrics | None = None,
        clock: Clock | None = None,
        explained: Callable[[], Sequence[Explained]] = tuple,
    ) -> None:
        """``on_ready`` is given each alert, as it goes out, once it may; any thread calls it. Without ``evidence``
        none is made. ``explained`` takes what has been said of the camera's defects: it is asked where their incident
        begins, so that what was before is not told of it, and where it ends."""
        self._origin, self._incidents, self._outbox = origin, incidents, outbox
        self._evidence = evidence
        self._on_ready, self._metrics = on_ready, metrics
        self._clock = clock or SystemClock()
        self._explained = explained
        self._taken: tuple[Explained, ...] = ()  # for a resolution that is not stored yet
        self._turn = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether an incident of behaviour is open; asked before a window is judged, so it may lag by one.

        A defect may last for days: no reason to look at every window of a scene in which nothing moves.
        """
        incident = self._incidents.open.get("behaviour")
        return incident is not None and not incident.suppressed

    def feed(self, verdict: Verdict, picture: Picture | None = None) -> list[Alert]:
        """What is decided on a verdict, as it is stored: without its evidence. ``picture`` is its window's last frame.

        Raises:
            SinkError: the outbox could not store it. Nothing is decided, and the next verdict is judged as if this
                one had not been.
        """
        return self._decide(lambda: self._incidents.feed(verdict, self._clock.monotonic()), picture, verdict)

    def tick(self) -> list[Alert]:
        """Resolve what a silent camera left open; call it every few seconds, never in a replay."""
        return self._decide(lambda: self._incidents.tick(self._clock.now(), self._clock.monotonic()))

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
                decided = self._store(ask(), picture, verdict, started_s)
            except BaseException:
                self._incidents.restore(before)
                raise
            still_open = sum(not incident.suppressed for incident in self._incidents.open.values())
            if self._metrics is not None:
                self._metrics.incidents_open(self._origin.camera.id, still_open)
                if decided:
                    self._metrics.latency("publish", self._clock.monotonic() - started_s)
            for alert, gathered in decided:
                self._tell(alert)
                if gathered is None or self._evidence is None:
                    self._ready(alert)
                else:
                    self._evidence.make(alert, gathered, self._ready)
        return [alert for alert, _ in decided]

    def _store(
        self, decisions: Sequence[Decision], picture: Picture | None, verdict: Verdict | None, started_s: float
    ) -> list[tuple[Alert, Gathered | None]]:
        decided: list[tuple[Alert, Gathered | None]] = []
        states: dict[tuple[str, str], str | None] = {}
        for decision in decisions:
            place = (decision.incident.camera_id, decision.incident.kind)
            states[place] = None
            words = self._words(decision)
            if decision.action is None:
                continue
            gathered = self._evidence.gather(decision, picture, verdict) if self._evidence is not None else None
            kept = self._kept(decision.incident)
            alert = build_alert(
                decision,
                self._origin,
                published_at=self._clock.now(),
                evidence=kept.evidence if kept is not None else None,
                heatmaps=[one.heatmap_uri for one in kept.objects] if kept is not None else (),
                publish_ms=1000 * (self._clock.monotonic() - started_s),
                degraded=() if gathered is None else (NOT_READY,),
                explained=words,
            )
            incident = self._incidents.told(alert, decision.incident)
            if decision.action != "resolve":
                states[place] = incident.model_dump_json()
            decided.append((alert, gathered))
        if not states:
            return []
        out = [Outgoing(alert.id, alert.subject, alert.body()) for alert, _ in decided]
        held = {alert.id: gathered.hold_s for alert, gathered in decided if gathered is not None}
        new = set(self._outbox.decide(out, states, held))
        if any(_ends_defects(decision) for decision in decisions):
            self._taken = ()
        return [one for one in decided if one[0].id in new]

    def _words(self, decision: Decision) -> tuple[Explained, ...]:
        """Of the defects whose incident the decision ends; where it begins one, what was before is dropped."""
        if decision.incident.kind != "defect" or decision.action == "update":
            return ()
        said = self._explained()
        if not _ends_defects(decision):
            return ()
        self._taken = tuple(dict.fromkeys((*self._taken, *said)))
        return self._taken

    def _kept(self, incident: Incident) -> AlertData | None:
        """The incident's last message as it went out: its evidence came after the incident was stored."""
        if incident.last_alert is None:
            return None
        body = self._outbox.body(incident.last_alert.id)
        last = incident.last_alert if body is None else Alert.model_validate_json(body)
        return last.data

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

    def _ready(self, alert: Alert) -> None:
        if self._on_ready is not None:
            self._on_ready(alert)


def _ends_defects(decision: Decision) -> bool:
    return decision.incident.kind == "defect" and decision.action in (None, "resolve")
