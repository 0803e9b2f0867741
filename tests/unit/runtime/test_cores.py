"""How many cores a process may use."""

from __future__ import annotations

import os

import pytest

from streamproc.runtime.cores import cores


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
