"""A queue with one place a thing: what gives way, in which order it is served, how it ends."""

from __future__ import annotations

import threading

import pytest

from streamproc.errors import ChannelClosed
from streamproc.runtime.slots import Slots


def served(slots: Slots[str]) -> list[str]:
    got = []
    while len(slots):
        with slots.take(0) as item:
            assert item is not None
            got.append(item)
    return got


def test_a_newer_item_of_the_same_thing_takes_the_older_ones_place() -> None:
    slots: Slots[str] = Slots(4)
    assert slots.put("gate", "valve", "valve 1") is None
    assert slots.put("gate", "door", "door 1") is None
    assert slots.put("gate", "valve", "valve 2") == ("fresher", "gate")
    assert slots.put("yard", "valve", "another valve") is None
    assert served(slots) == ["valve 2", "door 1", "another valve"]


def test_where_there_is_no_room_the_group_with_the_most_waiting_gives_its_oldest() -> None:
    slots: Slots[str] = Slots(3)
    slots.put("quiet", 1, "quiet 1")
    slots.put("busy", 1, "busy 1")
    slots.put("busy", 2, "busy 2")
    assert slots.put("quiet", 2, "quiet 2") == ("full", "busy")
    assert served(slots) == ["quiet 1", "busy 2", "quiet 2"]


def test_nothing_comes_within_the_time() -> None:
    with Slots[str](1).take(0) as item:
        assert item is None


def test_it_settles_when_a_groups_last_item_was_worked_on() -> None:
    slots: Slots[str] = Slots(2)
    slots.put("gate", 1, "one")
    assert not slots.settle("gate", 0)
    with slots.take(0):
        assert not slots.settle("gate", 0)
        assert slots.settle("yard", 0)
    assert slots.settle("gate", 0)


def test_closing_loses_what_waits_and_wakes_the_consumer() -> None:
    slots: Slots[str] = Slots(2)
    ended = threading.Event()

    def consume() -> None:
        try:
            with slots.take(20):
                pass
        except ChannelClosed:
            ended.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    slots.close()
    consumer.join(5)
    assert ended.is_set()
    other: Slots[str] = Slots(2)
    other.put("gate", 1, "one")
    other.put("yard", 1, "one")
    assert other.close() == ["gate", "yard"]
    assert other.settle("gate", 0)
    with pytest.raises(ChannelClosed):
        other.put("gate", 1, "one")
