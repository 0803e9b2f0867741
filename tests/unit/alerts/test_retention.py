"""Retention of evidence: by age, by size, and nothing that is not evidence."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from streamproc.alerts.retention import Deleted, delete_evidence
from streamproc.config import EvidenceSettings
from streamproc.testing_alerts import START


@pytest.fixture
def settings(tmp_path: Path) -> EvidenceSettings:
    return EvidenceSettings(directory=tmp_path / "evidence", retention_days=30, max_gb=1e-6)


def make_old(path: Path, days: float, size_bytes: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size_bytes)
    moment = (START - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))


def left(settings: EvidenceSettings) -> list[str]:
    return sorted(str(p.relative_to(settings.directory)) for p in settings.directory.rglob("*") if p.is_file())


def test_the_old_is_deleted_and_only_evidence(settings: EvidenceSettings) -> None:
    gate = settings.directory / "gate"
    make_old(gate / "2026-10-01" / "a-1.jpg", 51)
    make_old(gate / "2026-10-01" / "a-1.mp4", 51)
    make_old(gate / "2026-10-02" / "b-1.mp4.part", 50)
    make_old(gate / "2026-10-02" / "notes.txt", 50)
    make_old(gate / "2026-11-20" / "c-1.jpg", 1)
    make_old(settings.directory / "elsewhere.jpg", 99)
    (gate / "2026-11-21").mkdir()
    assert delete_evidence(settings, START) == Deleted(age=3)
    assert left(settings) == ["elsewhere.jpg", "gate/2026-10-02/notes.txt", "gate/2026-11-20/c-1.jpg"]
    assert not (gate / "2026-10-01").exists()
    assert (gate / "2026-11-21").exists()
    assert delete_evidence(settings, START) == Deleted()


def test_the_oldest_of_all_cameras_makes_room_until_the_rest_fits(settings: EvidenceSettings) -> None:
    make_old(settings.directory / "gate" / "2026-11-19" / "a-1.mp4", 2, 400)
    make_old(settings.directory / "yard" / "2026-11-18" / "b-1.mp4", 3, 400)
    make_old(settings.directory / "gate" / "2026-11-20" / "c-1.mp4", 1, 400)
    make_old(settings.directory / "gate" / "2026-11-17" / "d-1.mp4.part", 4, 200)
    make_old(settings.directory / "gate" / "2026-11-17" / "notes.txt", 4, 9000)
    make_old(settings.directory / "gate" / "2026-10-01" / "e-1.jpg", 51, 9000)
    assert delete_evidence(settings, START) == Deleted(age=1, size=1)
    assert left(settings) == [
        "gate/2026-11-17/d-1.mp4.part",
        "gate/2026-11-17/notes.txt",
        "gate/2026-11-19/a-1.mp4",
        "gate/2026-11-20/c-1.mp4",
    ]


def test_what_cannot_be_deleted_is_not_counted(settings: EvidenceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    make_old(settings.directory / "gate" / "2026-10-01" / "a-1.jpg", 51)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert delete_evidence(settings, START) == Deleted()
