"""What goes on the health topic (cameras, model servers, the outbox) and on the dead-letter topic."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Literal, get_args

from streamproc.alerts.message import Event, Part, UtcTime
from streamproc.secrets import redact
from streamproc.types import CameraPhase, CameraState

HealthState = Literal[
    "connecting", "streaming", "restored", "lost", "refused", "frozen", "ended", "unavailable", "available"
]
"""A camera's condition (``restored``: streaming again after it was lost, refused or frozen); of a model server or of
the outbox's deliveries: ``unavailable`` or ``available``."""
_TROUBLE = ("lost", "refused", "frozen")
_KEPT_CHARACTERS = 65_536


class HealthData(Part):
    """A change in the condition of one part."""

    schema_version: Literal[1] = 1
    part: Literal["camera", "model_server", "outbox"]
    name: str
    """The camera's id, the model's role, the sink's name."""
    state: HealthState
    previous: HealthState | None
    """What it was before, where that is known."""
    at: UtcTime
    detail: str
    """The reason in words."""
    run: int | None = None
    """Of a camera: which session with it."""
    pending: int | None = None
    """Of the outbox: messages that wait for this sink."""


class Health(Event):
    """A message on the health topic; best effort, the newest are kept."""

    type: Literal["streamproc.health.v1"] = "streamproc.health.v1"
    dataschema: Literal["urn:streamproc:schema:health:v1"] = "urn:streamproc:schema:health:v1"
    data: HealthData


class DeadLetterData(Part):
    """A message that a topic refused for good."""

    schema_version: Literal[1] = 1
    message_id: str
    topic: str
    """The topic that refused it."""
    reason: str
    refused_at: UtcTime
    size_bytes: int
    sha256: str
    """Of the message's bytes."""
    body: str
    """The message; its first 64 Ki characters where it is longer."""


class DeadLetter(Event):
    """A message on the dead-letter topic."""

    type: Literal["streamproc.dead_letter.v1"] = "streamproc.dead_letter.v1"
    dataschema: Literal["urn:streamproc:schema:dead-letter:v1"] = "urn:streamproc:schema:dead-letter:v1"
    data: DeadLetterData


def camera_health(site: str, state: CameraState, previous: CameraPhase | None = None) -> Health:
    """The message for a change in a camera's condition.

    ``previous`` is its last condition other than ``connecting``, which every session begins with.
    """
    assert state.phase in get_args(HealthState)  # noqa: S101 - the phases are a subset of the states
    said: HealthState = "restored" if state.phase == "streaming" and previous in _TROUBLE else state.phase
    data = HealthData(
        part="camera",
        name=state.camera_id,
        state=said,
        previous=previous,
        at=state.at,
        detail=redact(state.detail),
        run=state.run,
    )
    return _event(site, data)


def part_health(
    site: str,
    part: Literal["model_server", "outbox"],
    name: str,
    *,
    available: bool,
    at: datetime,
    detail: str = "",
    pending: int | None = None,
) -> Health:
    """The message for a model server, or for the outbox's way to a sink, that went away or came back."""
    state: tuple[HealthState, HealthState] = ("available", "unavailable")
    data = HealthData(
        part=part,
        name=name,
        state=state[0] if available else state[1],
        previous=state[1] if available else None,
        at=at,
        detail=redact(detail),
        pending=pending,
    )
    return _event(site, data)


def _event(site: str, data: HealthData) -> Health:
    return Health(id=str(uuid.uuid4()), source=f"//{site}/{data.name}", subject=data.name, time=data.at, data=data)


def dead_letter(message_id: str, key: str, topic: str, body: bytes, reason: str, at: datetime) -> DeadLetter:
    """The message about a message that ``topic`` refused for good; its id tells which one."""
    data = DeadLetterData(
        message_id=message_id,
        topic=topic,
        reason=redact(reason),
        refused_at=at,
        size_bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        body=body.decode("utf-8", errors="replace")[:_KEPT_CHARACTERS],
    )
    return DeadLetter(id=f"{message_id}-refused", source="//streamproc/outbox", subject=key, time=at, data=data)
