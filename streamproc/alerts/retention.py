"""How much evidence is kept: by age, and by size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from streamproc.alerts.evidence import PART
from streamproc.config import EvidenceSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many files went."""

    age: int = 0
    """For ``retention_days``."""
    size: int = 0
    """For ``max_gb``."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    written_s: float
    size_bytes: int


def delete_evidence(settings: EvidenceSettings, now: datetime) -> Deleted:
    """Delete what is older than ``retention_days``, then the oldest until the rest is within ``max_gb``.

    Past days' folders that are left empty go too. Looks only at names that evidence has; files of others stay. What
    cannot be deleted is logged and tried next time.
    """
    limit_s = (now - timedelta(days=settings.retention_days)).timestamp()
    files = sorted(_files(settings.directory), key=lambda file: (file.written_s, file.path))
    old = [file for file in files if file.written_s < limit_s]
    # What is being written is counted, and left alone.
    rest = [file for file in files if file.written_s >= limit_s]
    over_bytes = sum(file.size_bytes for file in rest) - settings.max_gb * 1e9
    too_much: list[_File] = []
    for file in rest:
        if over_bytes <= 0:
            break
        if not file.path.name.endswith(PART):
            too_much.append(file)
            over_bytes -= file.size_bytes
    deleted = Deleted(sum(map(_delete, old)), sum(map(_delete, too_much)))
    today = now.astimezone(UTC).strftime("%Y-%m-%d")
    for folder in settings.directory.glob("*/????-??-??"):
        if folder.name < today and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return deleted


def _files(directory: Path) -> Iterator[_File]:
    for path in directory.glob("*/????-??-??/*"):
        if path.name.endswith((".jpg", ".mp4", PART)):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue  # it was being written, and has its name now
            yield _File(path, found.st_mtime, found.st_size)


def _delete(file: _File) -> bool:
    try:
        file.path.unlink()
    except OSError as error:
        log.warning("evidence_not_deleted", path=str(file.path), error=error.strerror)
        return False
    return True
