"""Verdicts become incidents: one at a time for a camera and kind, opened, updated and resolved.

Nothing here sleeps or looks at a clock. Within a run media time decides; across runs, and after a restart, capture
times do. ``tick`` is for cameras that went silent, which a clock that cannot be set tells; a replay never calls it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from streamproc.alerts.message import Action, Alert, UtcTime, alert_id
from streamproc.alerts.schedule import is_watched
from streamproc.config import IncidentSettings, Schedule
from streamproc.severity import RANK
from streamproc.types import CameraState, Kind, Severity, Verdict

_OTHER_PROCESS = {"run": None, "first_run": None, "last_told_run": None}
_TROUBLE = ("connecting", "lost", "refused", "frozen")


class Incident(BaseModel):
    """One situation that goes on at a camera, as it is stored in the outbox."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    alert_id: str
    camera_id: str
    kind: Kind
    revision: int
    """Of the last message."""
    suppressed: bool
    """It began at an hour at which the camera is not watched: said once, never opened."""
    severity: Severity
    score_max: float = 0.0
    """The highest smoothed score so far."""
    rule_ids: tuple[str, ...]
    started_at: UtcTime
    last_alarm_at: UtcTime
    """Capture of the last window with an alarm."""
    last_seen_at: UtcTime
    """Capture of the last window judged."""
    last_told_at: UtcTime
    """Capture of the window that the last message was about."""
    last_told_run: int | None = None
    """Its run; None where it was another process's run."""
    last_told_pts_s: float = 0.0
    run: int | None
    """Run of the last alarm; None where it was another process's run."""
    last_alarm_pts_s: float
    first_run: int | None = None
    """Run of the first window; None where it was another process's run."""
    first_pts_s: float = 0.0
    last_alert: Alert | None = None
    """The last message; its resolution repeats it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be told about an incident; ``action`` None has it forgotten without a message."""

    action: Action | None
    incident: Incident
    at: datetime
    """Capture time of what led to it, UTC."""
    reason: str
    verdict: Verdict | None = None
    """The verdict behind it; None for a resolution."""


