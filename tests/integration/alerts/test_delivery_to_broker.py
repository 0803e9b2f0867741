"""Verdict in, alert read back from a broker over the network; outages; refusals."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from kafka import KafkaConsumer

from streamproc.alerts.compose import Origin
from streamproc.alerts.delivery import Delivery
from streamproc.alerts.desk import AlertDesk
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.kafka import KafkaSink
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.schema import load
from streamproc.alerts.sinks import Outgoing
from streamproc.alerts.tail import tail
from streamproc.alerts.text import describe
from streamproc.config import CameraSettings, IncidentSettings, KafkaSinkSettings, SiteIdentity
from streamproc.demo.broker import DevBroker
from streamproc.testing_alerts import verdict_at

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[DevBroker]:
    with DevBroker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def settings(broker: DevBroker) -> KafkaSinkSettings:
    return KafkaSinkSettings(kind="kafka", bootstrap_servers=(broker.bootstrap,))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite3", ("kafka",))
    yield box
    box.close()


@pytest.fixture
def delivery(outbox: Outbox, settings: KafkaSinkSettings) -> Iterator[Delivery]:
    one = Delivery("kafka", KafkaSink(settings, timeout_s=2), outbox, site="yard", longest_wait_s=1)
    one.start()
    yield one
    assert one.stop(15)


def raw(settings: KafkaSinkSettings, topic: str) -> list[Any]:
    """Every record on a topic, repeats included."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=list(settings.bootstrap_servers),
        auto_offset_reset="earliest",
        group_id=None,
        consumer_timeout_ms=1500,
    )
    try:
        return list(consumer)
    finally:
        consumer.close()


def test_a_verdict_becomes_an_alert_that_a_consumer_reads(
    outbox: Outbox, delivery: Delivery, settings: KafkaSinkSettings
) -> None:
    desk = AlertDesk(
        Origin(SiteIdentity(id="yard"), CameraSettings(id="gate", main="rtsp://cam/1")),
        Incidents("yard", "gate", IncidentSettings()),
        outbox,
        on_ready=lambda _: delivery.wake(),
    )
    decided = [alert for s in range(25) for alert in desk.feed(verdict_at(float(s), alarm=2 <= s < 14))]
    assert delivery.drain(10) == 0
    read = list(tail(settings, from_beginning=True, follow=False))
    assert [alert["id"] for alert in read] == [alert.id for alert in decided]
    assert [alert["data"]["action"] for alert in read] == ["open", "update", "resolve"]
    validator = jsonschema.Draft202012Validator(load("alert.v1"))
    for alert in read:
        validator.validate(alert)
    assert "RESOLVE" in describe(read[-1])
    record = raw(settings, settings.alerts_topic)[0]
    assert record.key == b"gate"
    assert dict(record.headers)["content-type"].startswith(b"application/cloudevents+json")


def outlast(
    broker: DevBroker, outbox: Outbox, delivery: Delivery, settings: KafkaSinkSettings, outage_s: float
) -> None:
    """Decide alerts before, during and after an outage; each arrives, in order, once by id."""
    pause = threading.Event()

    def decide(first: int, count: int, every_s: float) -> None:
        for number in range(first, first + count):
            one = f"gate-{number:04d}"
            outbox.decide([Outgoing(one, "gate", json.dumps({"id": one}).encode())])
            delivery.wake()
            pause.wait(every_s)

    decide(0, 20, 0.01)
    broker.stop()
    decide(20, 20, outage_s / 20)
    assert outbox.backlog("kafka")[0] >= 19
    broker.start()
    decide(40, 20, 0.01)
    assert delivery.drain(30) == 0
    expected = [entry.id for entry in outbox.journal()]
    assert len(expected) == 60
    assert [alert["id"] for alert in tail(settings, from_beginning=True, follow=False)] == expected
    states = [json.loads(record.value)["data"]["state"] for record in raw(settings, settings.health_topic)]
    assert states == ["unavailable", "available"]


def test_an_outage_of_the_broker_is_outlasted(
    broker: DevBroker, outbox: Outbox, delivery: Delivery, settings: KafkaSinkSettings
) -> None:
    outlast(broker, outbox, delivery, settings, outage_s=4)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_minute_without_the_broker_is_outlasted(
    broker: DevBroker, outbox: Outbox, delivery: Delivery, settings: KafkaSinkSettings
) -> None:
    outlast(broker, outbox, delivery, settings, outage_s=60)


def test_a_broker_that_is_not_there_yet_is_waited_for(tmp_path: Path, outbox: Outbox) -> None:
    broker = DevBroker(tmp_path / "late")
    settings = KafkaSinkSettings(kind="kafka", bootstrap_servers=(broker.bootstrap,))
    delivery = Delivery("kafka", KafkaSink(settings, timeout_s=0.5), outbox, site="yard", longest_wait_s=0.5)
    delivery.start()
    outbox.decide([Outgoing("gate-1", "gate", b'{"id":"gate-1"}')])
    assert delivery.drain(1.5) == 2  # the alert, and the word that the broker is away
    with broker:
        assert delivery.drain(15) == 0
        assert [alert["id"] for alert in tail(settings, from_beginning=True, follow=False)] == ["gate-1"]
        assert delivery.stop(15)


def test_a_message_that_is_too_large_lies_on_the_dead_letter_topic(
    outbox: Outbox, delivery: Delivery, settings: KafkaSinkSettings
) -> None:
    big = Outgoing("gate-2", "gate", b'{"id":"gate-2","x":"' + b"x" * 1_100_000 + b'"}')
    outbox.decide([Outgoing("gate-1", "gate", b'{"id":"gate-1"}'), big, Outgoing("gate-3", "gate", b'{"id":"gate-3"}')])
    delivery.wake()
    assert delivery.drain(15) == 0
    assert [alert["id"] for alert in tail(settings, from_beginning=True, follow=False)] == ["gate-1", "gate-3"]
    (record,) = raw(settings, settings.dead_letter_topic)
    assert json.loads(record.value)["data"]["message_id"] == "gate-2"
    assert Counter(entry.states["kafka"] for entry in outbox.journal()) == {"delivered": 2, "refused": 1}


def test_tail_follows(outbox: Outbox, delivery: Delivery, settings: KafkaSinkSettings) -> None:
    outbox.decide([Outgoing("gate-1", "gate", b'{"id":"gate-1"}')])
    assert delivery.drain(15) == 0
    read: list[str] = []
    following, done = threading.Event(), threading.Event()

    def stop() -> bool:
        following.set()
        return done.is_set()

    def follow() -> None:
        for alert in tail(settings, from_beginning=True, stop=stop):
            read.append(alert["id"])
            if len(read) == 2:
                done.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert following.wait(10)
    outbox.decide([Outgoing("gate-2", "gate", b'{"id":"gate-2"}')])
    delivery.wake()
    thread.join(15)
    assert read == ["gate-1", "gate-2"]
