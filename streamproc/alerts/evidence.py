"""Evidence on disk: an annotated picture and a clip for an incident's message, hashed.

Evidence never holds an alert back: what cannot be made is left out, and the alert says so in ``degraded``.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from streamproc.alerts.clip import COPYABLE, ClipError, Mask, Pixels, copy_mp4, decode_at, encode_mp4
from streamproc.alerts.heatmap import overlay
from streamproc.alerts.message import EvidenceHashes, EvidenceRef
from streamproc.alerts.private import make_file, make_folder
from streamproc.alerts.snapshot import Annotation, draw
from streamproc.config import CameraSettings, EvidenceSettings
from streamproc.types import DetectedObject, PacketBatch, Picture, Severity, StreamInfo, Verdict, on_host

log = structlog.get_logger(__name__)

PART = ".part"
"""Ends the name of a file that is being written."""
MOST_ENCODED_S = 30.0
"""Of a clip that has to be encoded again: a longer one would be ready too late for its message."""
MOST_DECODED_PX = 500e6
"""For a snapshot, from the last keyframe on: 240 pictures of 1080p or 60 of 2160p, which take about a second.
A count and not a time, so that a replay stays deterministic."""

MOST_HEATMAPS = 3
"""Of one message: each is some tens of kilobytes, and a person looks at the worst first."""
LEAST_FREE_BYTES = 256_000_000
"""Left on the disk: the outbox may lie on the same one, and without space it can decide nothing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was written, and what was not."""

    ref: EvidenceRef
    degraded: tuple[str, ...]
    """What is missing and why, in words; empty when all is there."""
    heatmaps: tuple[str | None, ...] = ()
    """Addresses of heat maps by the verdict's objects, in order; None for those without."""


