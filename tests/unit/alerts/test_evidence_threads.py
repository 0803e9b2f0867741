"""The threads that make evidence: order, bounds, faults, the end."""

from __future__ import annotations

import threading

from streamproc.alerts.evidence_threads import EvidenceThreads


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
