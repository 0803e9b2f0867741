"""Where messages go: the protocol, and the factory from settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, assert_never

from streamproc.config import JsonlSinkSettings, KafkaSinkSettings


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way."""

    id: str
    """Unique; the same in every delivery."""
    key: str
    """The camera's id; messages of one key keep their order."""
    body: bytes
    """UTF-8 JSON, a CloudEvent."""
    topic: Literal["alerts", "health"] = "alerts"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of messages that were sent; those in neither part are to be sent again."""

    acknowledged: tuple[str, ...]
    """Ids that are stored for good where they went."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Ids that will never be taken, with the reason; a dead letter tells of each where the sink has such a place."""


class Sink(Protocol):
    """Takes messages. One caller at a time."""

    def send(self, messages: Sequence[Outgoing]) -> Receipt:
        """Send ``messages`` in order and wait, within a bound, until they are stored.

        Of one key, a message is acknowledged only if all before it were acknowledged or refused.

        Raises:
            DeliveryError: none could be stored for now.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files, within a bound; a later ``send`` opens them again.

        From another thread it ends a ``send`` that waits for an answer, where it can.
        """
        ...


def make_sink(settings: KafkaSinkSettings | JsonlSinkSettings) -> Sink:
    """The sink that ``settings`` describe; it connects when it first sends."""
    match settings:
        case KafkaSinkSettings():
            from streamproc.alerts.kafka import KafkaSink

            return KafkaSink(settings)
        case JsonlSinkSettings():
            from streamproc.alerts.jsonl import JsonlSink

            return JsonlSink(settings)
        case _:
            assert_never(settings)


def sink_names(settings: Sequence[KafkaSinkSettings | JsonlSinkSettings]) -> tuple[str, ...]:
    """A lasting name for each sink, under which the outbox remembers what it delivered: ``kafka``, ``kafka-2``."""
    names: list[str] = []
    for number, one in enumerate(settings):
        earlier = sum(other.kind == one.kind for other in settings[:number])
        names.append(one.kind if not earlier else f"{one.kind}-{earlier + 1}")
    return tuple(names)
