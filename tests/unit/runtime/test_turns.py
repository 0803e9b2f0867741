"""Turns are limited in number and handed on in order."""

from __future__ import annotations

import threading
import time

import pytest

from streamproc.runtime.turns import Turns


def test_no_more_than_so_many_have_a_turn_at_once() -> None:
    turns, inside, most, lock = Turns(2), 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def work() -> None:
        nonlocal inside, most
        with turns:
            with lock:
                inside += 1
                most = max(most, inside)
            both.wait(5)  # broken, unless two are inside at once
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (most, inside, both.broken) == (2, 0, False)


def test_who_asked_first_is_next_even_if_the_holder_asks_again_at_once() -> None:
    turns, order, holds, asks = Turns(1), list[str](), threading.Event(), threading.Event()

    def again() -> None:
        with turns:
            holds.set()
            asks.wait(5)
        with turns:
            order.append("again")

    def waits() -> None:
        with turns:
            order.append("waited")

    holder, waiter = threading.Thread(target=again), threading.Thread(target=waits)
    holder.start()
    assert holds.wait(5)
    waiter.start()
    patience_s = time.monotonic() + 5
    while not turns.waiting:
        assert time.monotonic() < patience_s
    asks.set()
    for thread in (holder, waiter):
        thread.join(5)
    assert order == ["waited", "again"]


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns(1)
    for _ in range(2):
        with pytest.raises(RuntimeError), turns:
            raise RuntimeError
    with turns:
        pass


def test_there_is_at_least_one_turn() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Turns(0)
