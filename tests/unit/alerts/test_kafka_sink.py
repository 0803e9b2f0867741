"""The Kafka sink: what the client is given, what is refused for good, what is tried again."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from kafka import errors as kafka_errors

from streamproc.alerts.kafka import KafkaSink, client_settings
from streamproc.alerts.sinks import Outgoing, make_sink, sink_names
from streamproc.config import JsonlSinkSettings, KafkaSecurity, KafkaSinkSettings
from streamproc.errors import ConfigError, DeliveryError
from streamproc.secrets import redact
from streamproc.testing_alerts import FakeKafka

SETTINGS = KafkaSinkSettings(kind="kafka", bootstrap_servers=("a:9092", "b:9092"))
SECURE = KafkaSinkSettings(
    kind="kafka",
    bootstrap_servers=("a:9093",),
    security=KafkaSecurity(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="${KAFKA_USER}",
        sasl_password="${KAFKA_PASSWORD}",
        ssl_cafile=Path("/etc/ca.pem"),
        ssl_certfile=Path("/etc/client.pem"),
        ssl_keyfile=Path("/etc/client.key"),
        ssl_check_hostname=False,
    ),
)
ENVIRON = {"KAFKA_USER": "streamproc", "KAFKA_PASSWORD": "correct-horse-battery"}


def message(number: int, key: str = "gate", size: int = 2) -> Outgoing:
    return Outgoing(f"{key}-{number}", key, b"x" * size)


def sink(
    cluster: FakeKafka, settings: KafkaSinkSettings = SETTINGS, environ: dict[str, str] | None = None
) -> KafkaSink:
    return KafkaSink(settings, make_producer=cluster.producer, make_admin=cluster.admin, environ=environ)


def test_nothing_is_connected_before_the_first_send() -> None:
    cluster = FakeKafka()
    sink(cluster)
    assert cluster.given == []


def test_the_producer_is_idempotent_and_waits_for_all_replicas() -> None:
    cluster = FakeKafka()
    sink(cluster).send([message(1)])
    given = cluster.given[0]
    assert given["acks"] == "all"
    assert given["enable_idempotence"] is True
    assert given["bootstrap_servers"] == ["a:9092", "b:9092"]
    assert given["delivery_timeout_ms"] >= given["request_timeout_ms"]
    # Nothing can end an attempt to connect early, and a site has nine seconds to stop.
    assert given["bootstrap_timeout_ms"] == given["max_block_ms"] == 4000
    assert cluster.topics["streamproc.alerts"] == [(b"gate", b"xx")]


def test_sasl_and_tls_reach_the_client_with_secrets_resolved_only_then() -> None:
    cluster = FakeKafka()
    secure = sink(cluster, SECURE, ENVIRON)
    assert "correct-horse" not in repr(vars(secure)["_settings"])
    secure.send([message(1)])
    given = cluster.given[0]
    assert given["security_protocol"] == "SASL_SSL"
    assert given["sasl_mechanism"] == "SCRAM-SHA-512"
    assert given["sasl_plain_username"] == "streamproc"
    assert given["sasl_plain_password"] == "correct-horse-battery"
    assert redact("streamproc: correct-horse-battery") == "streamproc: ***"  # a user's name is an ordinary word
    assert given["ssl_cafile"] == "/etc/ca.pem"
    assert given["ssl_certfile"] == "/etc/client.pem"
    assert given["ssl_keyfile"] == "/etc/client.key"
    assert given["ssl_check_hostname"] is False


def test_every_setting_is_one_that_kafka_python_knows() -> None:
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

    cluster = FakeKafka()
    sink(cluster, SECURE, ENVIRON).send([message(1)])
    assert set(cluster.given[0]) <= set(KafkaProducer.DEFAULT_CONFIG)
    for client in (KafkaConsumer, KafkaAdminClient):
        assert set(client_settings(SECURE, ENVIRON)) <= set(client.DEFAULT_CONFIG)


def test_a_missing_secret_keeps_the_alert_and_names_the_variable() -> None:
    with pytest.raises(DeliveryError, match="KAFKA_PASSWORD"):
        sink(FakeKafka(), SECURE, {"KAFKA_USER": "x"}).send([message(1)])
    with pytest.raises(ConfigError, match="KAFKA_PASSWORD"):
        client_settings(SECURE, {"KAFKA_USER": "x"})


def test_a_password_in_an_error_of_the_client_is_redacted() -> None:
    def refuse(**settings: object) -> None:
        raise kafka_errors.SaslAuthenticationFailedError(f"bad password {settings['sasl_plain_password']}")

    bad = KafkaSink(SECURE, make_producer=refuse, make_admin=FakeKafka().admin, environ=ENVIRON)
    with pytest.raises(DeliveryError) as caught:
        bad.send([message(1)])
    assert "correct-horse-battery" not in str(caught.value)


def test_missing_topics_are_created_once() -> None:
    cluster = FakeKafka()
    cluster.topics["streamproc.health"] = []
    one = sink(cluster)
    one.send([message(1)])
    one.close()
    one.send([message(2)])
    assert cluster.created == ["streamproc.alerts", "streamproc.dead-letters"]


def test_topics_that_may_not_be_created_are_left_to_the_send() -> None:
    cluster = FakeKafka()

    class Forbidden:
        def list_topics(self) -> list[str]:
            return []

        def create_topics(self, topics: object) -> None:
            raise kafka_errors.ClusterAuthorizationFailedError

        def close(self) -> None: ...

    one = KafkaSink(SETTINGS, make_producer=cluster.producer, make_admin=lambda **_: Forbidden())
    assert one.send([message(1)]).acknowledged == ("gate-1",)


def test_without_a_broker_it_says_where_and_connects_anew_next_time() -> None:
    cluster = FakeKafka()
    cluster.down = True
    one = sink(cluster)
    for _ in range(3):
        with pytest.raises(DeliveryError, match="a:9092, b:9092"):
            one.send([message(1)])
    cluster.down = False
    assert one.send([message(1)]).acknowledged == ("gate-1",)
    assert len(cluster.given) == 4


def test_a_producer_that_failed_is_closed_and_replaced() -> None:
    cluster = FakeKafka()
    one = sink(cluster)
    one.send([message(1)])
    cluster.down = True
    with pytest.raises(DeliveryError, match="Expiring"):
        one.send([message(2)])
    assert cluster.closed == 1
    cluster.down = False
    assert one.send([message(2)]).acknowledged == ("gate-2",)


def test_after_a_failure_later_messages_of_that_camera_go_again() -> None:
    cluster = FakeKafka()
    cluster.fails[b"gate"] = [kafka_errors.KafkaTimeoutError("slow")]
    receipt = sink(cluster).send([message(1), message(1, "door"), message(2)])
    assert receipt.acknowledged == ("door-1",)


def test_what_is_too_large_goes_to_the_dead_letters_and_the_rest_on() -> None:
    cluster = FakeKafka()
    cluster.largest_bytes = 70_000
    receipt = sink(cluster).send([message(1), message(2, size=100_000), message(3)])
    assert receipt.acknowledged == ("gate-1", "gate-3")
    assert "100000 bytes" in receipt.refused["gate-2"]
    ((key, value),) = cluster.topics["streamproc.dead-letters"]
    letter = json.loads(value)
    assert key == b"gate"
    assert letter["type"] == "streamproc.dead_letter.v1"
    assert letter["data"]["message_id"] == "gate-2"
    assert letter["data"]["topic"] == "streamproc.alerts"


def test_a_refusal_by_the_broker_is_for_good_too() -> None:
    cluster = FakeKafka()
    cluster.fails[b"gate"] = [kafka_errors.InvalidRecordError("policy")]
    receipt = sink(cluster).send([message(1), message(2)])
    assert receipt.acknowledged == ("gate-2",)
    assert list(receipt.refused) == ["gate-1"]


def test_a_refused_message_waits_while_its_dead_letter_cannot_be_sent() -> None:
    cluster = FakeKafka()
    cluster.fails[b"gate"] = [kafka_errors.InvalidRecordError("policy"), kafka_errors.KafkaTimeoutError("slow")]
    with pytest.raises(DeliveryError):
        sink(cluster).send([message(1)])


def test_health_goes_to_its_own_topic() -> None:
    cluster = FakeKafka()
    sink(cluster).send([Outgoing("h", "gate", b"{}", "health")])
    assert cluster.topics["streamproc.health"] == [(b"gate", b"{}")]


def test_the_factory_and_the_names_of_sinks() -> None:
    lines = JsonlSinkSettings(kind="jsonl")
    assert type(make_sink(SETTINGS)).__name__ == "KafkaSink"
    assert type(make_sink(lines)).__name__ == "JsonlSink"
    assert sink_names((SETTINGS, lines, SETTINGS)) == ("kafka", "jsonl", "kafka-2")


def test_closing_lets_go_whoever_waits_for_an_acknowledgement() -> None:
    cluster = FakeKafka()
    cluster.silent = True
    waits = sink(cluster)
    failures: list[DeliveryError] = []

    def send() -> None:
        try:
            waits.send([message(1)])
        except DeliveryError as error:
            failures.append(error)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    assert cluster.waiting.wait(5)
    waits.close()
    thread.join(5)
    assert not thread.is_alive()
    assert len(failures) == 1
    cluster.silent = False
    assert waits.send([message(1)]).acknowledged == ("gate-1",)  # it connects again


def test_an_acknowledgement_that_never_comes_is_waited_for_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.alerts.kafka._LATER_S", 0.0)
    cluster = FakeKafka()
    cluster.silent = True
    impatient = KafkaSink(SETTINGS, make_producer=cluster.producer, make_admin=cluster.admin, timeout_s=0.05)
    with pytest.raises(DeliveryError, match="Timeout waiting"):
        impatient.send([message(1)])
