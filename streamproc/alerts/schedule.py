"""Whether a camera is watched at a moment, by its schedule and its time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from streamproc.config import Day, Schedule

_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_watched(schedules: Sequence[Schedule], timezone: str, at: datetime) -> bool:
    """Whether any of ``schedules`` holds at ``at`` (timezone-aware); always if there is none.

    Hours that pass midnight belong to the day on which they begin; the end itself is outside.
    """
    local = at.astimezone(ZoneInfo(timezone))
    minute = local.hour * 60 + local.minute
    today, yesterday = (_DAYS[(local - timedelta(days=back)).weekday()] for back in (0, 1))
    return not schedules or any(_holds(schedule, minute, today, yesterday) for schedule in schedules)


def _holds(schedule: Schedule, minute: int, today: Day, yesterday: Day) -> bool:
    first, last = (_minutes(text) for text in schedule.hours.split("-"))
    if first < last:
        return today in schedule.days and first <= minute < last
    return (today in schedule.days and minute >= first) or (yesterday in schedule.days and minute < last)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
