"""How many processor cores there are."""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""What a container may take: microseconds, or `max`, in a period of so many (Linux, cgroup v2)."""


def cores() -> int:
    """Processor cores that this process may use, a begun one of a container's quota counted whole."""
    # Systems other than Linux cannot say which are this process's.
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota_us, period_us = QUOTA.read_text(encoding="ascii").split()
        return min(there, max(1, math.ceil(int(quota_us) / int(period_us))))
    except (OSError, ValueError):  # no container, or one without a quota
        return there
