"""Figures as people read them: a few digits that count, and never in powers of ten."""

from __future__ import annotations

from decimal import Decimal


def plain(value: float, digits: int = 3) -> str:
    """``0.00639``, ``12300``, ``2``: ``value`` with so many digits that count."""
    return format(Decimal(f"{value:.{digits}g}"), "f")


def duration(seconds: float) -> str:
    """``1.25 h``, ``12.5 min`` or ``40 s``."""
    if seconds >= 3600:
        return f"{plain(seconds / 3600)} h"
    return f"{plain(seconds / 60)} min" if seconds >= 60 else f"{plain(seconds)} s"
