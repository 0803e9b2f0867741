"""Feedback as it is kept: one line an alert, changed and taken back, and the alert's own messages found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from streamproc.alerts.compose import Origin, build_alert
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.message import Alert
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.sinks import Outgoing
from streamproc.config import AlertSettings, CameraSettings, IncidentSettings, JsonlSinkSettings, SiteIdentity
from streamproc.errors import ConfigError
from streamproc.feedback.known import alert_id_of, messages_of
from streamproc.feedback.records import Says, feedback_path, load_feedback, put, recorded, withdraw
from streamproc.testing_alerts import START, verdict_at

ORIGIN = Origin(SiteIdentity(id="yard"), CameraSettings(id="gate", main="rtsp://cam/1"))


def messages(start_s: float = 1.0) -> tuple[Alert, ...]:
    """An incident's opening, an update and its resolution."""
    incidents = Incidents("yard", "gate", IncidentSettings(update_every_s=1.0))
    made = []
    for step, smoothed in enumerate((0.6, 0.8, 0.7)):
        verdict = replace(verdict_at(start_s + step), smoothed=smoothed)
        for decision in incidents.feed(verdict, 0.0):
            made.append(build_alert(decision, ORIGIN, published_at=START))
            incidents.told(made[-1], decision.incident)
    made += [build_alert(one, ORIGIN, published_at=START) for one in incidents.finish(START + timedelta(60), "Over.")]
    return tuple(made)


def said(start_s: float = 1.0, says: Says = "false", rule: str | None = None, note: str = "") -> str:
    return recorded(messages(start_s), says, rule, note, START).model_dump_json()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules" / "gate.yaml"


def test_what_is_kept_of_an_alert_is_what_the_rules_are_recalibrated_by() -> None:
    kept = recorded(messages(), "false", "people-hurry", "a jogger", START)
    assert kept.score == 0.8
    assert kept.cited == ("people-hurry",)
    assert [told.text for told in kept.windows] == ["One person hurries on the left, at 3.1 times the normal speed."]
    assert [vote.voter for vote in kept.windows[0].votes] == ["novelty"]
    with pytest.raises(ConfigError, match="cites people-hurry, not dog"):
        recorded(messages(), "false", "dog", "", START)


def test_a_line_an_alert_in_the_order_in_which_they_began(rules: Path) -> None:
    first, second = (recorded(messages(at), "right", None, "", START) for at in (1.0, 500.0))
    assert put(rules, second) is None
    assert put(rules, first) is None
    assert [json.loads(line)["alert_id"] for line in feedback_path(rules).read_text().splitlines()] == [
        first.alert_id,
        second.alert_id,
    ]
    assert list(load_feedback(rules).values()) == [first, second]
    assert feedback_path(rules).parent.stat().st_mode & 0o777 == 0o700


def test_it_may_be_changed_and_taken_back_and_said_twice(rules: Path) -> None:
    right, false = (recorded(messages(), says, None, "", START) for says in ("right", "false"))
    put(rules, right)
    assert put(rules, false) == right
    before = feedback_path(rules).stat().st_mtime_ns
    assert put(rules, false) == false
    assert feedback_path(rules).stat().st_mtime_ns == before
    assert withdraw(rules, false.alert_id) == false
    assert withdraw(rules, false.alert_id) is None
    assert load_feedback(rules) == {}


def test_a_line_that_was_spoilt_is_named_and_nothing_is_lost(rules: Path) -> None:
    put(rules, recorded(messages(), "right", None, "", START))
    with feedback_path(rules).open("a") as file:
        file.write("half a li")
    before = feedback_path(rules).read_bytes()
    with pytest.raises(ConfigError, match=r"gate\.jsonl:2: not a line of feedback"):
        put(rules, recorded(messages(500.0), "right", None, "", START))
    assert feedback_path(rules).read_bytes() == before


def test_an_alert_is_found_in_the_outbox_beside_the_process_that_has_it(tmp_path: Path) -> None:
    one = messages()
    settings = AlertSettings(outbox=tmp_path / "outbox.sqlite3", sinks=(JsonlSinkSettings(kind="jsonl"),))
    outbox = Outbox(settings.outbox, ("a",))
    try:
        outbox.decide([Outgoing(message.id, "gate", message.body()) for message in (*one, *messages(500.0))])
        assert messages_of(one[0].data.alert_id, settings) == one
    finally:
        outbox.close()
    assert messages_of(one[0].data.alert_id, settings) == one


def test_an_alert_is_found_in_a_file_of_alerts_and_once_where_it_is_in_both(tmp_path: Path) -> None:
    one, file = messages(), tmp_path / "alerts.jsonl"
    file.write_bytes(b"".join(message.body() + b"\n" for message in (*messages(500.0), *one)) + b'{"id": "' + b"torn")
    settings = AlertSettings(outbox=tmp_path / "none.sqlite3", sinks=(JsonlSinkSettings(kind="jsonl", path=file),))
    assert messages_of(one[0].data.alert_id, settings) == one
    assert messages_of(one[0].data.alert_id, settings.model_copy(update={"sinks": ()}), file) == one
    assert not settings.outbox.exists()


def test_an_alert_that_is_nowhere_is_said_with_where_was_looked(tmp_path: Path) -> None:
    settings = AlertSettings(outbox=tmp_path / "none.sqlite3", sinks=(JsonlSinkSettings(kind="jsonl"),))
    with pytest.raises(ConfigError, match=r"there is no alert a{32} in .*none\.sqlite3.*--alerts"):
        messages_of("a" * 32, settings)
    with pytest.raises(ConfigError, match="no such file of alerts"):
        messages_of("a" * 32, settings, tmp_path / "none.jsonl")
    settings.outbox.write_text("no database at all, but long enough to be taken for one")
    with pytest.raises(ConfigError, match="cannot be read"):
        messages_of("a" * 32, settings)


def test_an_id_is_an_alerts_or_a_messages() -> None:
    alert = messages()[1]
    assert alert_id_of(alert.id) == alert_id_of(alert.data.alert_id) == alert.data.alert_id
    with pytest.raises(ConfigError, match="is no alert's id"):
        alert_id_of("../gate")
