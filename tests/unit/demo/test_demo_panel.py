"""What the demo shows of an alert, and of the pipeline's state."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from streamproc.alerts.compose import Origin, build_alert
from streamproc.alerts.incidents import Incidents
from streamproc.config import CameraSettings, IncidentSettings, SiteIdentity
from streamproc.demo.consumer import Received
from streamproc.demo.panel import panel
from streamproc.demo.pulse import parse, sentence
from streamproc.observability.metrics import Metrics
from streamproc.testing_alerts import START, verdict_at

ORIGIN = Origin(SiteIdentity(id="demo"), CameraSettings(id="two", name="Camera two", main="rtsp://127.0.0.1/two"))


def shown(message: dict[str, Any]) -> str:
    console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123 - closed with the process
    with console.file:
        console.print(panel(Received(message, START + timedelta(seconds=3.5), START + timedelta(seconds=3.75))))
        return console.export_text()


def messages() -> list[dict[str, Any]]:
    incidents = Incidents("demo", "two", IncidentSettings(resolve_after_s=5))
    found = []
    for second in (2.0, 4.0, 8.0, 12.0):
        for decision in incidents.feed(verdict_at(second, alarm=second < 5, camera="two"), 0.0):
            if decision.action is None:
                continue
            alert = build_alert(decision, ORIGIN, published_at=START + timedelta(seconds=second + 0.2), publish_ms=3)
            incidents.told(alert, decision.incident)
            found.append(json.loads(alert.body()))
    return found


def test_an_alert_is_shown_with_its_rule_votes_reason_measurement_and_latency() -> None:
    text = shown(messages()[0])
    for wanted in (
        "OPEN  Camera two",
        "people-hurry: “People hurry or run across the square.” (says anomaly)",
        "novelty: anomaly (weight 2, cites people-hurry)",
        "One person hurries on the left, at 3.1 times the normal speed.",
        "speed 3.1 times normal speed; normal here up to 1.4",
        "in place of a vision-language model behind vLLM",
        "1.50 s from capture to the topic, 1.75 s to this consumer",
    ):
        assert wanted in text


def test_the_path_of_the_picture_can_be_opened_as_it_is_shown() -> None:
    message = messages()[0]
    message["data"]["evidence"]["snapshot_uri"] = "file:///tmp/my%20demo/var/a.jpg"
    assert "/tmp/my demo/var/a.jpg" in shown(message)


def test_a_resolution_says_how_long_it_lasted() -> None:
    resolved = messages()[-1]
    assert resolved["data"]["action"] == "resolve"
    assert "RESOLVE  Camera two" in shown(resolved)
    assert "2 s, from" in shown(resolved)


@pytest.mark.parametrize(
    "message", [{"id": "x"}, {"id": "x", "data": None}, {"id": "x", "data": {"votes": 3, "score": "?", "start": 1}}]
)
def test_a_strange_message_is_shown_with_what_it_has(message: dict[str, Any]) -> None:
    assert "id" in shown(message)


def test_brackets_in_a_message_are_words_not_markup() -> None:
    message = messages()[0]
    message["data"]["reason"] = "[red]seen[/red] on [camera]"
    message["data"]["camera"]["name"] = "[blink]gate"
    assert "[red]seen[/red] on [camera]" in shown(message)
    assert "[blink]gate" in shown(message)


def page(metrics: Metrics) -> str:
    from prometheus_client import generate_latest

    return generate_latest(metrics.registry).decode()


def test_the_heartbeat_says_quiet_only_of_cameras_that_are_watched() -> None:
    metrics = Metrics(["one", "two"])
    for camera in ("one", "two"):
        metrics.camera_phase(camera, "streaming")
        metrics.window(camera)
        metrics.incidents_open(camera, 0)
    calm = "both cameras are watched and quiet: one quiet (1 windows looked at), two quiet (1 windows looked at)"
    assert sentence(parse(page(metrics))) == calm
    metrics.incidents_open("two", 1)
    metrics.dropped("two", "busy", 2)
    metrics.dropped("two", "inference", 1)
    said = sentence(parse(page(metrics)))
    assert said.startswith("both cameras are watched: one quiet")
    assert "two incident open (1 windows looked at, 3 dropped)" in said
    metrics.camera_phase("one", "lost")
    assert sentence(parse(page(metrics))).startswith("one is lost, two incident open")
    assert sentence({}) == "the pipeline does not answer"
