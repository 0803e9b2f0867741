"""The Kafka sink: an idempotent producer with ``acks=all``, connected when needed and made anew for ever."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import structlog
from kafka import KafkaAdminClient, KafkaProducer
from kafka import errors as kafka_errors

from streamproc.alerts.health import dead_letter
from streamproc.alerts.message import CONTENT_TYPE
from streamproc.alerts.sinks import Outgoing, Receipt
from streamproc.config import KafkaSinkSettings
from streamproc.errors import ConfigError, DeliveryError
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.secrets import redact, resolve

log = structlog.get_logger(__name__)

_CONNECT_S = 4.0
"""Bound of one attempt to connect. Nothing can end it early, so it has to fit into the time a site has to stop."""
_LATER_S = 5.0
"""Beyond delivery_timeout_ms, so that the producer itself has given a record up before we do."""
_CLOSE_S = 1.0
_LOOK_S = 0.2
"""How soon somebody who waits for an acknowledgement notices that the sink is closed."""
_HEADERS = [("content-type", CONTENT_TYPE.encode())]
_FOR_GOOD = (
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.InvalidTopicError,
    kafka_errors.InvalidRecordError,
    kafka_errors.InvalidTimestampError,
    kafka_errors.PolicyViolationError,
    ValueError,  # kafka-python's own word for a topic name that cannot be
)


def client_settings(settings: KafkaSinkSettings, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What every kafka-python client is given: servers and security, with credentials filled in.

    Raises:
        ConfigError: a credential's variable or file is missing.
    """
    security = settings.security
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "security_protocol": security.security_protocol,
        "ssl_check_hostname": security.ssl_check_hostname,
    }
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if (path := getattr(security, name)) is not None:
            options[name] = str(path)
    if security.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = security.sasl_mechanism
        options["sasl_plain_username"] = resolve(security.sasl_username or "", environ, secret=False)
        options["sasl_plain_password"] = resolve(security.sasl_password or "", environ)
    return options


