"""An alert, or a window's verdict, as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from streamproc.alerts.message import Alert, AlertData
from streamproc.types import Verdict


def describe(alert: Alert | Mapping[str, Any], *, timezone: str = "UTC") -> str:
    """Several lines: when, where and what; the rules; the votes; the reason; the evidence; the latency."""
    if not isinstance(alert, Alert):
        try:
            read = Alert.model_validate(alert)
        except ValidationError as error:
            one = alert.get("id", "a message without an id")
            return f"{one}: not an alert of this version ({error.error_count()} differences)"
    else:
        read = alert
    data = read.data
    lines = [_headline(data, timezone)]
    lines += [f"  rule      {rule.id}: {rule.text} ({rule.says})" for rule in data.cited_rules]
    lines += [f"  vote      {_vote(vote.model_dump())}" for vote in data.votes]
    lines.append(f"  reason    {data.reason}")
    lines += [f"  measured  {m.name} {m.value:g} {m.unit}; normal up to {m.normal:g}" for m in data.measurements]
    lines += [f"  {label:<9} {uri}" for label, uri in _evidence(data) if uri]
    lines += [f"  stand-in  {m.role}: {m.name} stands in for {m.stand_in_for}" for m in data.models if m.stand_in_for]
    lines += [f"  degraded  {text}" for text in data.pipeline.degraded]
    lines.append(f"  latency   {_latency(data)}")
    lines.append(f"  id        {read.id}")
    return "\n".join(lines)


def explain(verdict: Verdict, threshold: float, *, timezone: str = "UTC") -> str:
    """Several lines: when, the score against the alarm's ``threshold``, what was seen, the votes, the reason."""
    verdict_is = "ALARM" if verdict.alarm else "no alarm"
    lines = [
        f"{clock(verdict.captured_at, ZoneInfo(timezone), tenths=True)}  {verdict_is}  {verdict.judgement}: "
        f"score {verdict.score:.2f}, smoothed {verdict.smoothed:.2f}, alarm from {threshold:.2f}"
    ]
    lines += [f"  seen      {caption.text}" for caption in verdict.captions]
    for rule in verdict.cited_rules:
        weight = f", weight {rule.weight:g}" if rule.weight != 1.0 else ""
        lines.append(f"  rule      {rule.id}: {rule.text} ({rule.says}{weight})")
    lines += [f"  vote      {_vote(asdict(vote))}: {vote.reason}" for vote in verdict.votes]
    lines.append(f"  reason    {verdict.reason}")
    return "\n".join(lines)


def explained(verdict: Verdict, threshold: float) -> dict[str, Any]:
    """The same for programs, in JSON's types."""
    return {
        "time": verdict.captured_at.isoformat(),
        "alarm": verdict.alarm,
        "judgement": verdict.judgement,
        "score": verdict.score,
        "smoothed": verdict.smoothed,
        "threshold": threshold,
        "captions": [caption.text for caption in verdict.captions],
        "cited_rules": [rule.id for rule in verdict.cited_rules],
        "votes": [asdict(vote) for vote in verdict.votes],
        "reason": verdict.reason,
    }


def _headline(data: AlertData, timezone: str) -> str:
    zone = ZoneInfo(timezone)
    place = f"{data.camera.name}, {data.camera.zone}" if data.camera.zone else data.camera.name
    head = f"{clock(data.captured_at, zone)}  {data.action.upper()}  {data.severity}  {place}: {data.category}"
    if data.end is not None:
        head += f" ({(data.end - data.start).total_seconds():.0f} s, from {clock(data.start, zone)})"
    return head


def clock(time: datetime, zone: ZoneInfo, *, tenths: bool = False) -> str:
    """``time`` in ``zone``, to the second or a tenth, with the zone's name."""
    local = time.astimezone(zone)
    tenth = f".{local.microsecond // 100_000}" if tenths else ""
    return f"{local:%Y-%m-%d %H:%M:%S}{tenth} {local.tzname() or ''}"


def _vote(vote: dict[str, Any]) -> str:
    cites = f", cites {', '.join(vote['cites'])}" if vote["cites"] else ""
    void = f"; void: {vote['void']}" if vote["void"] else ""
    return f"{vote['voter']}: {vote['verdict']} (weight {vote['weight']:g}{cites}){void}"


def _evidence(data: AlertData) -> tuple[tuple[str, str | None], ...]:
    heatmaps = [("heat map", one.heatmap_uri) for one in data.objects]
    return ("picture", data.evidence.snapshot_uri), ("clip", data.evidence.clip_uri), *heatmaps


def _latency(data: AlertData) -> str:
    stages = ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in data.pipeline.latency_ms.items())
    if data.clock.source == "replay":
        return stages
    total_s = (data.published_at - data.captured_at).total_seconds()
    return f"{total_s:.2f} s from capture to the outbox ({stages})"