class Incidents:
    """The incidents of one camera. One caller at a time."""

    def __init__(
        self,
        site: str,
        camera: str,
        settings: IncidentSettings,
        *,
        schedules: Sequence[Schedule] = (),
        timezone: str = "UTC",
        silence_s: float = 30.0,
        stored: Iterable[str] = (),
    ) -> None:
        """``stored`` are incidents as an earlier process left them (``Incident`` as JSON); they are gone on with.

        ``silence_s`` is how long beyond ``resolve_after_s`` an incident outlives a camera that gives no verdict.
        """
        self._site, self._camera, self._settings = site, camera, settings
        self._schedules, self._timezone, self._silence_s = schedules, timezone, silence_s
        read = [Incident.model_validate_json(text) for text in stored]
        self._open: dict[Kind, Incident] = {i.kind: i.model_copy(update=_OTHER_PROCESS) for i in read}
        self._heard_s: dict[Kind, float] = {}
        self._trouble: CameraState | None = None

    @property
    def open(self) -> dict[Kind, Incident]:
        """What goes on, by kind; a copy, to be handed to ``restore`` where its messages could not be decided."""
        return dict(self._open)

    def restore(self, before: dict[Kind, Incident]) -> None:
        """Go back to an earlier ``open``."""
        self._open = dict(before)

    def told(self, alert: Alert, incident: Incident) -> Incident:
        """Note the message made for a decision; returns the incident as it is to be stored."""
        incident = incident.model_copy(update={"last_alert": alert})
        current = self._open.get(incident.kind)
        if current is not None and current.alert_id == incident.alert_id:
            self._open[incident.kind] = incident
        return incident

    def feed(self, verdict: Verdict, heard_s: float) -> list[Decision]:
        """What a verdict changes, in order; often nothing. ``heard_s`` is when it came, on a monotonic clock."""
        decisions: list[Decision] = []
        self._heard_s[verdict.kind] = heard_s
        current = self._open.get(verdict.kind)
        if current is not None and self._is_over(current, verdict):
            why = f"No alarm for {self._settings.resolve_after_s:g} s."
            decisions.append(self._close(current, verdict.captured_at, why))
            current = None
        if not verdict.alarm:
            if current is not None:
                self._open[verdict.kind] = current.model_copy(update={"last_seen_at": verdict.captured_at})
            return decisions
        watched = is_watched(self._schedules, self._timezone, verdict.captured_at)
        if current is not None and current.suppressed and watched:
            decisions.append(self._close(current, verdict.captured_at, "The camera is watched again."))
            current = None
        if current is None:
            decisions.append(self._begin(verdict, watched))
        else:
            decisions += self._go_on(current, verdict)
        return decisions

    def tick(self, now: datetime, now_s: float) -> list[Decision]:
        """Resolve what has had no verdict for ``resolve_after_s + silence_s``.

        ``now_s`` is on the clock of ``heard_s`` and decides; the wall clock's ``now`` labels, and decides only about
        what an earlier process left.
        """
        bound_s = self._settings.resolve_after_s + self._silence_s
        decisions = []
        for incident in list(self._open.values()):
            silent_s = now_s - self._heard_s.setdefault(incident.kind, now_s)
            if incident.run is None:
                silent_s = max(silent_s, (now - incident.last_seen_at).total_seconds())
            if silent_s >= bound_s:
                decisions.append(self._close(incident, now, self._why_silent(silent_s)))
        return decisions

    def camera_changed(self, state: CameraState) -> list[Decision]:
        """Note a change in the camera's condition; a source that ended for good resolves what goes on."""
        if state.phase == "ended":
            return self.finish(state.at, "The source ended.")
        if state.phase != "connecting" or self._trouble is None:  # trying again says less than why it was lost
            self._trouble = state if state.phase in _TROUBLE else None
        return []

    def finish(self, at: datetime, reason: str) -> list[Decision]:
        """Resolve everything, at the end of a replay."""
        return [self._close(incident, at, reason) for incident in list(self._open.values())]

    def _why_silent(self, silent_s: float) -> str:
        if self._trouble is None:
            return f"Nothing was judged on this camera for {silent_s:.0f} s."
        detail = f" ({self._trouble.detail})" if self._trouble.detail else ""
        return f"The camera is {self._trouble.phase}{detail}; nothing was judged for {silent_s:.0f} s."

    def _is_over(self, incident: Incident, verdict: Verdict) -> bool:
        if verdict.run == incident.run:
            calm_s = verdict.pts_s - incident.last_alarm_pts_s
        elif verdict.captured_at < incident.started_at - timedelta(seconds=self._settings.resolve_after_s):
            return True  # an earlier recording is looked at: its incidents are others
        else:
            calm_s = (verdict.captured_at - incident.last_alarm_at).total_seconds()
        bound_s = self._settings.resolve_after_s
        if incident.run is None:  # alarms between two messages are not stored, so the stored time may be that old
            bound_s += self._settings.update_every_s
        if verdict.alarm:
            return calm_s > bound_s
        if verdict.judgement == "unknown":  # a model that is down has not seen calm
            return calm_s >= bound_s + self._silence_s
        return calm_s >= bound_s

    def _begin(self, verdict: Verdict, watched: bool) -> Decision:
        incident = Incident(
            alert_id=alert_id(self._site, self._camera, verdict.kind, verdict.captured_at),
            camera_id=self._camera,
            kind=verdict.kind,
            revision=1,
            suppressed=not watched,
            severity=verdict.severity,
            score_max=verdict.smoothed,
            rule_ids=tuple(rule.id for rule in verdict.cited_rules),
            started_at=verdict.captured_at,
            last_alarm_at=verdict.captured_at,
            last_seen_at=verdict.captured_at,
            last_told_at=verdict.captured_at,
            last_told_run=verdict.run,
            last_told_pts_s=verdict.pts_s,
            run=verdict.run,
            last_alarm_pts_s=verdict.pts_s,
            first_run=verdict.run,
            first_pts_s=verdict.pts_s,
        )
        self._open[verdict.kind] = incident
        if watched:
            return Decision("open", incident, verdict.captured_at, verdict.reason, verdict)
        reason = f"The camera is not watched at this hour. {verdict.reason}"
        return Decision("suppress", incident, verdict.captured_at, reason, verdict)

    def _go_on(self, incident: Incident, verdict: Verdict) -> list[Decision]:
        rules = tuple(dict.fromkeys((*incident.rule_ids, *(rule.id for rule in verdict.cited_rules))))
        severity = max(incident.severity, verdict.severity, key=RANK.__getitem__)
        tell = not incident.suppressed and (
            rules != incident.rule_ids or severity != incident.severity or self._is_due(incident, verdict)
        )
        incident = incident.model_copy(
            update={
                "rule_ids": rules,
                "severity": severity,
                "score_max": max(incident.score_max, verdict.smoothed),
                "revision": incident.revision + tell,
                "last_alarm_at": verdict.captured_at,
                "last_seen_at": verdict.captured_at,
                "run": verdict.run,
                "last_alarm_pts_s": verdict.pts_s,
            }
        )
        if tell:
            told = {"last_told_at": verdict.captured_at, "last_told_run": verdict.run, "last_told_pts_s": verdict.pts_s}
            incident = incident.model_copy(update=told)
        self._open[verdict.kind] = incident
        return [Decision("update", incident, verdict.captured_at, verdict.reason, verdict)] if tell else []

    def _is_due(self, incident: Incident, verdict: Verdict) -> bool:
        if verdict.run == incident.last_told_run:
            return verdict.pts_s - incident.last_told_pts_s >= self._settings.update_every_s
        since_told_s = (verdict.captured_at - incident.last_told_at).total_seconds()
        return since_told_s < 0 or since_told_s >= self._settings.update_every_s  # a clock set back delays nothing

    def _close(self, incident: Incident, at: datetime, reason: str) -> Decision:
        del self._open[incident.kind]
        if incident.suppressed or incident.last_alert is None:
            return Decision(None, incident, at, reason)
        return Decision("resolve", incident.model_copy(update={"revision": incident.revision + 1}), at, reason)
