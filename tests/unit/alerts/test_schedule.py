"""Schedules: hours, days, midnight, time zones."""

from __future__ import annotations

from datetime import datetime

import pytest

from streamproc.alerts.schedule import is_watched
from streamproc.config import Schedule

NIGHT = Schedule(days=("fri",), hours="22:00-06:00")
DAY = Schedule(days=("mon", "tue"), hours="08:00-17:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_camera_without_a_schedule_is_always_watched() -> None:
    assert is_watched((), "UTC", at("2026-11-21T03:00:00+00:00"))


@pytest.mark.parametrize(
    ("when", "watched"),
    [
        ("2026-11-20T21:59:00+00:00", False),  # Friday
        ("2026-11-20T22:00:00+00:00", True),
        ("2026-11-21T05:59:00+00:00", True),  # Saturday, but the night began on Friday
        ("2026-11-21T06:00:00+00:00", False),
        ("2026-11-21T22:30:00+00:00", False),
        ("2026-11-20T03:00:00+00:00", False),  # the night of Thursday
    ],
)
def test_hours_that_pass_midnight_belong_to_the_day_they_begin_on(when: str, watched: bool) -> None:
    assert is_watched((NIGHT,), "UTC", at(when)) is watched


def test_hours_are_of_the_cameras_time_zone() -> None:
    monday_eight_in_zurich = at("2026-11-23T07:00:00+00:00")
    assert is_watched((DAY,), "Europe/Zurich", monday_eight_in_zurich)
    assert not is_watched((DAY,), "UTC", monday_eight_in_zurich)


def test_any_of_several_schedules_is_enough_and_24_is_the_end_of_the_day() -> None:
    whole = Schedule(days=("sun",), hours="00:00-24:00")
    assert is_watched((DAY, whole), "UTC", at("2026-11-22T23:59:59+00:00"))
    assert not is_watched((DAY, whole), "UTC", at("2026-11-21T12:00:00+00:00"))
