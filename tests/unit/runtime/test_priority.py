"""Threads that give way."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from streamproc.runtime.priority import give_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has niceness by thread")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_the_thread_that_gives_way_is_nicer_and_no_other_is() -> None:
    before, found = niceness(), list[int]()

    def work() -> None:
        give_way()
        give_way()
        found.append(niceness())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [min(19, before + 5)]
    assert niceness() == before


def test_where_it_is_not_permitted_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    before = niceness()
    monkeypatch.setattr(os, "setpriority", refuse)
    give_way()
    assert niceness() == before
