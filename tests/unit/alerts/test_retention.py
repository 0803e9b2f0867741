"""Retention of evidence: by age, by size, and nothing that is not evidence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
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


def test_what_cannot_be_read_or_removed_keeps_nothing_else_from_going(
    settings: EvidenceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = settings.directory / "gate"
    for name in ("2026-10-01/a-1.jpg", "2026-10-01/b-1.jpg", "2026-10-02/c-1.jpg", "2026-10-03/d-1.jpg"):
        make_old(gate / name, 50)
    stat, listed = Path.stat, Path.iterdir

    def stale(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == "a-1.jpg":
            raise OSError(116, "Stale file handle")
        return stat(path, follow_symlinks=follow_symlinks)

    def broken(path: Path) -> Iterator[Path]:
        if path.name == "2026-10-02":
            raise OSError(5, "Input/output error")
        return listed(path)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", stale)
    monkeypatch.setattr(Path, "iterdir", broken)
    monkeypatch.setattr(Path, "rmdir", refuse)
    assert delete_evidence(settings, START) == Deleted(age=2)
    monkeypatch.undo()
    assert left(settings) == ["gate/2026-10-01/a-1.jpg", "gate/2026-10-02/c-1.jpg"]
    assert (gate / "2026-10-03").exists()


def test_on_a_full_disk_the_oldest_makes_room_for_the_next(
    settings: EvidenceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamproc.alerts.retention.LEAST_FREE_BYTES", 1000)
    free = shutil.disk_usage(settings.directory.parent)._replace(free=1500)
    monkeypatch.setattr("streamproc.alerts.retention.shutil.disk_usage", lambda _: free)
    roomy = settings.model_copy(update={"max_gb": 10.0})
    for day in (17, 18, 19):
        make_old(settings.directory / "gate" / f"2026-11-{day}" / "a-1.mp4", 21 - day, 300)
    assert delete_evidence(roomy, START) == Deleted(size=2)
    assert left(settings) == ["gate/2026-11-19/a-1.mp4"]
