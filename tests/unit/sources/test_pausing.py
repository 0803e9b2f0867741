"""For how long a camera's packets are left to come."""

from __future__ import annotations

import math

import pytest

from streamproc.sources.pausing import PAUSE_S, Pausing
from streamproc.sources.timeline import Place

SIZE = 10_000


def fed(every_s: float = 0.04, count: int = 50, late_s: float = 0.0) -> tuple[Pausing, float]:
    """Pausing that was asked with each packet, the last one of which came ``late_s`` late; and the time then."""
    pausing, now_s = Pausing(), 0.0
    for number in range(count):
        now_s = 100.0 + number * every_s + (late_s if number == count - 1 else 0.0)
        pausing.came(Place(1, number * every_s, number * every_s, number * every_s), SIZE)
        if number < count - 1:
            pausing.left_s(math.inf, now_s)
    return pausing, now_s


def test_before_the_first_packet_nothing_is_left() -> None:
    assert Pausing().left_s(math.inf, 5.0) == (0.0, 0.0)


def test_packets_are_left_until_shortly_before_one_is_due_and_unread_for_what_a_connection_keeps() -> None:
    pausing, now_s = fed()
    pause_s, unread_s = pausing.left_s(math.inf, now_s)
    assert pause_s == PAUSE_S
    assert unread_s == pytest.approx(64_000 / (SIZE / 0.04), rel=0.2)
    assert pausing.left_s(49 * 0.04 + 0.3, now_s)[0] == pytest.approx(0.28)
    assert pausing.left_s(49 * 0.04, now_s)[0] == 0.0
    assert pausing.left_s(-math.inf, now_s)[0] == 0.0


def test_what_came_late_counts_from_when_it_should_have_come() -> None:
    pausing, now_s = fed(late_s=0.05)
    assert pausing.left_s(49 * 0.04 + 0.3, now_s)[0] == pytest.approx(0.23, abs=0.005)


def test_a_camera_that_is_behind_is_read_as_it_comes() -> None:
    pausing, now_s = fed(late_s=0.2)
    assert pausing.left_s(math.inf, now_s) == (PAUSE_S, 0.0)
