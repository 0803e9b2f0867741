"""What goes on the alerts topic: a CloudEvents 1.0 event in structured JSON, versioned; key = the camera's id.

These models are the contract with consumers. ``alert.v1.schema.json`` is generated from them by ``alerts.schema``.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from streamproc.types import Box, Judgement, Kind, Says, Severity

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
ALERT_TYPE: Literal["streamproc.alert.v1"] = "streamproc.alert.v1"

Action = Literal["open", "update", "resolve", "suppress"]
UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]
Score = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """Part of a message: frozen; what a newer version adds is skipped when it is read."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, allow_inf_nan=False)


class SiteRef(Part):
    """The site."""

    id: str
    name: str


class CameraRef(Part):
    """The camera."""

    id: str
    name: str
    zone: str | None
    """Where in the picture, by the name of a zone in the site file."""


class ClockNote(Part):
    """Where the capture times come from."""

    source: Literal["receipt", "replay"]
    """receipt: our wall clock when a frame arrived. replay: the recording's start as given, plus media time."""
    uncertainty_ms: float | None = None
    """How far off it may be; null where that is not known."""


class RuleSetRef(Part):
    """The rule set in force."""

    id: str
    version: int
    sha256: str
    """Of the file's bytes."""


class CitedRule(Part):
    """A rule that the verdict rests on, in its own words."""

    id: str
    text: str
    says: Says


class VoteRecord(Part):
    """One voter's opinion."""

    voter: str
    verdict: Judgement
    cites: tuple[str, ...]
    """Rule ids."""
    weight: float
    score: Score | None = None
    """How anomalous the voter held the window to be; null in messages of versions that did not tell."""
    void: str | None = None
    """Why the vote did not count; null for one that did."""


class CaptionRecord(Part):
    """What was seen, in words."""

    pts_s: float
    """Media time in seconds."""
    text: str


class MeasurementRecord(Part):
    """Something measured, beside the upper end of normal at this place."""

    name: str
    value: float
    unit: str
    """Of value and normal."""
    normal: float


class ModelRecord(Part):
    """A model that had a part."""

    role: str
    name: str
    revision: str
    prompt_sha256: str | None
    stand_in_for: str | None = None
    """What a site with a GPU would run here, where this is an embedded stand-in; null where it is the real thing."""


class ObjectRecord(Part):
    """An object that the alert points at."""

    label: str
    box_norm: Box
    """x0, y0, x1, y1: 0..1 of the picture from its top left."""
    pred_score: float
    text: str
    crop_uri: str | None
    heatmap_uri: str | None
    """A picture of it as it is and, beside that, with where it is not as it should be; defects have one."""


class EvidenceHashes(Part):
    """sha256 of the evidence files, hexadecimal."""

    snapshot: str | None = None
    clip: str | None = None
    heatmaps: tuple[str, ...] = ()
    """In the order of the objects that have one."""


class EvidenceRef(Part):
    """Where the evidence lies; pixels never travel in a message."""

    snapshot_uri: str | None = None
    clip_uri: str | None = None
    sha256: EvidenceHashes = EvidenceHashes()


class PipelineNote(Part):
    """How the message came about."""

    latency_ms: dict[str, float]
    """By stage: decode, queue, perception, deduction, publish (from the verdict to the outbox)."""
    dropped_windows: int
    """Windows of this camera that were dropped since its previous verdict."""
    degraded: tuple[str, ...]
    """What was missing, in words; empty when all was well."""


class AlertData(Part):
    """The alert itself."""

    schema_version: Literal[1] = 1
    alert_id: str
    """The incident's: a hash of site, camera, kind and the capture time of its first window."""
    revision: Annotated[int, Field(ge=1)]
    """Counts the messages about one incident from 1."""
    action: Action
    """suppress: the camera is not watched at this hour; said once, no open follows."""
    kind: Kind
    dedup_key: str
    """The same for all incidents of a camera and kind."""
    severity: Severity
    """The highest so far."""
    score: Score
    """Smoothed, of the window that this message is about."""
    score_max: Score | None = None
    """The highest so far, of windows between messages too; null in messages of versions that did not tell."""
    category: str
    site: SiteRef
    camera: CameraRef
    start: UtcTime
    """Capture of the incident's first window."""
    end: UtcTime | None = None
    """Capture of its last window with an alarm; null while it goes on."""
    captured_at: UtcTime
    """Capture of the window that this message is about."""
    published_at: UtcTime
    """When the message was decided and put into the outbox; the Kafka record's own time says when it was delivered."""
    clock: ClockNote
    rule_set: RuleSetRef
    cited_rules: tuple[CitedRule, ...]
    """Every rule that joined the incident so far; empty only for pure novelty and for defects."""
    votes: tuple[VoteRecord, ...]
    captions: tuple[CaptionRecord, ...]
    measurements: tuple[MeasurementRecord, ...]
    reason: str
    models: tuple[ModelRecord, ...]
    objects: tuple[ObjectRecord, ...]
    evidence: EvidenceRef
    pipeline: PipelineNote


class Event(Part):
    """CloudEvents 1.0 attributes that all our messages share."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    """``//site/camera``."""
    subject: str
    """The camera's id, or the name of the part."""
    time: UtcTime
    datacontenttype: Literal["application/json"] = "application/json"


class Alert(Event):
    """A message about an incident; ``id`` is ``alert_id-revision``, the same in every delivery."""

    type: Literal["streamproc.alert.v1"] = ALERT_TYPE
    dataschema: Literal["urn:streamproc:schema:alert:v1"] = "urn:streamproc:schema:alert:v1"
    data: AlertData

    def body(self) -> bytes:
        """The message as it travels: UTF-8 JSON."""
        return self.model_dump_json().encode()


def alert_id(site: str, camera: str, kind: Kind, first_captured_at: datetime) -> str:
    """The incident's id, the same whenever the same footage with the same times is seen again."""
    time = first_captured_at.astimezone(UTC).isoformat(timespec="milliseconds")
    return hashlib.sha256("\n".join((site, camera, kind, time)).encode()).hexdigest()[:32]
