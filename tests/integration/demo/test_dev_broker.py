"""The development broker, with Kafka's own client."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streamproc.demo.broker import DevBroker
from streamproc.errors import StreamprocError

pytestmark = pytest.mark.integration


def produce(bootstrap: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    try:
        for value in values:
            producer.send("alerts", key=b"gate", value=value).get(timeout=10)
    finally:
        producer.close(timeout=5)


def consume(bootstrap: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=5000)
    try:
        partition = TopicPartition("alerts", 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        return [record.value for record, _ in zip(consumer, range(count), strict=False)]
    finally:
        consumer.close()


def test_a_stopped_broker_keeps_its_port_and_its_topics(tmp_path: Path) -> None:
    with DevBroker(tmp_path) as broker:
        produce(broker.bootstrap, b"one", b"two")
        first = broker.bootstrap
        broker.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", broker.port), timeout=1)
        broker.start()
        assert broker.bootstrap == first
        produce(broker.bootstrap, b"three")
        assert consume(broker.bootstrap, 3) == [b"one", b"two", b"three"]


def test_a_signal_reaches_the_broker_itself(tmp_path: Path) -> None:
    with DevBroker(tmp_path) as broker:
        assert broker.process is not None
        command = Path(f"/proc/{broker.process.pid}/cmdline").read_bytes()
        assert command.split(b"\0")[0].endswith(b"noida-db")


def test_a_taken_port_is_said_with_the_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        broker = DevBroker(tmp_path, port=taken.getsockname()[1], ready_within_s=3)
        with pytest.raises(StreamprocError, match=r"does not answer at .*broker\.log"):
            broker.start()
        assert broker.process is None
