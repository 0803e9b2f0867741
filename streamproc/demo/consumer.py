"""An independent consumer of the alerts topic: kafka-python and JSON, nothing of the pipeline's own code."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from kafka import KafkaConsumer

_LATEST_SEEN = 10_000


@dataclass(frozen=True, slots=True)
class Received:
    """One message, as it came from the topic."""

    message: Mapping[str, Any]
    """The CloudEvent."""
    on_topic_at: datetime
    """The record's own time: when the producer sent it, UTC."""
    received_at: datetime


class AlertConsumer:
    """Reads what is put on the topic from now on, each message once by its id."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        logging.getLogger("kafka").setLevel(logging.ERROR)  # it warns of a topic that does not exist yet
        self._since = datetime.now(UTC)
        self._seen: dict[str, None] = {}
        self._consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            client_id="streamproc-demo-viewer",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            metadata_max_age_ms=1000,
        )

    def read(self, within_s: float) -> list[Received]:
        """What came within ``within_s`` seconds; what is no JSON object with an id is left out."""
        batches = self._consumer.poll(timeout_ms=int(within_s * 1000))
        found = (self._received(record) for records in batches.values() for record in records)
        return [received for received in found if received is not None]

    def _received(self, record: Any) -> Received | None:
        on_topic_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        try:
            message = json.loads(record.value or b"")
        except ValueError:
            return None
        if on_topic_at < self._since or not isinstance(message, dict) or not isinstance(message.get("id"), str):
            return None
        if message["id"] in self._seen:
            return None  # delivery is at least once
        self._seen[message["id"]] = None
        if len(self._seen) > _LATEST_SEEN:
            self._seen.pop(next(iter(self._seen)))
        return Received(message, on_topic_at, datetime.now(UTC))

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def __enter__(self) -> AlertConsumer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
