"""What a keyword is worth that normal footage meets now and then.

A captioner errs: in a few of a hundred captions of normal footage it sees a bicycle that is none. A keyword that is
left out for that loses what it is for; one that is kept as if nothing had happened raises alarms. So it is dropped
where it is met in more than ``DROPPED_ABOVE`` of the normal captions, and below that it weighs by the logarithm of
how much likelier it is met in an anomaly: log(``IN_ANOMALY`` / rate), on a scale where a word that was never met in
long footage has 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

DROPPED_ABOVE = 0.05
IN_ANOMALY = 0.3
"""Presumed share of an anomaly's captions in which a captioner finds the word for it."""
_PRIOR_CAPTIONS = 20.0
"""Of which one met the keyword: so that short footage speaks softly."""
_NEVER = 0.01
_BLAMED = 0.25
"""So that several blamed words in one sentence do not make up for each other: three of them reach no alarm."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A keyword that normal footage meets."""

    rule_id: str
    keyword: str
    captions: int
    """Normal captions that meet it or a synonym of it."""


def too_common(met: int, captions: int) -> bool:
    """Whether normal footage meets a keyword too often for it to tell anything."""
    return met > DROPPED_ABOVE * captions


def strength(met: int, captions: int) -> float:
    """0..1; ``met`` of ``captions`` captions of normal footage hold the keyword."""
    rate = (met + 1) / (captions + _PRIOR_CAPTIONS)
    return min(1.0, max(0.0, math.log(IN_ANOMALY / rate) / math.log(IN_ANOMALY / _NEVER)))


def blamed(false_alarms: int) -> float:
    """What is left of a keyword's strength, 0..1, once ``false_alarms`` alerts that it raised were called false."""
    return _BLAMED**false_alarms
