"""RTSP in, Kafka out, with the faults that sites have, on one running site."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest
from kafka import KafkaConsumer

from streamproc.testing_site import PASSWORD, LiveSite

pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(300)]

ODD_RULE = """\
  - id: odd-walking
    about: human
    says: anomaly
    text: Somebody walks.
    keywords: [walk]
    severity: error

"""


def health_states(live: LiveSite) -> list[str]:
    consumer = KafkaConsumer(
        "streamproc.health",
        bootstrap_servers=live.broker.bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=1500,
    )
    try:
        return [json.loads(record.value)["data"]["state"] for record in consumer]
    finally:
        consumer.close()


def journal(live: LiveSite) -> dict[str, str]:
    with sqlite3.connect(live.folder / "var" / "outbox.sqlite3") as db:
        return dict(db.execute("SELECT id, state FROM deliveries JOIN messages USING (seq)"))


def test_edit_faults_and_drain(live: LiveSite) -> None:
    live.wait(lambda: live.phase() == "streaming", 60, "the camera streams")
    live.wait(lambda: 'verdicts_total{camera="two",judgement="normal"} 3' in live.page("metrics"), 30, "three verdicts")
    assert live.alerts == []

    # A rule edit takes effect: the next alert names it and the file's hash.
    text = live.rules.read_text(encoding="utf-8")
    edited = text.replace("\nversion: 1\n", "\nversion: 2\n").replace(
        "  - id: normal-people-walk", ODD_RULE + "  - id: x-walk"
    )
    edited = edited.replace(
        "    says: normal\n    text: People walk here", "    says: anomaly\n    text: People walk here"
    )
    live.rules.write_text(edited, encoding="utf-8")
    live.wait(lambda: "rules_changed" in live.log.read_text(), 3, "the edit is in force")
    live.wait(lambda: live.alerts, 20, "an alert under the edited rules")
    first = live.alerts[0]["data"]
    assert first["action"] == "open"
    assert "odd-walking" in [rule["id"] for rule in first["cited_rules"]]
    assert first["rule_set"]["version"] == 2
    assert Path(first["evidence"]["snapshot_uri"].removeprefix("file://")).stat().st_size > 10_000

    # An invalid edit is refused, and what was in force stays.
    live.rules.write_text(edited.replace("says: anomaly", "says: maybe", 1), encoding="utf-8")
    live.wait(lambda: 'rule_reload_failures_total{camera="two"} 1' in live.page("metrics"), 5, "the edit is refused")
    assert "says: " in live.log.read_text()

    # The camera goes away and comes back: told, and a new run.
    live.server.kill()
    live.wait(lambda: live.phase() in ("lost", "connecting"), 15, "the loss is noticed")
    live.server.start()
    live.wait(lambda: live.phase() == "streaming", 45, "the camera is back")

    # SIGTERM drains: everything decided is delivered.
    assert live.stop() == 0, live.log.read_text()[-3000:]
    states = journal(live)
    assert states
    assert set(states.values()) == {"delivered"}
    assert live.read_all(set(states), within_s=10)
    told = health_states(live)
    assert "lost" in told
    assert "restored" in told

    # The password that opened the camera is nowhere in what was written.
    for path in live.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert PASSWORD.encode() not in data, path
            assert quote(PASSWORD, safe="").encode() not in data, path


@pytest.mark.parametrize("away_s", [5.0, pytest.param(60.0, marks=pytest.mark.slow)])
def test_frozen_camera_and_a_broker_that_is_away(live: LiveSite, away_s: float) -> None:
    text = live.rules.read_text(encoding="utf-8")
    live.rules.write_text(
        text.replace("rules:\n", "rules:\n" + ODD_RULE, 1).replace(
            "id: normal-people-walk\n    about: human\n    says: normal",
            "id: x-walk\n    about: human\n    says: anomaly",
        ),
        encoding="utf-8",
    )
    live.wait(lambda: live.alerts, 60, "the first alert")

    live.broker.stop()
    before = len(live.alerts)
    live.pause(away_s)
    live.wait(lambda: "delivery_failed" in live.log.read_text(), 15, "the outage is noticed")
    assert live.phase() == "streaming"  # a broker that is away stops no camera
    live.broker.start()
    live.wait(lambda: len(live.alerts) > before, 45, "alerts of the outage arrive")

    live.server.freeze()
    live.wait(lambda: live.phase() in ("frozen", "lost", "connecting"), 15, "the freeze is noticed")
    live.server.thaw()
    live.wait(lambda: live.phase() == "streaming", 45, "the camera is back")

    assert live.stop() == 0, live.log.read_text()[-3000:]
    assert set(journal(live).values()) == {"delivered"}
    assert live.read_all(set(journal(live)), within_s=10)
