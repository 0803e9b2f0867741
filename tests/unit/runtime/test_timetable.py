from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from streamproc.alerts.schedule import is_watched
from streamproc.config import Schedule
from streamproc.runtime.timetable import DAYS, holds

ZURICH = "Europe/Zurich"


def at(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZURICH), fold=fold)


@pytest.mark.parametrize(
    ("hours", "days", "when", "expected"),
    [
        (None, (), "2026-01-05T03:00", True),
        (None, ("mon",), "2026-01-05T03:00", True),
        (None, ("tue",), "2026-01-05T03:00", False),
        ("08:00-18:00", (), "2026-01-05T08:00", True),
        ("08:00-18:00", (), "2026-01-05T17:59", True),
        ("08:00-18:00", (), "2026-01-05T18:00", False),
        ("08:00-18:00", ("tue",), "2026-01-05T12:00", False),
        ("22:00-06:00", (), "2026-01-05T23:00", True),
        ("22:00-06:00", (), "2026-01-05T05:59", True),
        ("22:00-06:00", (), "2026-01-05T06:00", False),
        ("22:00-06:00", ("mon",), "2026-01-06T05:00", True),
        ("22:00-06:00", ("mon",), "2026-01-05T05:00", False),
        ("22:00-06:00", ("sun",), "2026-01-05T05:00", True),
        ("18:00-24:00", (), "2026-01-05T23:59", True),
        ("18:00-24:00", (), "2026-01-06T00:00", False),
        ("08:00-08:00", ("mon",), "2026-01-06T07:59", True),
        ("08:00-08:00", ("mon",), "2026-01-06T08:00", False),
    ],
)
def test_hours_and_days(hours: str | None, days: tuple[str, ...], when: str, expected: bool) -> None:
    assert holds(hours, days, ZURICH, at(when)) is expected


def test_the_hour_that_comes_twice_holds_twice() -> None:
    first, second = at("2026-10-25T02:30"), at("2026-10-25T02:30", fold=1)
    assert second.utcoffset() != first.utcoffset()
    assert holds("02:00-03:00", (), ZURICH, first)
    assert holds("02:00-03:00", (), ZURICH, second)


def test_a_night_lasts_an_hour_less_when_clocks_go_forward() -> None:
    start = at("2026-03-28T12:00").astimezone(ZoneInfo("UTC"))
    held = [holds("22:00-06:00", ("sat",), ZURICH, start + timedelta(minutes=m)) for m in range(24 * 60)]
    assert sum(held) == 7 * 60


def test_schedules_of_cameras_agree() -> None:
    for hours in ("08:00-18:00", "22:00-06:00", "18:00-24:00"):
        for quarter in range(7 * 96):
            moment = at("2026-01-05T00:00") + timedelta(minutes=15 * quarter)
            watched = is_watched([Schedule(days=("mon", "sat"), hours=hours)], ZURICH, moment)
            assert watched is holds(hours, ("mon", "sat"), ZURICH, moment)
    assert len(set(DAYS)) == 7
