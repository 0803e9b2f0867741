"""Turns are limited in number and handed on in order, and holders that hang stop nobody."""

from __future__ import annotations

import threading

import pytest

from streamproc.runtime.turns import Turns
from streamproc.testing import until


def test_no_more_than_so_many_have_a_turn_at_once() -> None:
    turns, leave, inside, came = Turns(2), threading.Event(), list[int](), threading.Semaphore(0)

    def work() -> None:
        with turns:
            inside.append(1)
            came.release()
            leave.wait(5)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: turns.waiting >= 4)
    assert came.acquire(timeout=5)
    assert came.acquire(timeout=5)
    assert len(inside) == 2
    leave.set()
    for thread in threads:
        thread.join(5)
    assert (len(inside), turns.waiting) == (6, 0)


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
    until(lambda: turns.waiting >= 1)
    asks.set()
    for thread in (holder, waiter):
        thread.join(5)
    assert order == ["waited", "again"]


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns(1, stuck_s=60.0)
    with pytest.raises(RuntimeError), turns:
        raise RuntimeError
    entered = threading.Thread(target=turns.__enter__, daemon=True)
    entered.start()
    entered.join(5)
    assert not entered.is_alive()


def test_holders_that_hang_are_replaced_by_one_more_turn() -> None:
    turns, over, inside = Turns(1, stuck_s=0.05), threading.Event(), list[int]()

    def hangs() -> None:
        with turns:
            over.wait(10)

    def work() -> None:
        with turns:
            inside.append(turns.at_once)

    hung = threading.Thread(target=hangs)
    hung.start()
    others = [threading.Thread(target=work) for _ in range(3)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join(5)
    assert inside == [2, 2, 2]
    over.set()
    hung.join(5)


def test_a_long_queue_that_moves_makes_no_further_turns() -> None:
    turns, steps = Turns(1, stuck_s=1.0), threading.Semaphore(0)

    def work() -> None:
        with turns:
            steps.acquire(timeout=5)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: turns.waiting >= 5)
    for _ in threads:  # the last waits longer than anybody may without a change
        threading.Event().wait(0.25)
        steps.release()
    for thread in threads:
        thread.join(5)
    assert turns.at_once == 1


def test_there_is_at_least_one_turn() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Turns(0)