class KafkaSink:
    """A ``Sink``. What the topic refuses for good goes to the dead-letter topic."""

    def __init__(
        self,
        settings: KafkaSinkSettings,
        *,
        make_producer: Callable[..., Any] = KafkaProducer,
        make_admin: Callable[..., Any] = KafkaAdminClient,
        timeout_s: float = 10.0,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """``timeout_s`` bounds connecting, and the wait for the brokers' acknowledgement."""
        self._settings, self._timeout_s, self._environ = settings, timeout_s, environ
        self._make_producer, self._make_admin = make_producer, make_admin
        self._clock = clock or SystemClock()
        self._producer: Any = None
        self._topics_made = False
        self._turn, self._closing = threading.Lock(), threading.Event()

    def send(self, messages: Sequence[Outgoing]) -> Receipt:
        """Publish in order; see ``Sink.send``.

        Raises:
            DeliveryError: no broker, no acknowledgement in time, not allowed, or closed meanwhile.
        """
        with self._turn:
            self._closing.clear()
            return self._send(messages)

    def _send(self, messages: Sequence[Outgoing]) -> Receipt:
        producer = self._connected()
        outcomes = self._publish(producer, [(self._topic(m), m.key, m.body) for m in messages])
        reasons = {m.id: str(o) for m, o in zip(messages, outcomes, strict=True) if isinstance(o, _FOR_GOOD)}
        failure = next((o for o in outcomes if o is not None and not isinstance(o, _FOR_GOOD)), None)
        refused: dict[str, str] = {}
        if reasons:
            refused, unburied = self._bury(producer, [m for m in messages if m.id in reasons], reasons)
            failure = failure or unburied
        acknowledged = _in_order(messages, outcomes, refused)
        if failure is not None:
            self._drop_producer()
            if not acknowledged and not refused:
                raise DeliveryError(f"Kafka at {self._where()}: {_in_words(failure)}") from failure
        return Receipt(acknowledged, refused)

    def close(self) -> None:
        """Close the producer; whoever waits for an acknowledgement is let go."""
        self._closing.set()
        if self._turn.acquire(timeout=_CLOSE_S):
            try:
                self._drop_producer()
            finally:
                self._turn.release()

    def _topic(self, message: Outgoing) -> str:
        return self._settings.health_topic if message.topic == "health" else self._settings.alerts_topic

    def _where(self) -> str:
        return ", ".join(self._settings.bootstrap_servers)

    def _connected(self) -> Any:
        if self._producer is not None:
            return self._producer
        limit_ms = int(self._timeout_s * 1000)
        try:
            options = client_settings(self._settings, self._environ)
            self._producer = self._make_producer(
                **options,
                client_id="streamproc",
                acks="all",
                enable_idempotence=True,
                bootstrap_timeout_ms=self._connect_ms(),
                max_block_ms=self._connect_ms(),
                request_timeout_ms=limit_ms,
                delivery_timeout_ms=limit_ms,
                reconnect_backoff_max_ms=2000,
            )
        except ConfigError as error:  # a secret file may yet appear; the outbox keeps the alert meanwhile
            raise DeliveryError(f"Kafka at {self._where()}: {error}") from error
        except (kafka_errors.KafkaError, OSError, ValueError) as error:
            gc.collect()  # a producer that never connected holds its sockets in reference cycles
            raise DeliveryError(f"Kafka at {self._where()}: {_in_words(error)}") from error
        self._make_topics(options)
        return self._producer

    def _connect_ms(self) -> int:
        return int(min(self._timeout_s, _CONNECT_S) * 1000)

    def _make_topics(self, options: dict[str, Any]) -> None:
        """Try to create missing topics; where that is not permitted, sending will tell."""
        if self._topics_made:
            return
        s = self._settings
        try:
            admin = self._make_admin(**options, bootstrap_timeout_ms=self._connect_ms())
            try:
                there = set(admin.list_topics())
                for topic in dict.fromkeys((s.alerts_topic, s.health_topic, s.dead_letter_topic)):
                    if topic not in there:
                        self._make_topic(admin, topic)
            finally:
                admin.close()
        except (kafka_errors.KafkaError, OSError) as error:
            log.warning("kafka_topics_unknown", servers=self._where(), error=_in_words(error))
            return
        self._topics_made = True

    def _make_topic(self, admin: Any, topic: str) -> None:
        try:
            admin.create_topics({topic: {}})
        except kafka_errors.TopicAlreadyExistsError:
            return
        except kafka_errors.BrokerResponseError as error:
            log.warning("kafka_topic_not_created", topic=topic, error=type(error).__name__)
        else:
            log.info("kafka_topic_created", topic=topic)

    def _publish(self, producer: Any, records: Iterable[tuple[str, str, bytes]]) -> list[Exception | None]:
        """Send all, then wait for all; None for each record that was acknowledged, else what went wrong."""
        futures: list[Any] = []
        broken: Exception | None = None
        for topic, key, body in records:
            if broken is not None:
                futures.append(broken)
                continue
            try:
                futures.append(producer.send(topic, body, key=key.encode(), headers=_HEADERS))
            except _FOR_GOOD as error:
                futures.append(error)
            except kafka_errors.KafkaError as error:
                broken = error
                futures.append(error)
        return [f if isinstance(f, Exception) else self._outcome(f) for f in futures]

    def _outcome(self, future: Any) -> Exception | None:
        ends_s = time.monotonic() + self._timeout_s + _LATER_S
        while True:
            try:
                future.get(timeout=_LOOK_S)
            except kafka_errors.KafkaError as error:
                waits = isinstance(error, kafka_errors.KafkaTimeoutError) and not future.is_done
                if not waits or self._closing.is_set() or time.monotonic() > ends_s:
                    return cast("Exception", error)
            else:
                return None

    def _bury(
        self, producer: Any, messages: Sequence[Outgoing], reasons: Mapping[str, str]
    ) -> tuple[dict[str, str], Exception | None]:
        """Tell of refused messages on the dead-letter topic; what was told of, and what kept the rest from it."""
        now = self._clock.now()
        letters = [dead_letter(m.id, m.key, self._topic(m), m.body, reasons[m.id], now) for m in messages]
        records = [
            (self._settings.dead_letter_topic, letter.subject, letter.model_dump_json().encode()) for letter in letters
        ]
        buried: dict[str, str] = {}
        failure: Exception | None = None
        for message, outcome in zip(messages, self._publish(producer, records), strict=True):
            if outcome is not None and not isinstance(outcome, _FOR_GOOD):
                failure = outcome
                continue
            # A dead letter that is refused itself must not hold up the queue: the journal and the log keep the reason.
            buried[message.id] = redact(reasons[message.id])
            log.error("message_refused", id=message.id, topic=self._topic(message), reason=buried[message.id])
        return buried, failure

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            try:
                producer.close(timeout=0)
            except kafka_errors.KafkaTimeoutError:
                # Something is under way, which kafka-python's close waits for before it would give it up.
                producer._sender.force_close()
                producer._sender.join(_CLOSE_S)
                producer.close(timeout=0)
        except kafka_errors.KafkaError as error:
            log.warning("kafka_producer_not_closed", error=_in_words(error))


def _in_order(
    messages: Sequence[Outgoing], outcomes: Sequence[Exception | None], refused: Mapping[str, str]
) -> tuple[str, ...]:
    """Ids acknowledged without a gap before them in their key; the rest goes again, so that order is kept."""
    acknowledged: list[str] = []
    gap: set[tuple[str, str]] = set()
    for message, outcome in zip(messages, outcomes, strict=True):
        lane = (message.topic, message.key)
        if message.id in refused:
            continue
        if outcome is not None:
            gap.add(lane)
        elif lane not in gap:
            acknowledged.append(message.id)
    return tuple(acknowledged)


def _in_words(error: Exception) -> str:
    said = redact(str(error) or type(error).__name__)
    if "bootstrap" in said:
        return f"{said}; is the broker running, and are its port and security settings those of `bootstrap_servers`?"
    return said
