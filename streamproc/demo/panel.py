"""An alert from the topic as the demo shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streamproc.demo.consumer import Received

_STYLES = {"open": "bold red", "update": "yellow", "resolve": "green", "suppress": "dim"}


def panel(received: Received) -> Panel:
    """Camera, time, what, the cited rules, the votes, the reason with its measurement, the evidence, the latency.

    A message that lacks some of it is shown with what it has.
    """
    data = _part(received.message, "data")
    action = str(data.get("action", "?"))
    style = _STYLES.get(action, "bold")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _rows(received, data):
        table.add_row(label, Text(value))
    camera = _part(data, "camera")
    title = f"{action.upper()}  {camera.get('name') or camera.get('id') or '?'}"
    return Panel(table, title=Text(title, style), title_align="left", border_style=style)


def _rows(received: Received, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    captured = _time(data.get("captured_at"))
    yield "camera", str(_part(data, "camera").get("id", "?"))
    yield "time", _clock(captured) if captured else "?"
    yield "what", f"{data.get('category', '?')}, {data.get('severity', '?')}, score {_number(data.get('score'))}"
    start, end = _time(data.get("start")), _time(data.get("end"))
    if start and end:
        yield "lasted", f"{(end - start).total_seconds():.0f} s, from {_clock(start)}"
    rules = _list(data, "cited_rules")
    for rule in rules:
        yield "rule", f"{rule.get('id')}: “{rule.get('text')}” (says {rule.get('says')})"
    if not rules:
        yield "rule", "none cited: pure novelty"
    for vote in _list(data, "votes"):
        cites = ", ".join(vote.get("cites") or ())
        void = f"; void: {vote['void']}" if vote.get("void") else ""
        weight = f"weight {_number(vote.get('weight'))}"
        yield (
            "vote",
            f"{vote.get('voter')}: {vote.get('verdict')} ({weight}{', cites ' + cites if cites else ''}){void}",
        )
    yield "reason", str(data.get("reason", "?"))
    for one in _list(data, "measurements"):
        value, normal = _number(one.get("value")), _number(one.get("normal"))
        yield "measured", f"{one.get('name')} {value} {one.get('unit')}; normal here up to {normal}"
    yield "picture", _path(_part(data, "evidence").get("snapshot_uri"))
    for model in _list(data, "models"):
        if model.get("stand_in_for"):
            yield "stand-in", f"{model.get('role')}: {model.get('name')}, in place of {model['stand_in_for']}"
    if captured:
        topic_s = (received.on_topic_at - captured).total_seconds()
        here_s = (received.received_at - captured).total_seconds()
        yield "latency", f"{topic_s:.2f} s from capture to the topic, {here_s:.2f} s to this consumer"
    yield "id", str(received.message["id"])


def _part(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = message.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(message: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = message.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone() if isinstance(text, str) else None
    except ValueError:
        return None


def _clock(time: datetime) -> str:
    return time.strftime("%H:%M:%S") + f".{time.microsecond // 100_000}"


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else "?"


def _path(uri: object) -> str:
    if not isinstance(uri, str):
        return "none"
    return unquote(urlsplit(uri).path) if uri.startswith("file:") else uri