class EvidenceWriter:
    """Writes a camera's evidence under ``directory/camera/YYYY-MM-DD/``."""

    def __init__(self, settings: EvidenceSettings, camera: CameraSettings, mask: Mask | None = None) -> None:
        """``mask`` blacks the camera's privacy masks.

        Raises:
            ValueError: the camera has privacy masks and ``mask`` is missing.
        """
        if camera.privacy_masks and mask is None:
            raise ValueError(f"camera {camera.id} has privacy masks: evidence needs to be told how to apply them")
        self._settings, self._camera = settings, camera
        self._mask = mask if camera.privacy_masks else None

    @property
    def before_s(self) -> float:
        """Seconds of video wanted before an incident's first window."""
        return self._settings.before_s

    def encodes(self, stream: StreamInfo) -> bool:
        """Whether a clip of this stream has to be encoded again, which takes seconds."""
        return self._mask is not None or stream.codec not in COPYABLE

    def write(
        self,
        alert_id: str,
        revision: int,
        verdict: Verdict | None,
        severity: Severity,
        at: datetime,
        *,
        picture: Picture | None = None,
        packets: PacketBatch | None = None,
        with_clip: bool = True,
    ) -> Evidence:
        """Make the evidence of one message.

        ``picture`` is the window's last frame, already masked, as small as analysis wanted it; ``packets`` the part
        of the ring that the clip is cut from. Without ``verdict`` (a resolution) there is only a clip. Never raises.
        """
        stem = self._folder(at) / f"{alert_id}-{revision}"
        degraded: list[str] = []
        snapshot = clip = None
        if verdict is not None:
            snapshot = self._attempt(
                "snapshot", lambda: self._snapshot(stem, verdict, severity, picture, packets), degraded
            )
        if with_clip:
            clip = self._attempt("clip", lambda: self._clip(stem, packets), degraded)
        maps = self._heatmaps(stem, verdict.objects if verdict is not None else (), degraded)
        hashes = EvidenceHashes(
            snapshot=snapshot and snapshot[1],
            clip=clip and clip[1],
            heatmaps=tuple(one[1] for one in maps if one is not None),
        )
        ref = EvidenceRef(snapshot_uri=snapshot and snapshot[0], clip_uri=clip and clip[0], sha256=hashes)
        return Evidence(ref, tuple(degraded), tuple(one and one[0] for one in maps))

    def _folder(self, at: datetime) -> Path:
        return self._settings.directory.absolute() / self._camera.id / at.astimezone(UTC).strftime("%Y-%m-%d")

    def _attempt(self, what: str, make: Callable[[], tuple[str, str]], degraded: list[str]) -> tuple[str, str] | None:
        try:
            return make()
        except ClipError as error:
            why = str(error)
        except OSError as error:
            why = error.strerror or type(error).__name__
        except Exception as error:  # evidence is worth less than the alert, whatever goes wrong
            log.exception("evidence_failed", camera=self._camera.id, what=what)
            why = type(error).__name__
        log.warning("evidence_missing", camera=self._camera.id, what=what, reason=why)
        degraded.append(f"no {what}: {why}")
        return None

    def _snapshot(
        self, stem: Path, verdict: Verdict, severity: Severity, picture: Picture | None, packets: PacketBatch | None
    ) -> tuple[str, str]:
        note = Annotation(
            headline=verdict.reason,
            camera=self._camera.name or self._camera.id,
            at=verdict.captured_at,
            timezone=self._camera.timezone,
            severity=severity,
            rules=verdict.cited_rules,
            measurements=verdict.measurements,
            objects=verdict.objects,
        )
        jpeg = draw(self._full_size(verdict.pts_s, picture, packets), note)
        return _store(stem.with_suffix(".jpg"), lambda path: _write(path, jpeg))

    def _heatmaps(
        self, stem: Path, objects: Sequence[DetectedObject], degraded: list[str]
    ) -> list[tuple[str, str] | None]:
        """Addresses and hashes by object, of the first few that have a close-up."""
        with_one = [number for number, one in enumerate(objects, 1) if one.close_up is not None][:MOST_HEATMAPS]
        return [
            self._attempt("heat map", partial(self._heatmap, stem, number, one), degraded)
            if number in with_one
            else None
            for number, one in enumerate(objects, 1)
        ]

    def _heatmap(self, stem: Path, number: int, pointed_at: DetectedObject) -> tuple[str, str]:
        assert pointed_at.close_up is not None  # noqa: S101 - chosen by that
        jpeg = overlay(pointed_at.close_up)
        return _store(stem.with_name(f"{stem.name}-heat{number}.jpg"), lambda path: _write(path, jpeg))

    def _full_size(self, pts_s: float, picture: Picture | None, packets: PacketBatch | None) -> Pixels:
        """The window's own picture, or the camera's full one where that is larger and soon decoded."""
        small = picture is None or (packets is not None and picture.shape[1] < packets.stream.width_px)
        if small and packets is not None:
            try:
                return decode_at(packets, pts_s, self._mask, math.inf if picture is None else MOST_DECODED_PX)
            except ClipError:
                if picture is None:
                    raise
        if picture is None:
            raise ClipError("no picture and no packets are held")
        return on_host(picture)

    def _clip(self, stem: Path, packets: PacketBatch | None) -> tuple[str, str]:
        if packets is None or not packets.packets:
            raise ClipError("no packets of that time are held")
        if not self.encodes(packets.stream):
            return _store(stem.with_suffix(".mp4"), lambda path: copy_mp4(packets, path))
        # Packets cannot be masked, so a masked camera's clip is made of masked pictures.
        beginning = _first_seconds(packets, MOST_ENCODED_S)
        return _store(stem.with_suffix(".mp4"), lambda path: encode_mp4(beginning, path, self._mask))


def _first_seconds(batch: PacketBatch, seconds: float) -> PacketBatch:
    end_s = batch.packets[0].pts_s + seconds
    return replace(batch, packets=tuple(packet for packet in batch.packets if packet.pts_s < end_s))


def _store(path: Path, make: Callable[[Path], None]) -> tuple[str, str]:
    """Have ``make`` write a file beside ``path`` and move it there whole; its ``file://`` address and sha256."""
    make_folder(path.parent)
    if shutil.disk_usage(path.parent).free < LEAST_FREE_BYTES:
        raise ClipError("the disk is nearly full")
    part = path.with_name(path.name + PART)
    part.unlink(missing_ok=True)  # of a process that was killed
    try:
        make_file(part)
        make(part)
        with part.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path.as_uri(), digest


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
