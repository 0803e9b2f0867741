"""Who is asked next, and whose failure it was."""

from __future__ import annotations

import itertools

import pytest

from streamproc.endpoints.balancing import Way
from streamproc.endpoints.replica import Replica
from streamproc.runtime.breaker import Breaker
from streamproc.testing import FakeClock
from streamproc.testing_modelserver import FakeEndpoint


class Servers:
    """Three of them, and a clock."""

    def __init__(self, count: int = 3) -> None:
        self.clock = FakeClock()
        self.all = tuple(
            Replica(FakeEndpoint("abc"[i]), Breaker(self.clock, jitter=lambda: 0.0), "m", 4) for i in range(count)
        )
        self._turns = itertools.count(1)

    def way(self) -> Way:
        return Way(self.all, lambda: next(self._turns))

    def down(self, *names: str) -> None:
        for one in self.all:
            if one.name in names:
                for _ in range(3):
                    one.breaker.failed("gone")


def asked(way: Way) -> str | None:
    replica = way.next()
    return replica.name if replica else None


def test_the_one_with_the_fewest_calls_is_next_and_of_equals_the_one_that_rested_longest() -> None:
    servers = Servers()
    ways = [servers.way() for _ in range(6)]
    assert [asked(way) for way in ways] == ["a", "b", "c", "a", "b", "c"]
    ways[4].ends(answered=True)
    ways[1].ends(answered=True)
    assert [one.outstanding for one in servers.all] == [2, 0, 2]
    later = [servers.way() for _ in range(3)]
    assert [asked(way) for way in later] == ["b", "b", "a"]


def test_after_one_failed_each_of_the_others_is_asked_and_then_the_first_again() -> None:
    servers = Servers()
    way = servers.way()
    seen = []
    for left in (True, True, False, True):
        seen.append(asked(way))
        assert way.elsewhere() is left
        way.failed("HTTP 503")
    assert seen == ["a", "b", "c", "a"]
    assert way.rounds == 1
    way.ends(answered=False)
    assert [one.outstanding for one in servers.all] == [0, 0, 0]
    assert [one.breaker.health.failures for one in servers.all] == [1, 1, 1]


def test_several_failures_of_one_call_at_one_server_count_once() -> None:
    servers = Servers(1)
    way = servers.way()
    for _ in range(5):
        assert asked(way) == "a"
        way.failed("HTTP 503")
    assert servers.all[0].breaker.health.failures == 0  # not before the call is over: it may succeed yet
    way.ends(answered=False)
    assert servers.all[0].breaker.health.failures == 1


def test_what_says_nothing_of_a_server_is_not_held_against_it() -> None:
    servers = Servers(1)
    way = servers.way()
    way.next()
    way.ends(answered=False)
    assert servers.all[0].breaker.health.failures == 0


def test_one_that_is_down_is_passed_over_until_it_may_be_probed_by_one_call() -> None:
    servers = Servers(2)
    servers.down("a")
    first = servers.way()
    assert asked(first) == "b"
    assert not first.elsewhere()
    servers.clock.advance(2.0)
    probing, other = servers.way(), servers.way()
    assert (asked(probing), probing.probes) == ("a", True)  # it has fewer calls
    assert (asked(other), other.probes) == ("b", False)
    probing.failed("still gone")
    assert probing.elsewhere()
    assert (asked(probing), probing.probes) == ("b", False)
    probing.ends(answered=True)
    assert [one.breaker.health.up for one in servers.all] == [False, True]


def test_all_down_is_nobody() -> None:
    servers = Servers()
    servers.down("a", "b", "c")
    way = servers.way()
    assert asked(way) is None
    way.ends(answered=False)
    assert [one.outstanding for one in servers.all] == [0, 0, 0]


@pytest.mark.parametrize("answered", [True, False])
def test_a_probe_that_is_over_lets_the_next_one_through(answered: bool) -> None:
    servers = Servers(1)
    servers.down("a")
    servers.clock.advance(2.0)
    way = servers.way()
    assert asked(way) == "a"
    way.ends(answered=answered)
    assert servers.all[0].breaker.health.up is answered
    assert asked(servers.way()) == "a"
