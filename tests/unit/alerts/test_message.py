"""The message: its schema as shipped, its ids, what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta, timezone

import jsonschema
import pytest

from streamproc.alerts.compose import Origin, build_alert
from streamproc.alerts.health import camera_health, dead_letter, part_health
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.message import Alert, alert_id
from streamproc.alerts.schema import MODELS, generate, load
from streamproc.config import CameraSettings, IncidentSettings, SiteIdentity
from streamproc.testing_alerts import START, verdict_at
from streamproc.types import CameraState, Verdict, Vote

ORIGIN = Origin(SiteIdentity(id="yard", name="The yard"), CameraSettings(id="gate", main="rtsp://cam/1"))


def opened(verdict: Verdict | None = None) -> Alert:
    decision = Incidents("yard", "gate", IncidentSettings()).feed(verdict or verdict_at(2.0), 0.0)[0]
    return build_alert(decision, ORIGIN, published_at=START + timedelta(seconds=3), publish_ms=12.3456)


def validate(name: str, body: str | bytes) -> None:
    schema = load(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(json.loads(body))


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_schema_is_the_models(name: str) -> None:
    assert load(name) == json.loads(generate(name)), "run: python -m streamproc.alerts.schema"


def test_an_alert_is_a_cloud_event_that_meets_the_schema() -> None:
    body = opened().body()
    validate("alert.v1", body)
    event = json.loads(body)
    assert event["specversion"] == "1.0"
    assert event["type"] == "streamproc.alert.v1"
    assert event["source"] == "//yard/gate"
    assert event["subject"] == "gate"
    assert event["time"] == "2026-11-21T08:00:02Z"
    data = event["data"]
    assert event["id"] == f"{data['alert_id']}-1"
    assert data["action"] == "open"
    assert data["cited_rules"] == [
        {"id": "people-hurry", "text": "People hurry or run across the square.", "says": "anomaly"}
    ]
    assert data["measurements"] == [{"name": "speed", "value": 3.1, "unit": "times normal speed", "normal": 1.4}]
    assert data["models"][0]["stand_in_for"] == "a vision-language model behind vLLM"
    assert data["pipeline"]["latency_ms"] == {
        "decode": 4.0, "queue": 1.0, "perception": 3.0, "deduction": 2.0, "publish": 12.3,
    }  # fmt: skip
    assert data["evidence"]["snapshot_uri"] is None


def test_the_schema_refuses_a_message_that_lacks_its_reason() -> None:
    event = json.loads(opened().body())
    del event["data"]["reason"]
    with pytest.raises(jsonschema.ValidationError, match="reason"):
        validate("alert.v1", json.dumps(event))


def test_a_newer_minor_form_is_still_read() -> None:
    event = json.loads(opened().body())
    event["data"]["something_new"] = 1
    assert Alert.model_validate(event).data.reason


def test_the_alert_id_is_of_the_moment_whatever_its_time_zone() -> None:
    first = alert_id("yard", "gate", "behaviour", START)
    assert first == alert_id("yard", "gate", "behaviour", START.astimezone(timezone(timedelta(hours=5))))
    others = {
        alert_id("yard", "door", "behaviour", START),
        alert_id("yard", "gate", "defect", START),
        alert_id("yard", "gate", "behaviour", START + timedelta(milliseconds=1)),
        alert_id("other", "gate", "behaviour", START),
    }
    assert len({first, *others}) == 5


def test_a_void_vote_says_why() -> None:
    void = Vote("llm", "anomaly", ("no-such-rule",), 2.0, 1.0, "x", void="cites no-such-rule, which is not there")
    data = opened(replace(verdict_at(2.0), votes=(void,))).data
    assert data.votes[0].void == "cites no-such-rule, which is not there"


def test_a_resolution_repeats_the_last_message_with_an_end() -> None:
    incidents = Incidents("yard", "gate", IncidentSettings(resolve_after_s=5))
    first = incidents.feed(verdict_at(2.0), 0.0)[0]
    alert = build_alert(first, ORIGIN, published_at=START)
    incidents.told(alert, first.incident)
    incidents.feed(verdict_at(4.0), 0.0)
    resolution = incidents.feed(verdict_at(9.0, alarm=False), 0.0)[0]
    resolved = build_alert(resolution, ORIGIN, published_at=START + timedelta(seconds=10))
    validate("alert.v1", resolved.body())
    assert resolved.id == f"{alert.data.alert_id}-2"
    assert resolved.data.action == "resolve"
    assert resolved.data.end == START + timedelta(seconds=4)
    assert resolved.data.captured_at == START + timedelta(seconds=9)
    assert resolved.data.cited_rules == alert.data.cited_rules
    assert resolved.data.reason.startswith("No alarm for 5 s.")
    assert resolved.data.category == alert.data.category


def test_health_messages_and_dead_letters_meet_their_schemas() -> None:
    lost = CameraState("gate", 2, "lost", START, "no packet for 5 s")
    back = camera_health("yard", CameraState("gate", 3, "streaming", START), previous="lost")
    validate("health.v1", camera_health("yard", lost).model_dump_json())
    validate("health.v1", back.model_dump_json())
    validate("health.v1", part_health("yard", "outbox", "kafka", available=False, at=START).model_dump_json())
    assert back.data.state == "restored"
    letter = dead_letter("a-1", "gate", "alerts", b"x" * 100_000, "too large", START)
    validate("dead-letter.v1", letter.model_dump_json())
    assert letter.data.size_bytes == 100_000
    assert len(letter.data.body) == 65_536


def test_a_health_message_holds_no_credential() -> None:
    state = CameraState("gate", 1, "refused", START, "rtsp://admin:hunter22@cam/1: 401")
    assert "hunter22" not in camera_health("yard", state).model_dump_json()


def test_a_message_tells_what_each_voter_held_and_the_incidents_highest_score() -> None:
    incidents = Incidents("yard", "gate", IncidentSettings(update_every_s=1.0, resolve_after_s=5.0))
    told = []
    for pts_s, smoothed in ((1.0, 0.6), (1.5, 0.9), (2.5, 0.7), (9.0, 0.1)):
        verdict = replace(verdict_at(pts_s, alarm=smoothed > 0.5), smoothed=smoothed)
        for decision in incidents.feed(verdict, 0.0):
            alert = build_alert(decision, ORIGIN, published_at=START)
            incidents.told(alert, decision.incident)
            told.append((alert.data.action, alert.data.score, alert.data.score_max))
            assert [vote.score for vote in alert.data.votes] == [0.9]
    assert told == [("open", 0.6, 0.6), ("update", 0.7, 0.9), ("resolve", 0.7, 0.9)]
