"""Hours of the day and days of the week, as a place's clocks show them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def holds(hours: str | None, days: Collection[str], timezone: str, at: datetime) -> bool:
    """Whether ``at`` (timezone-aware) falls in ``hours`` (``HH:MM-HH:MM``) of one of ``days`` in ``timezone``.

    None and an empty collection do not limit. The end is outside. Hours that pass midnight belong to the day on which
    they begin; a begin that equals the end is a whole day. What the clocks show decides, so an hour that comes twice
    when they are set back holds twice, and one that they skip does not come.
    """
    local = at.astimezone(ZoneInfo(timezone))
    today, yesterday = (DAYS[(local - timedelta(days=back)).weekday()] for back in (0, 1))
    if hours is None:
        return not days or today in days
    first, last = (_minutes(text) for text in hours.split("-"))
    minute = local.hour * 60 + local.minute
    if first < last:
        return first <= minute < last and (not days or today in days)
    return (minute >= first and (not days or today in days)) or (minute < last and (not days or yesterday in days))


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
