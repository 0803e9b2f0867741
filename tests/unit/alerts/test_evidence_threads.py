"""The threads that make evidence: order, bounds, faults, the end."""

from __future__ import annotations

import threading

from streamproc.alerts.evidence_threads import EvidenceThreads
from streamproc.testing import until


def test_tasks_are_done_in_order_and_a_fault_ends_nothing() -> None:
    threads = EvidenceThreads()
    done: list[int] = []

    def fails() -> None:
        raise RuntimeError("no")

    assert threads.put(lambda: done.append(1), encodes=False)
    assert threads.put(fails, encodes=False)
    assert threads.put(lambda: done.append(2), encodes=False)
    assert len(threads) == 3
    threads.start()
    assert threads.stop(10.0)
    assert done == [1, 2]
    assert not threads.put(lambda: None, encodes=False)


def test_what_is_full_takes_no_more_and_keeps_nobody_waiting() -> None:
    threads = EvidenceThreads(copied=1, encoded=1)
    assert threads.put(lambda: None, encodes=True)
    assert not threads.put(lambda: None, encodes=True)
    assert threads.put(lambda: None, encodes=False)
    assert threads.stop(0.0)  # never started


def test_a_long_encoding_does_not_keep_copies_waiting_nor_the_end_for_ever() -> None:
    threads = EvidenceThreads()
    over, copied = threading.Event(), threading.Event()

    def takes_long() -> None:
        over.wait(10.0)

    threads.start()
    threads.put(takes_long, encodes=True)
    threads.put(copied.set, encodes=False)
    assert copied.wait(10.0)
    assert not threads.stop(0.05)
    over.set()
    assert threads.stop(10.0)


def test_an_opening_does_not_wait_for_a_resolution_which_comes_after_what_was_before_it() -> None:
    threads = EvidenceThreads()
    over, first, opened = threading.Event(), threading.Event(), threading.Event()
    done: list[str] = []

    def takes_long() -> None:
        first.set()
        over.wait(10.0)
        done.append("resolved")

    def update() -> None:
        done.append("updated")

    assert threads.put(update, encodes=True)
    assert threads.put(takes_long, encodes=True, resolves=True)
    threads.start()
    assert first.wait(10.0)
    threads.put(opened.set, encodes=True)
    assert opened.wait(3.0)
    over.set()
    assert threads.stop(10.0)
    assert done == ["updated", "resolved"]
    assert len(threads) == 0


def test_a_cameras_evidence_waits_for_its_own_alone_and_is_made_in_order() -> None:
    threads = EvidenceThreads()
    over, others = threading.Event(), threading.Event()
    done: list[int] = []

    def takes_long() -> None:
        over.wait(10.0)
        done.append(1)

    threads.start()
    threads.put(takes_long, encodes=False, camera_id="gate")
    threads.put(lambda: done.append(2), encodes=False, camera_id="gate")
    threads.put(others.set, encodes=False, camera_id="yard")
    assert others.wait(3.0)
    assert done == []
    over.set()
    assert threads.stop(10.0)
    assert done == [1, 2]


def test_a_resolution_comes_after_what_its_own_camera_waits_for() -> None:
    threads = EvidenceThreads()
    over, others = threading.Event(), threading.Event()
    done: list[str] = []

    def takes_long() -> None:
        over.wait(10.0)
        done.append("updated")

    threads.start()
    threads.put(lambda: None, encodes=True, camera_id="masked")
    threads.put(lambda: None, encodes=False, camera_id="gate")
    threads.put(takes_long, encodes=False, camera_id="yard")
    threads.put(lambda: done.append("resolved"), encodes=False, resolves=True, camera_id="yard")
    threads.put(others.set, encodes=False, resolves=True, camera_id="gate")
    assert others.wait(3.0)
    assert done == []
    over.set()
    assert threads.stop(10.0)
    assert done == ["updated", "resolved"]


def test_resolutions_that_wait_are_done_before_the_end() -> None:
    threads = EvidenceThreads()
    done: list[int] = []
    for number in range(5):
        assert threads.put(lambda number=number: done.append(number), encodes=False, resolves=True)  # type: ignore[misc]
    threads.start()
    assert threads.stop(10.0)
    assert done == [0, 1, 2, 3, 4]


def test_what_waits_has_a_bound_in_memory_which_one_alone_may_pass() -> None:
    threads = EvidenceThreads(most_bytes=100)
    assert threads.put(lambda: None, encodes=False, size_bytes=150)
    assert not threads.put(lambda: None, encodes=True, size_bytes=1)
    threads.start()
    assert threads.stop(10.0)
    threads = EvidenceThreads(most_bytes=100)
    assert threads.put(lambda: None, encodes=False, size_bytes=60)
    assert threads.put(lambda: None, encodes=True, resolves=True, size_bytes=40)
    assert not threads.put(lambda: None, encodes=True, size_bytes=1)


def test_what_was_made_makes_room() -> None:
    threads = EvidenceThreads(copied=1, most_bytes=100)
    over = threading.Semaphore(0)
    threads.start()
    for _ in range(3):
        assert threads.put(over.release, encodes=False, resolves=True, size_bytes=80)
        assert over.acquire(timeout=10.0)
        until(lambda: len(threads) == 0, 10.0)  # from the task's end until it is counted
    assert threads.stop(10.0)
