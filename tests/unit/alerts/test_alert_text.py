"""An alert in a terminal, and the tail's handling of what is on the topic."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from kafka import errors as kafka_errors
from structlog.testing import capture_logs

from streamproc.alerts.compose import Origin, build_alert
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.message import Alert
from streamproc.alerts.tail import tail
from streamproc.alerts.text import describe
from streamproc.config import CameraSettings, IncidentSettings, KafkaSinkSettings, SiteIdentity
from streamproc.errors import ConfigError, DeliveryError
from streamproc.testing_alerts import START, verdict_at

SETTINGS = KafkaSinkSettings(kind="kafka", bootstrap_servers=("a:9092",))


def alert() -> Alert:
    origin = Origin(SiteIdentity(id="yard"), CameraSettings(id="gate", name="Gate", main="rtsp://cam/1"))
    decision = Incidents("yard", "gate", IncidentSettings()).feed(verdict_at(2.0), 0.0)[0]
    return build_alert(decision, origin, published_at=START + timedelta(seconds=3.5))


def test_a_person_reads_what_where_when_why_and_on_what() -> None:
    text = describe(json.loads(alert().body()), timezone="Europe/Zurich")
    assert text.splitlines()[0] == "2026-11-21 09:00:02 CET  OPEN  warning  Gate: people-hurry"
    for part in (
        "people-hurry: People hurry or run across the square. (anomaly)",
        "novelty: anomaly (weight 2, cites people-hurry)",
        "speed 3.1 times normal speed; normal up to 1.4",
        "scene stands in for a vision-language model behind vLLM",
        "1.50 s from capture to the outbox",
        alert().id,
    ):
        assert part in text


def test_what_is_no_alert_of_this_version_is_said_in_a_line() -> None:
    assert describe({"id": "x-1"}).startswith("x-1: not an alert of this version")


class FakeConsumer:
    """One partition; ``batches`` arrive one a poll."""

    def __init__(self, held: list[bytes], batches: list[list[bytes]], *, partitions: bool = True) -> None:
        self.held, self.batches, self.partitions = held, batches, partitions
        self.names = {"streamproc.alerts"}
        self.at, self.closed, self.started = 0, False, False

    def __call__(self, **settings: Any) -> FakeConsumer:
        assert (settings["group_id"], settings["allow_auto_create_topics"]) == (None, False)
        return self

    def topics(self) -> set[str]:
        return {"other"} | self.names

    def subscribe(self, topics: list[str]) -> None:
        assert topics == ["streamproc.alerts"]

    def assignment(self) -> set[str]:
        return {"p0"} if self.partitions else set()

    def end_offsets(self, partitions: set[str]) -> dict[str, int]:
        return {"p0": len(self.held)}

    def seek(self, partition: str, offset: int) -> None:
        self.at = offset

    def position(self, partition: str) -> int:
        return self.at

    def poll(self, timeout_ms: int) -> dict[str, list[Any]]:
        if self.started and self.at >= len(self.held) and self.batches:
            self.held += self.batches.pop(0)
        self.started = True
        values, self.at = self.held[self.at :], len(self.held)
        return {"p0": [type("Record", (), {"value": value}) for value in values]}

    def close(self) -> None:
        self.closed = True


def body(number: int) -> bytes:
    return json.dumps({"id": f"a-{number}"}).encode()


def test_from_the_beginning_each_id_once_and_rubbish_skipped() -> None:
    consumer = FakeConsumer([body(1), b"rubbish", b"[1]", b"{}", body(2), body(1)], [])
    read = tail(SETTINGS, from_beginning=True, follow=False, make_consumer=consumer)
    assert [one["id"] for one in read] == ["a-1", "a-2"]
    assert consumer.closed


def test_without_the_beginning_only_what_is_new() -> None:
    consumer = FakeConsumer([body(1)], [[body(2), body(2)], [body(3)]])
    read = tail(SETTINGS, make_consumer=consumer, stop=lambda: not consumer.batches and consumer.at == 4)
    assert [one["id"] for one in read] == ["a-2", "a-3"]


def test_following_nothing_ends_at_once_and_a_topic_without_a_broker_is_a_failure() -> None:
    assert list(tail(SETTINGS, follow=False, make_consumer=FakeConsumer([body(1)], []))) == []
    with pytest.raises(DeliveryError, match=r"no partition of topic streamproc\.alerts can be read"):
        list(tail(SETTINGS, follow=False, make_consumer=FakeConsumer([], [], partitions=False)))


def test_a_topic_that_is_not_there_is_said_and_is_waited_for_only_when_following() -> None:
    consumer = FakeConsumer([], [[body(1)]])
    consumer.names = set()
    with pytest.raises(ConfigError, match=r"there is no topic streamproc\.alerts"):
        list(tail(SETTINGS, follow=False, make_consumer=consumer))
    assert consumer.closed
    with capture_logs() as said:
        assert [one["id"] for one in tail(SETTINGS, make_consumer=consumer, stop=lambda: consumer.at == 1)] == ["a-1"]
    assert [(row["event"], row["topic"]) for row in said] == [("no_such_topic", "streamproc.alerts")]


def test_no_broker_is_a_delivery_error_that_says_where() -> None:
    def refuse(**_: Any) -> None:
        raise kafka_errors.KafkaTimeoutError("Unable to bootstrap")

    with pytest.raises(DeliveryError, match="a:9092"):
        list(tail(SETTINGS, make_consumer=refuse))
