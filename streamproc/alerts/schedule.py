"""Whether a camera is watched at a moment, by its schedule and its time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from streamproc.config import Schedule
from streamproc.runtime.timetable import holds


def is_watched(schedules: Sequence[Schedule], timezone: str, at: datetime) -> bool:
    """Whether any of ``schedules`` holds at ``at`` (timezone-aware); always if there is none.

    Hours that pass midnight belong to the day on which they begin; the end itself is outside.
    """
    # To ``holds`` no days are no limit; a schedule that lists none is never in force.
    return not schedules or any(one.days and holds(one.hours, one.days, timezone, at) for one in schedules)
