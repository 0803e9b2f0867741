"""Real footage with the real models, replayed: who hurries is told, once and the same each time; who walks is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streamproc.replay import replay

pytestmark = [pytest.mark.integration, pytest.mark.models]

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
Part = Callable[[str, float, float], Path]


def play(site: Path, video: Path, evidence: Path | None = None) -> list[dict[str, Any]]:
    alerts: list[dict[str, Any]] = []
    replay(site, "two", video, START, evidence, alerts.append)
    return alerts


def test_who_hurries_is_told_with_its_reasons_and_the_same_each_time(site: Path, part: Part) -> None:
    clip = part("two", 54.0, 66.0)  # everybody hurries for six seconds, then walks
    evidence = site.parent / "evidence"
    alerts = play(site, clip, evidence)
    told = [alert["data"] for alert in alerts]
    assert [data["action"] for data in told] == ["open", "update", "resolve"]
    opened = told[0]
    assert "people-hurry" in [rule["id"] for rule in opened["cited_rules"]]
    assert "hurr" in opened["captions"][0]["text"]
    (speed,) = [one for one in opened["measurements"] if one["name"] == "speed"]
    assert speed["value"] > speed["normal"]
    assert f"{speed['value']:.1f}" in opened["reason"]
    assert "keyword" in [vote["voter"] for vote in opened["votes"] if vote["verdict"] == "anomaly"]
    assert opened["objects"][0]["label"] == "person"
    assert {model["role"] for model in opened["models"]} == {"detector", "embedding", "perception", "pose"}
    assert len({alert["id"] for alert in alerts}) == 3
    assert len({data["alert_id"] for data in told}) == 1
    # When it is "published" is the recording's time too, so the messages are the same to the byte.
    assert json.dumps(play(site, clip, evidence)) == json.dumps(alerts)


def test_who_walks_is_not_told(site: Path, part: Part) -> None:
    assert play(site, part("one", 0.0, 14.0)) == []
