"""Public fakes for what comes after the verdict: a sink, a Kafka cluster, and a verdict to begin with."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import errors as kafka_errors

from streamproc.alerts.sinks import Outgoing, Receipt
from streamproc.errors import DeliveryError
from streamproc.types import (
    Caption,
    DetectedObject,
    Judgement,
    Measurement,
    ModelRef,
    Rule,
    RuleSet,
    Severity,
    Verdict,
    Vote,
)

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HURRY = Rule("people-hurry", "human", "anomaly", "People hurry or run across the square.", ("hurries",), "warning")


def verdict_at(
    pts_s: float,
    *,
    alarm: bool = True,
    judgement: Judgement | None = None,
    run: int = 1,
    captured_at: datetime | None = None,
    rules: Sequence[Rule] = (HURRY,),
    severity: Severity = "warning",
    camera: str = "gate",
) -> Verdict:
    """A verdict on the window that ends at ``pts_s``, captured that long after ``START``; somebody hurries."""
    speed = Measurement(
        "speed", 3.1, "times normal speed", 1.4, 2.4, 1.0, box_norm=(0.30, 0.35, 0.38, 0.62), track_id=7
    )
    scene = ModelRef("perception", "scene", "0.1", stand_in_for="a vision-language model behind vLLM")
    said = "One person hurries on the left, at 3.1 times the normal speed."
    return Verdict(
        camera_id=camera,
        run=run,
        pts_s=pts_s,
        captured_at=captured_at or START + timedelta(seconds=pts_s),
        kind="behaviour",
        judgement=judgement or ("anomaly" if alarm else "normal"),
        score=0.9 if alarm else 0.1,
        smoothed=0.8 if alarm else 0.2,
        alarm=alarm,
        category="people-hurry",
        severity=severity,
        cited_rules=tuple(rules) if alarm else (),
        votes=(Vote("novelty", "anomaly" if alarm else "normal", ("people-hurry",), 2.0, 0.9, "speed"),),
        captions=(Caption(camera, run, pts_s, said, (), scene),),
        measurements=(speed,),
        reason=said,
        rule_set=RuleSet("gate", "yard", camera, 3, "ab" * 32, tuple(rules)),
        models=(scene,),
        objects=(DetectedObject("person", (0.30, 0.35, 0.38, 0.62), 0.87, "hurries: 3.1 x normal"),),
        latency_ms={"decode": 4.0, "queue": 1.0, "perception": 3.0, "deduction": 2.0},
    )


class FakeSink:
    """A sink in memory that can be told to fail."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        """Everything stored, repeats included, in order."""
        self.down = False
        self.refuses: dict[str, str] = {}
        """Ids refused for good, with the reason."""
        self.takes_at_most: int | None = None
        """How many messages of one ``send`` are stored; None for all."""
        self.closed = False

    def send(self, messages: Sequence[Outgoing]) -> Receipt:
        """Store ``messages``, unless told otherwise."""
        if self.down:
            raise DeliveryError("the fake sink is down")
        part = messages[: self.takes_at_most]
        kept = [message for message in part if message.id not in self.refuses]
        self.taken += kept
        refused = {message.id: self.refuses[message.id] for message in part if message.id in self.refuses}
        return Receipt(tuple(message.id for message in kept), refused)

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


class FakeKafka:
    """A cluster in memory; ``producer`` and ``admin`` stand for kafka-python's classes."""

    def __init__(self) -> None:
        self.topics: dict[str, list[tuple[bytes, bytes]]] = {}
        """(key, value) in order of arrival, by topic."""
        self.down = False
        self.silent = False
        """Takes records and never acknowledges one."""
        self.waiting = threading.Event()
        """Set while somebody waits for an acknowledgement of a silent cluster."""
        self.largest_bytes = 1_000_000
        self.fails: dict[bytes, list[Exception]] = {}
        """What the next sends of a key meet, in order."""
        self.given: list[dict[str, Any]] = []
        """The settings of each producer made."""
        self.created: list[str] = []
        """Topics an admin client created."""
        self.closed = 0
        """Producers closed."""

    def producer(self, **settings: Any) -> _FakeProducer:
        """Stands for ``KafkaProducer``."""
        self.given.append(settings)
        if self.down:
            raise kafka_errors.KafkaTimeoutError("Unable to bootstrap")
        return _FakeProducer(self)

    def admin(self, **settings: Any) -> _FakeAdmin:
        """Stands for ``KafkaAdminClient``."""
        return _FakeAdmin(self)


class _FakeProducer:
    def __init__(self, cluster: FakeKafka) -> None:
        self._cluster = cluster

    def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> _FakeFuture:
        if len(value) > self._cluster.largest_bytes:
            raise kafka_errors.MessageSizeTooLargeError(f"The message is {len(value)} bytes")
        if self._cluster.silent:
            return _SilentFuture(self._cluster.waiting)
        if self._cluster.down:
            return _FakeFuture(kafka_errors.KafkaTimeoutError("Expiring 1 record(s)"))
        if self._cluster.fails.get(key):
            return _FakeFuture(self._cluster.fails[key].pop(0))
        self._cluster.topics.setdefault(topic, []).append((key, value))
        return _FakeFuture(None)

    def close(self, timeout: float) -> None:
        self._cluster.closed += 1


class _FakeFuture:
    is_done = True

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def get(self, timeout: float) -> None:
        if self._error is not None:
            raise self._error


class _SilentFuture(_FakeFuture):
    is_done = False

    def __init__(self, waiting: threading.Event) -> None:
        super().__init__(None)
        self._waiting = waiting

    def get(self, timeout: float) -> None:
        self._waiting.set()
        threading.Event().wait(min(timeout, 0.01))
        raise kafka_errors.KafkaTimeoutError("Timeout waiting for future")


class _FakeAdmin:
    def __init__(self, cluster: FakeKafka) -> None:
        self._cluster = cluster

    def list_topics(self) -> list[str]:
        return list(self._cluster.topics)

    def create_topics(self, topics: dict[str, Any]) -> None:
        self._cluster.created += topics
        for topic in topics:
            self._cluster.topics.setdefault(topic, [])

    def close(self) -> None:
        pass
