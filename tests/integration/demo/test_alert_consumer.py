"""The demo's consumer against a broker: what is new, once, and nothing that is no alert."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streamproc.demo.broker import DevBroker
from streamproc.demo.consumer import AlertConsumer, Received

pytestmark = pytest.mark.integration


def read(consumer: AlertConsumer, count: int) -> list[Received]:
    found: list[Received] = []
    until = time.monotonic() + 15
    while len(found) < count and time.monotonic() < until:
        found += consumer.read(within_s=0.2)
    return found


def test_new_alerts_come_once_and_old_ones_and_garbage_not_at_all(tmp_path: Path) -> None:
    with DevBroker(tmp_path) as broker:
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", enable_idempotence=True)
        try:
            producer.send("alerts", value=json.dumps({"id": "old"}).encode()).get(timeout=10)
            time.sleep(0.01)  # records are stamped by the millisecond
            with AlertConsumer(broker.bootstrap, "alerts") as consumer:
                for value in (b"no json", b"[1]", b'{"data": {}}', b'{"id": "a"}', b'{"id": "a"}', b'{"id": "b"}'):
                    producer.send("alerts", value=value).get(timeout=10)
                found = read(consumer, 2)
                assert [one.message["id"] for one in found] == ["a", "b"]
                assert not consumer.read(within_s=0.3)
                lag_s = [(one.received_at - one.on_topic_at).total_seconds() for one in found]
                assert all(-0.01 < lag < 15 for lag in lag_s)
        finally:
            producer.close(timeout=5)


def test_a_topic_that_comes_later_is_found(tmp_path: Path) -> None:
    with DevBroker(tmp_path) as broker, AlertConsumer(broker.bootstrap, "later") as consumer:
        assert not consumer.read(within_s=0.3)
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", enable_idempotence=True)
        try:
            producer.send("later", value=b'{"id": "first"}').get(timeout=10)
        finally:
            producer.close(timeout=5)
        assert [one.message["id"] for one in read(consumer, 1)] == ["first"]
