"""Channels between threads: order, bounds, closing, turns. Threads meet at events and barriers, none sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.errors import ChannelClosed
from streamproc.runtime.channels import Channel, Freshest, Lanes

T = TypeVar("T")
BOUND_S = 5.0
MOMENT_S = 0.02
"""Long enough to show that something does not happen, short enough not to matter."""


def aside(call: Callable[[], T]) -> Future[T]:
    """``call`` on a thread of its own, surely begun."""
    begun = threading.Event()
    pool = ThreadPoolExecutor(1)

    def run() -> T:
        begun.set()
        return call()

    future = pool.submit(run)
    assert begun.wait(BOUND_S)
    pool.shutdown(wait=False)
    return future


def blocks(future: Future[T]) -> bool:
    """Whether ``future`` is still not done after a moment."""
    try:
        future.exception(MOMENT_S)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("kind", [Channel, Freshest])
class TestEveryChannel:
    def test_what_goes_in_comes_out_in_order(self, kind: type[Channel[int]]) -> None:
        channel = kind(3)
        for number in range(3):
            assert channel.put(number)
        assert len(channel) == 3
        assert [channel.get(), channel.get(), channel.get()] == [0, 1, 2]
        assert len(channel) == 0

    def test_an_empty_one_gives_none_after_its_bound(self, kind: type[Channel[int]]) -> None:
        assert kind(1).get(timeout_s=0) is None
        assert kind(1).get(timeout_s=0.001) is None

    def test_a_waiting_consumer_gets_what_comes(self, kind: type[Channel[int]]) -> None:
        channel = kind(1)
        taken = aside(channel.get)
        assert blocks(taken)
        channel.put(7)
        assert taken.result(BOUND_S) == 7

    def test_closed_it_gives_what_is_left_and_then_says_so(self, kind: type[Channel[int]]) -> None:
        channel = kind(2)
        channel.put(1)
        channel.put(2)
        channel.close()
        assert list(channel) == [1, 2]
        with pytest.raises(ChannelClosed):
            channel.get()
        with pytest.raises(ChannelClosed):
            channel.get(timeout_s=0)

    def test_closed_it_takes_nothing_not_even_with_room(self, kind: type[Channel[int]]) -> None:
        channel = kind(2)
        channel.close()
        with pytest.raises(ChannelClosed):
            channel.put(1)
        assert len(channel) == 0

    def test_closing_wakes_a_waiting_consumer(self, kind: type[Channel[int]]) -> None:
        channel = kind(1)
        taken = aside(channel.get)
        assert blocks(taken)
        channel.close()
        assert isinstance(taken.exception(BOUND_S), ChannelClosed)

    def test_closing_twice_is_closing_once(self, kind: type[Channel[int]]) -> None:
        channel = kind(1)
        channel.close()
        channel.close()
        assert list(channel) == []

    def test_one_without_room_is_a_mistake(self, kind: type[Channel[int]]) -> None:
        with pytest.raises(ValueError, match="at least one item"):
            kind(0)


class TestChannel:
    def test_full_it_blocks_its_producer_until_there_is_room(self) -> None:
        channel: Channel[int] = Channel(1)
        channel.put(1)
        put = aside(lambda: channel.put(2))
        assert blocks(put)
        assert channel.get() == 1
        assert put.result(BOUND_S) is True
        assert channel.get() == 2

    def test_full_it_refuses_after_the_bound_and_keeps_what_it_has(self) -> None:
        channel: Channel[int] = Channel(1)
        channel.put(1)
        assert channel.put(2, timeout_s=0) is False
        assert channel.put(2, timeout_s=0.001) is False
        assert channel.get() == 1
        assert channel.get(timeout_s=0) is None

    def test_closing_wakes_a_blocked_producer_whose_item_is_not_taken(self) -> None:
        channel: Channel[int] = Channel(1)
        channel.put(1)
        put = aside(lambda: channel.put(2))
        assert blocks(put)
        channel.close()
        assert isinstance(put.exception(BOUND_S), ChannelClosed)
        assert list(channel) == [1]

    def test_a_thousand_items_cross_two_threads_whole_and_in_order(self) -> None:
        channel: Channel[int] = Channel(3)

        def produce() -> None:
            for number in range(1000):
                channel.put(number)
            channel.close()

        done = aside(produce)
        assert list(channel) == list(range(1000))
        done.result(BOUND_S)


class TestFreshest:
    def test_full_it_drops_all_that_waits_and_says_how_many(self) -> None:
        channel: Freshest[int] = Freshest(2)
        assert [(channel.put(n), channel.lost) for n in range(5)] == [
            (True, 0),
            (True, 0),
            (False, 2),
            (True, 0),
            (False, 2),
        ]
        assert channel.get() == 4

    def test_what_is_taken_between_two_losses_is_unbroken(self) -> None:
        channel: Freshest[int] = Freshest(3)
        taken: list[int] = []
        for n in range(40):
            channel.put(n)
            if n % 4 and (item := channel.get()) is not None:  # three are taken while four come
                taken.append(item)
        gaps = sum(after - before > 1 for before, after in pairwise(taken))
        assert gaps <= len(taken) // 9

    @given(size=st.integers(1, 4), steps=st.lists(st.booleans(), max_size=60))
    def test_each_item_is_taken_or_said_to_be_dropped_and_never_both(self, size: int, steps: list[bool]) -> None:
        channel: Freshest[int] = Freshest(size)
        put, taken, dropped = 0, [], 0
        for is_put in steps:
            if is_put:
                channel.put(put)
                dropped += channel.lost
                put += 1
            elif (item := channel.get(timeout_s=0)) is not None:
                taken.append(item)
            assert len(channel) <= size
        assert taken == sorted(set(taken))
        assert len(taken) + dropped + len(channel) == put


class TestLanes:
    def test_a_lane_without_room_is_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="at least one item"):
            Lanes(0)

    def test_a_full_lane_blocks_its_own_producer_only(self) -> None:
        lanes: Lanes[int] = Lanes()
        assert lanes.put("gate", 1)
        put = aside(lambda: lanes.put("gate", 2))
        assert blocks(put)
        assert lanes.put("yard", 1, timeout_s=0)
        assert lanes.put("gate", 3, timeout_s=0) is False
        with lanes.take() as item:
            assert item == 1
        assert put.result(BOUND_S) is True

    def test_a_busy_camera_does_not_keep_the_others_from_their_turn(self) -> None:
        lanes: Lanes[str] = Lanes(4)
        for n in range(4):
            lanes.put("busy", f"b{n}")
        lanes.put("a", "a0")
        lanes.put("c", "c0")
        served = []
        while lanes:
            with lanes.take(timeout_s=0) as item:
                served.append(item)
            if len(served) == 1:
                lanes.put("busy", "b4", timeout_s=0)
        assert served == ["b0", "a0", "c0", "b1", "b2", "b3", "b4"]

    def test_one_that_was_served_goes_behind_one_that_was_not(self) -> None:
        lanes: Lanes[str] = Lanes()
        for key in ("a", "b"):
            lanes.put(key, f"{key}0")
        with lanes.take(timeout_s=0) as item:
            assert item == "a0"
        lanes.put("a", "a1")
        with lanes.take(timeout_s=0) as item:
            assert item == "b0"

    def test_a_leased_lane_is_nobody_elses(self) -> None:
        lanes: Lanes[int] = Lanes(2)
        lanes.put("gate", 1)
        lanes.put("gate", 2)
        with lanes.take() as first:
            assert first == 1
            with lanes.take(timeout_s=0) as other:
                assert other is None
        with lanes.take(timeout_s=0) as second:
            assert second == 2

    def test_a_returned_lane_wakes_one_who_waits_for_it(self) -> None:
        lanes: Lanes[int] = Lanes(2)
        lanes.put("gate", 1)
        lanes.put("gate", 2)

        def take() -> int | None:
            with lanes.take() as item:
                return item

        with lanes.take():
            taken = aside(take)
            assert blocks(taken)
        assert taken.result(BOUND_S) == 2

    def test_a_failure_in_the_block_returns_the_lane(self) -> None:
        lanes: Lanes[int] = Lanes(2)
        lanes.put("gate", 1)
        lanes.put("gate", 2)
        with pytest.raises(RuntimeError), lanes.take():
            raise RuntimeError
        with lanes.take(timeout_s=0) as item:
            assert item == 2

    def test_none_came_within_the_bound(self) -> None:
        lanes: Lanes[int] = Lanes()
        with lanes.take(timeout_s=0.001) as item:
            assert item is None

    def test_closed_they_give_what_is_left_and_then_say_so(self) -> None:
        lanes: Lanes[int] = Lanes()
        lanes.put("gate", 1)
        lanes.put("yard", 2)
        lanes.close()
        with pytest.raises(ChannelClosed):
            lanes.put("gate", 3)
        with lanes.take() as first, lanes.take() as second:
            assert {first, second} == {1, 2}
        with pytest.raises(ChannelClosed), lanes.take():
            pass

    def test_closed_what_waits_behind_a_lease_is_still_given(self) -> None:
        lanes: Lanes[int] = Lanes(2)
        lanes.put("gate", 1)
        lanes.put("gate", 2)

        def take() -> int | None:
            with lanes.take() as item:
                return item

        with lanes.take():
            lanes.close()
            taken = aside(take)
            assert blocks(taken)
        assert taken.result(BOUND_S) == 2

    def test_closing_wakes_producers_and_consumers(self) -> None:
        lanes: Lanes[int] = Lanes()
        lanes.put("gate", 1)
        put = aside(lambda: lanes.put("gate", 2))
        assert blocks(put)
        lanes.close()
        assert isinstance(put.exception(BOUND_S), ChannelClosed)

        empty: Lanes[int] = Lanes()

        def take() -> None:
            with empty.take():
                pass

        taken = aside(take)
        assert blocks(taken)
        empty.close()
        assert isinstance(taken.exception(BOUND_S), ChannelClosed)

    def test_length_counts_what_waits_in_all_lanes(self) -> None:
        lanes: Lanes[int] = Lanes(2)
        lanes.put("gate", 1)
        lanes.put("gate", 2)
        lanes.put("yard", 3)
        assert len(lanes) == 3
        with lanes.take():
            assert len(lanes) == 2

    def test_many_workers_keep_each_cameras_order_and_lose_nothing(self) -> None:
        lanes: Lanes[tuple[str, int]] = Lanes(2)
        cameras = [f"camera{n}" for n in range(5)]
        seen: dict[str, list[int]] = {camera: [] for camera in cameras}
        working: set[str] = set()
        lock = threading.Lock()

        def produce(camera: str) -> None:
            for number in range(100):
                assert lanes.put(camera, (camera, number), BOUND_S)

        def work() -> None:
            while True:
                try:
                    with lanes.take(BOUND_S) as item:
                        assert item is not None
                        with lock:
                            assert item[0] not in working
                            working.add(item[0])
                        seen[item[0]].append(item[1])
                        with lock:
                            working.remove(item[0])
                except ChannelClosed:
                    return

        with ThreadPoolExecutor(8) as pool:
            workers = [pool.submit(work) for _ in range(3)]
            for producer in [pool.submit(produce, camera) for camera in cameras]:
                producer.result(BOUND_S * 2)
            lanes.close()
            for worker in workers:
                worker.result(BOUND_S)
        assert seen == {camera: list(range(100)) for camera in cameras}

    @given(
        size=st.integers(1, 3),
        steps=st.lists(st.one_of(st.sampled_from("abc"), st.none()), max_size=60),
    )
    def test_no_lane_waits_while_another_is_served_twice(self, size: int, steps: list[str | None]) -> None:
        lanes: Lanes[tuple[str, int]] = Lanes(size)
        count = dict.fromkeys("abc", 0)
        waiting: dict[str, list[int]] = {key: [] for key in "abc"}
        passed_over: dict[str, list[str]] = {key: [] for key in "abc"}
        for step in steps:
            if step is not None:
                if lanes.put(step, (step, count[step]), timeout_s=0):
                    waiting[step].append(count[step])
                else:
                    assert len(waiting[step]) == size
                count[step] += 1
                continue
            with lanes.take(timeout_s=0) as item:
                if item is None:
                    assert not any(waiting.values())
                    continue
                key, number = item
                assert waiting[key].pop(0) == number
                passed_over[key].clear()
                for other in "abc":
                    if other != key and waiting[other]:
                        assert key not in passed_over[other]
                        passed_over[other].append(key)


def test_a_lane_has_settled_when_nothing_waits_in_it_or_is_worked_on() -> None:
    lanes: Lanes[int] = Lanes()
    assert lanes.settle("gate", 0)
    lanes.put("gate", 1)
    lanes.put("yard", 2)
    assert not lanes.settle("gate", 0)
    with lanes.take(0) as item:
        assert item == 1
        assert not lanes.settle("gate", 0)
        waiting = aside(lambda: lanes.settle("gate", BOUND_S))
        assert blocks(waiting)
    assert waiting.result(BOUND_S)
    assert not lanes.settle("yard", 0)
