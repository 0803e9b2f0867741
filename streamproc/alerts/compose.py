"""An alert's message from a verdict and the state of its incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import assert_never

from streamproc.alerts.incidents import Decision
from streamproc.alerts.message import (
    Alert,
    AlertData,
    CameraRef,
    CaptionRecord,
    CitedRule,
    ClockNote,
    EvidenceRef,
    MeasurementRecord,
    ModelRecord,
    ObjectRecord,
    PipelineNote,
    RuleSetRef,
    SiteRef,
    VoteRecord,
)
from streamproc.config import CameraSettings, SiteIdentity
from streamproc.secrets import redact
from streamproc.types import Explained, Measurement, ModelRef, Part, Verdict

_RECEIPT = ClockNote(source="receipt")

NOT_READY = "no evidence yet: it was not made in time, or lost with the process"
"""Said by a message as it is stored while its evidence is still to be made; ``attach`` takes it back."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What is the same in all alerts of a camera."""

    site: SiteIdentity
    camera: CameraSettings
    clock: ClockNote = _RECEIPT


def build_alert(
    decision: Decision,
    origin: Origin,
    *,
    published_at: datetime,
    evidence: EvidenceRef | None = None,
    heatmaps: Sequence[str | None] = (),
    publish_ms: float = 0.0,
    degraded: Sequence[str] = (),
    explained: Sequence[Explained] = (),
) -> Alert:
    """The message for a decision.

    ``published_at`` is UTC; ``publish_ms`` the milliseconds since the verdict; ``degraded`` adds to the verdict's.
    A resolution repeats the incident's last message with its end and the reason, and with what of ``explained`` that
    did not say; ``heatmaps`` are those of its objects.

    Raises:
        ValueError: the decision has no message.
    """
    match decision.action:
        case None:
            raise ValueError("the decision has no message")
        case "resolve":
            data = _resolution(decision, published_at, evidence, publish_ms, degraded, explained)
            data = data.model_copy(update={"objects": _with_heatmaps(data.objects, heatmaps)})
        case "open" | "update" | "suppress":
            data = _data(decision, origin, published_at, evidence, publish_ms, degraded)
        case _:
            assert_never(decision.action)
    return Alert(
        id=f"{data.alert_id}-{data.revision}",
        source=f"//{origin.site.id}/{origin.camera.id}",
        subject=origin.camera.id,
        time=decision.at,
        data=data,
    )


def attach(alert: Alert, evidence: EvidenceRef, degraded: Sequence[str], heatmaps: Sequence[str | None] = ()) -> Alert:
    """The alert with its evidence, and ``degraded`` saying what of it is missing in place of ``NOT_READY``;
    ``heatmaps`` are addresses by object, in order."""
    note = alert.data.pipeline
    said = (*(text for text in note.degraded if text != NOT_READY), *(redact(text) for text in degraded))
    note = note.model_copy(update={"degraded": tuple(dict.fromkeys(said))})
    objects = _with_heatmaps(alert.data.objects, heatmaps)
    return alert.model_copy(
        update={"data": alert.data.model_copy(update={"evidence": evidence, "pipeline": note, "objects": objects})},
    )


def _with_heatmaps(objects: tuple[ObjectRecord, ...], heatmaps: Sequence[str | None]) -> tuple[ObjectRecord, ...]:
    return tuple(
        one if uri is None else one.model_copy(update={"heatmap_uri": uri})
        for one, uri in zip_longest(objects, heatmaps[: len(objects)])
    )


def _resolution(
    decision: Decision,
    published_at: datetime,
    evidence: EvidenceRef | None,
    publish_ms: float,
    degraded: Sequence[str],
    explained: Sequence[Explained],
) -> AlertData:
    incident = decision.incident
    if incident.last_alert is None:
        raise ValueError("an incident that was never told has nothing to resolve")
    last = incident.last_alert.data
    words = dict.fromkeys(one.text for one in explained if one.text and redact(one.text) not in last.reason)
    speakers = [_model(one.model) for one in explained if one.model is not None]
    reasons = dict.fromkeys(redact(one.missing) for one in explained if one.missing)
    missing = [text for text in reasons if text not in last.pipeline.degraded]
    return last.model_copy(
        update={
            "revision": incident.revision,
            "action": "resolve",
            "end": max(incident.started_at, incident.last_alarm_at),  # later, unless the clock was set back
            "captured_at": decision.at,
            "score_max": _unit(max(incident.score_max, last.score)),
            "published_at": published_at,
            "reason": redact(" ".join([f"{decision.reason} It was: {last.reason}", *words])),
            "models": tuple(dict.fromkeys((*last.models, *speakers))),
            "evidence": evidence or last.evidence,
            "pipeline": PipelineNote(
                latency_ms={"publish": round(publish_ms, 1)}, dropped_windows=0, degraded=(*degraded, *missing)
            ),
        }
    )


