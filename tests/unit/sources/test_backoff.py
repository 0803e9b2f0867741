"""Waits between sessions."""

from __future__ import annotations

from streamproc.errors import SourceError, SourceRefused
from streamproc.sources.backoff import Backoff

LOST = SourceError("gate", "gone")


def test_waits_grow_with_jitter_up_to_half_a_minute() -> None:
    waits = [[b.next_s(LOST) for _ in range(12)] for b in (Backoff() for _ in range(20))]
    assert all(0.5 <= w <= 30 for row in waits for w in row)
    assert all(row[0] <= 1.0 for row in waits)
    assert max(row[-1] for row in waits) > 8
    assert len({round(row[5], 3) for row in waits}) > 10


def test_refused_credentials_wait_a_minute_and_more() -> None:
    assert 60 <= Backoff().next_s(SourceRefused("gate", "401")) <= 70


def test_reset_makes_the_next_wait_short() -> None:
    backoff = Backoff()
    for _ in range(2000):
        backoff.next_s(LOST)
    backoff.reset()
    assert backoff.next_s(LOST) <= 1.0
