"""How many processor cores there are."""

from __future__ import annotations

import os


def cores() -> int:
    """Processor cores that this process may use."""
    # Systems other than Linux cannot say which are this process's.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