def _data(
    decision: Decision,
    origin: Origin,
    published_at: datetime,
    evidence: EvidenceRef | None,
    publish_ms: float,
    degraded: Sequence[str],
) -> AlertData:
    verdict, incident = decision.verdict, decision.incident
    if verdict is None:
        raise ValueError(f"{decision.action} needs its verdict")
    site, camera = origin.site, origin.camera
    action = decision.action
    assert action is not None  # noqa: S101 - told apart by the caller
    return AlertData(
        alert_id=incident.alert_id,
        revision=incident.revision,
        action=action,
        kind=verdict.kind,
        dedup_key=f"{site.id}/{camera.id}/{verdict.kind}",
        severity=incident.severity,
        score=_unit(verdict.smoothed),
        score_max=_unit(incident.score_max),
        category=verdict.category,
        site=SiteRef(id=site.id, name=site.name or site.id),
        camera=CameraRef(id=camera.id, name=camera.name or camera.id, zone=verdict.zone),
        start=incident.started_at,
        captured_at=verdict.captured_at,
        published_at=published_at,
        clock=origin.clock,
        rule_set=RuleSetRef(id=verdict.rule_set.id, version=verdict.rule_set.version, sha256=verdict.rule_set.sha256),
        cited_rules=_cited(decision, verdict),
        votes=tuple(
            VoteRecord(
                voter=v.voter, verdict=v.verdict, cites=v.cites, weight=v.weight, score=_unit(v.score), void=v.void
            )
            for v in verdict.votes
        ),
        captions=tuple(CaptionRecord(pts_s=c.pts_s, text=c.text) for c in verdict.captions),
        measurements=tuple(_measurement(part) for m in verdict.measurements for part in m.parts or [m]),
        reason=redact(decision.reason),
        models=tuple(map(_model, verdict.models)),
        objects=tuple(
            ObjectRecord(
                label=o.label,
                box_norm=o.box_norm,
                pred_score=o.pred_score,
                text=o.text,
                crop_uri=o.crop_uri,
                heatmap_uri=o.heatmap_uri,
            )
            for o in verdict.objects
        ),
        evidence=evidence or EvidenceRef(),
        pipeline=PipelineNote(
            latency_ms=_rounded({**verdict.latency_ms, "publish": publish_ms}),
            dropped_windows=verdict.dropped_windows,
            degraded=tuple(redact(text) for text in dict.fromkeys((*verdict.degraded, *degraded))),
        ),
    )


def _model(model: ModelRef) -> ModelRecord:
    return ModelRecord(
        role=model.role,
        name=model.name,
        revision=model.revision,
        prompt_sha256=model.prompt_sha256,
        stand_in_for=model.stand_in_for,
    )


def _cited(decision: Decision, verdict: Verdict) -> tuple[CitedRule, ...]:
    """The rules told of before and those that joined, in the words of the rule set in force."""
    last = decision.incident.last_alert
    cited = {rule.id: rule for rule in last.data.cited_rules} if last else {}
    cited |= {rule.id: CitedRule(id=rule.id, text=rule.text, says=rule.says) for rule in verdict.cited_rules}
    return tuple(cited.values())


def _measurement(measured: Measurement | Part) -> MeasurementRecord:
    return MeasurementRecord(
        name=measured.name, value=round(measured.value, 3), unit=measured.unit, normal=round(measured.normal, 3)
    )


def _unit(score: float) -> float:
    return min(1.0, max(0.0, score))


def _rounded(latency_ms: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(value, 1) for stage, value in latency_ms.items()}
