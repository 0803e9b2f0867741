"""Reading alerts back from the topic, as any consumer would; repeats are recognised by their id."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from kafka import KafkaConsumer
from kafka import errors as kafka_errors

from streamproc.alerts.kafka import client_settings
from streamproc.config import KafkaSinkSettings
from streamproc.errors import ConfigError, DeliveryError
from streamproc.secrets import redact

log = structlog.get_logger(__name__)

_REMEMBERED = 100_000
_LOOKS = 10
"""Half seconds to wait for the topic's partitions."""


def tail(
    settings: KafkaSinkSettings,
    *,
    from_beginning: bool = False,
    follow: bool = True,
    stop: Callable[[], bool] = lambda: False,
    timeout_s: float = 10.0,
    make_consumer: Callable[..., Any] = KafkaConsumer,
) -> Iterator[dict[str, Any]]:
    """The alerts on the topic as JSON objects, each id once, in the topic's order.

    From the newest on, or ``from_beginning``; without ``follow`` it ends at what is the newest at the start. Asks
    ``stop`` twice a second whether to end. Messages that are not JSON objects with an id are logged and skipped.

    Raises:
        ConfigError: there is no such topic, and it is not to be waited for.
        DeliveryError: no broker answers within ``timeout_s``, or it refuses.
    """
    try:
        consumer = make_consumer(
            **client_settings(settings),
            client_id="streamproc-tail",
            group_id=None,
            allow_auto_create_topics=False,  # looking must not make a topic of a misspelt name
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            bootstrap_timeout_ms=int(timeout_s * 1000),
            reconnect_backoff_max_ms=2000,
        )
    except (kafka_errors.KafkaError, OSError, ValueError) as error:
        raise DeliveryError(f"Kafka at {', '.join(settings.bootstrap_servers)}: {redact(str(error))}") from error
    try:
        yield from _read(consumer, settings.alerts_topic, from_beginning, follow, stop)
    except kafka_errors.KafkaError as error:
        raise DeliveryError(f"Kafka at {', '.join(settings.bootstrap_servers)}: {redact(str(error))}") from error
    finally:
        consumer.close()


def _read(
    consumer: Any, topic: str, from_beginning: bool, follow: bool, stop: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    if topic not in consumer.topics():
        if not follow:
            raise ConfigError(f"there is no topic {topic}; it is made with the first alert that is sent to it")
        log.warning("no_such_topic", topic=topic, hint="waiting until it is there")
    consumer.subscribe([topic])
    ends: dict[Any, int] | None = None
    looked = 0
    seen: OrderedDict[str, None] = OrderedDict()
    while not stop():
        batch = consumer.poll(timeout_ms=500)
        if ends is None and consumer.assignment():
            ends = _place(consumer, from_beginning)
            batch = {} if not from_beginning else batch
        for record in (record for records in batch.values() for record in records):
            alert = _parse(record.value)
            if alert is not None and _is_new(alert["id"], seen):
                yield alert
        looked += 1
        if not follow and ends is None and looked >= _LOOKS:
            raise DeliveryError(f"no partition of topic {topic} can be read: its broker does not answer")
        if not follow and ends is not None and all(consumer.position(p) >= end for p, end in ends.items()):
            return


def _place(consumer: Any, from_beginning: bool) -> dict[Any, int]:
    """Where each partition ends now; moves there unless reading begins at the beginning."""
    partitions = consumer.assignment()
    ends = dict(consumer.end_offsets(partitions))
    if not from_beginning:
        for partition, end in ends.items():
            consumer.seek(partition, end)
    return ends


def _parse(value: bytes | None) -> dict[str, Any] | None:
    try:
        alert = json.loads(value or b"")
    except ValueError:
        alert = None
    if not isinstance(alert, dict) or not isinstance(alert.get("id"), str):
        log.warning("message_not_an_alert", size_bytes=len(value or b""))
        return None
    return alert


def _is_new(one: str, seen: OrderedDict[str, None]) -> bool:
    if one in seen:
        return False
    seen[one] = None
    if len(seen) > _REMEMBERED:
        seen.popitem(last=False)
    return True
