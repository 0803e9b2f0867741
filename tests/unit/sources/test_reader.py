"""When a session is read: packet by packet as it comes, or together while nobody needs any."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from streamproc.errors import ChannelClosed
from streamproc.sources.reader import Arrived, Ended, Item, Opened, Reader
from streamproc.sources.session import Demuxed
from streamproc.testing import FakeClock
from streamproc.testing_sources import FakeSession, raw_packets


class Timed(FakeSession):
    """Each packet comes after some seconds, or at once where it came while nobody read."""

    def __init__(self, clock: FakeClock, every_s: float, count: int, then: Callable[[], object] | None = None) -> None:
        super().__init__(raw_packets(count), then=then)
        self._clock, self._every_s = clock, every_s

    def __iter__(self) -> Iterator[Demuxed]:
        for number, packet in enumerate(super().__iter__(), 1):
            self._clock.advance(max(0.0, number * self._every_s - self._clock.monotonic()))
            yield packet


def read(clock: FakeClock, session: FakeSession, until_s: float = 0.0, most_s: float = 1.0) -> list[Sequence[Item]]:
    """What was handed over, by what came together."""
    reader = Reader("gate", lambda: session, clock)
    reader.rest(until_s, most_s)
    reader.start()
    handed: list[Sequence[Item]] = []
    while True:
        try:
            handed.append(reader.take(5))
        except ChannelClosed:
            return handed
        if any(isinstance(item, Ended) for item in handed[-1]):
            assert reader.close()


def arrived(handed: Sequence[Sequence[Item]]) -> list[bytes]:
    return [item.packet.data for items in handed for item in items if isinstance(item, Arrived)]


def test_packets_are_read_as_they_come() -> None:
    clock = FakeClock()
    handed = read(clock, Timed(clock, 0.04, 20))
    assert isinstance(handed[0][0], Opened)
    assert arrived(handed) == [b"%d" % number for number in range(20)]
    assert clock.waits == []


def test_while_nobody_needs_any_they_are_read_together() -> None:
    clock = FakeClock()
    session = Timed(clock, 0.04, 50)
    assert arrived(read(clock, session, until_s=1.0, most_s=0.25)) == [b"%d" % number for number in range(50)]
    # After each nap what is there already is read at once, and the next one that has to be awaited ends the lot.
    assert clock.waits == pytest.approx([0.25, 0.25, 0.25, 0.12])
    assert clock.monotonic() == pytest.approx(2.0)


def test_no_more_than_a_channel_holds_is_held() -> None:
    clock = FakeClock()
    session = Timed(clock, 0.04, 200)
    assert arrived(read(clock, session, until_s=100.0, most_s=0.02)) == [b"%d" % number for number in range(200)]
    assert len(clock.waits) > 100


def test_what_is_held_is_not_lost_where_the_session_ends() -> None:
    clock = FakeClock()
    session = Timed(clock, 0.04, 7)
    assert len(arrived(read(clock, session, until_s=100.0, most_s=10.0))) == 7


def test_what_is_held_of_a_camera_that_falls_silent_is_taken_all_the_same() -> None:
    clock, silent, over = FakeClock(), threading.Event(), threading.Event()

    def then() -> None:
        silent.set()
        over.wait(20)

    session = Timed(clock, 0.04, 7, then)
    reader = Reader("gate", lambda: session, clock)
    reader.rest(100.0, 0.01)
    reader.start()
    assert silent.wait(5)
    assert [type(item) for item in reader.take(5)] == [Opened]
    assert reader.take(0.01) == []
    clock.advance(100.0)
    assert arrived([reader.take(0.01)]) == [b"%d" % number for number in range(7)]
    over.set()
    assert isinstance(reader.take(5)[0], Ended)
    assert reader.close()


def test_a_nap_ends_when_the_session_is_closed() -> None:
    naps = threading.Event()

    class Real(FakeClock):
        def wait(self, event: threading.Event, timeout_s: float) -> bool:
            naps.set()
            return event.wait(timeout_s)

    clock = Real()
    reader = Reader("gate", lambda: Timed(clock, 0.04, 1000), clock)
    reader.rest(100.0, 50.0)
    reader.start()
    assert naps.wait(5)
    assert reader.close()


def test_what_comes_while_nothing_came_is_taken_in_order() -> None:
    first, second = (Arrived(packet, FakeClock().now()) for packet in raw_packets(2))

    class Meanwhile(FakeClock):
        def monotonic(self) -> float:
            reader._items.put((first,))
            reader._lot.append(second)
            return super().monotonic()

    reader = Reader("gate", lambda: FakeSession(()), Meanwhile())
    assert reader.take(0.01) == [first, second]
