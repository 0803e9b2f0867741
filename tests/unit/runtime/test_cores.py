"""How many cores a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamproc.runtime import cores as module
from streamproc.runtime.cores import cores


@pytest.fixture(autouse=True)
def quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Of the container; none as long as the file is not there."""
    path = tmp_path / "cpu.max"
    monkeypatch.setattr(module, "QUOTA", path)
    return path


def test_only_those_that_the_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 3


def test_where_that_cannot_be_told_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert cores() == 4
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


@pytest.mark.parametrize(("said", "expected"), [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_containers_quota_bounds_them(monkeypatch: pytest.MonkeyPatch, quota: Path, said: str, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    quota.write_text(said + "\n", encoding="ascii")
    assert cores() == expected


@pytest.mark.parametrize("said", ["max 100000", "", "6400000000 100000"])
def test_a_container_without_a_quota_or_with_more_than_there_is_bounds_nothing(
    monkeypatch: pytest.MonkeyPatch, quota: Path, said: str
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(3), raising=False)
    quota.write_text(said, encoding="ascii")
    assert cores() == 3
