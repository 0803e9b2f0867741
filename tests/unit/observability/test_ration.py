"""A library that floods the log is heard once a minute."""

from __future__ import annotations

import logging

from streamproc.observability.ration import EVERY_S, Ration
from streamproc.testing import FakeClock


def record(name: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "x.py", 1, "Connection failed: %s", ("gone",), None)


def test_one_record_a_minute_passes_and_tells_how_many_did_not() -> None:
    clock = FakeClock()
    ration = Ration("kafka", clock.monotonic)
    told = []
    for number in range(100):  # one a second
        one = record(("kafka", "kafka.net.manager", "kafka.producer")[number % 3])
        if ration.filter(one):
            told.append((number, getattr(one, "held_back", None)))
        clock.advance(EVERY_S / 60)
    assert told == [(0, 0), (60, 59)]


def test_other_libraries_are_heard_whole() -> None:
    ration = Ration("kafka", FakeClock().monotonic)
    assert all(ration.filter(record(name)) for name in ("openai", "kafkaesque", "streamproc.alerts.kafka") * 3)
