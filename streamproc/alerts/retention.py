"""How much evidence is kept: by age, and by size; and how long messages are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from streamproc.alerts.evidence import LEAST_FREE_BYTES, PART
from streamproc.alerts.outbox import Outbox
from streamproc.config import EvidenceSettings
from streamproc.errors import SinkError
from streamproc.runtime.clock import Clock
from streamproc.secrets import redact

log = structlog.get_logger(__name__)


_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many files went."""

    age: int = 0
    """For ``retention_days``."""
    size: int = 0
    """For ``max_gb``, or for room on the disk."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    written_s: float
    size_bytes: int


class SweepMetrics(Protocol):
    """What is counted; ``observability.metrics.Metrics`` is one."""

    def evidence_deleted(self, age: int, size: int) -> None: ...


class Sweep:
    """Forgets old messages and deletes old evidence every ten minutes. One caller at a time."""

    def __init__(self, settings: EvidenceSettings, outbox: Outbox, metrics: SweepMetrics, clock: Clock) -> None:
        self._settings, self._outbox, self._metrics, self._clock = settings, outbox, metrics, clock
        self._swept_s = float("-inf")

    def when_due(self) -> None:
        """Sweep if the last time is long ago, be it that it failed."""
        if self._clock.monotonic() - self._swept_s < _EVERY_S:
            return
        self._swept_s = self._clock.monotonic()
        forgotten = 0
        try:
            forgotten = self._outbox.purge(self._clock.now() - timedelta(days=self._settings.retention_days))
        except SinkError as error:  # a disk that is too full to forget on may have evidence to delete
            log.error("outbox_not_purged", error=redact(str(error)))
        deleted = delete_evidence(self._settings, self._clock.now())
        self._metrics.evidence_deleted(deleted.age, deleted.size)
        if deleted.age or deleted.size or forgotten:
            log.info("retention", evidence_too_old=deleted.age, evidence_too_much=deleted.size, messages=forgotten)


def delete_evidence(settings: EvidenceSettings, now: datetime) -> Deleted:
    """Delete what is older than ``retention_days``, then the oldest until the rest is within ``max_gb`` and the disk
    has twice the room without which no evidence is written.

    Past days' folders that are left empty go too. Looks only at names that evidence has; files of others stay. What
    cannot be read or deleted is logged and tried next time.
    """
    limit_s = (now - timedelta(days=settings.retention_days)).timestamp()
    files = sorted(_files(settings.directory), key=lambda file: (file.written_s, file.path))
    old = sum(_delete(file) for file in files if file.written_s < limit_s)
    # What is being written is counted, and left alone.
    rest = [file for file in files if file.written_s >= limit_s]
    over_bytes = sum(file.size_bytes for file in rest) - settings.max_gb * 1e9
    over_bytes = max(over_bytes, _lacking_bytes(settings.directory))
    too_much: list[_File] = []
    for file in rest:
        if over_bytes <= 0:
            break
        if not file.path.name.endswith(PART):
            too_much.append(file)
            over_bytes -= file.size_bytes
    deleted = Deleted(old, sum(map(_delete, too_much)))
    today = now.astimezone(UTC).strftime("%Y-%m-%d")
    for folder in _days(settings.directory):
        if folder.name < today and not _listed(folder):
            _remove(folder, Path.rmdir)
    return deleted


def _lacking_bytes(directory: Path) -> int:
    try:
        return 2 * LEAST_FREE_BYTES - shutil.disk_usage(directory).free
    except OSError:
        return 0  # Nothing was written yet, or nothing can be.


def _files(directory: Path) -> Iterator[_File]:
    for folder in _days(directory):
        for path in _listed(folder):
            if path.name.endswith((".jpg", ".mp4", PART)):
                try:
                    found = path.stat()
                except FileNotFoundError:
                    continue  # it was being written, and has its name now
                except OSError as error:
                    log.warning("evidence_not_read", path=str(path), error=error.strerror)
                    continue
                yield _File(path, found.st_mtime, found.st_size)


def _days(directory: Path) -> list[Path]:
    return [day for camera in _listed(directory) for day in _listed(camera) if day.match("????-??-??")]


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        log.warning("evidence_not_read", path=str(folder), error=error.strerror)
        return []


def _delete(file: _File) -> bool:
    return _remove(file.path, Path.unlink)


def _remove(path: Path, remove: Callable[[Path], None]) -> bool:
    try:
        remove(path)
    except OSError as error:
        log.warning("evidence_not_deleted", path=str(path), error=error.strerror)
        return False
    return True
