"""Votes to one score.

A weighted mean against a **presumption of normality**: one silent vote of score 0 and weight ``PRESUMPTION``. A voter
of weight w that stands alone with score s so reaches ``s * w / (w + PRESUMPTION)``. With the default weights and every
other voter content, a keyword reaches 0.73, a measurement at its threshold 0.60 and more beyond it, and a sentence that
means what a rule says 0.56 times its likeness; the default alarm is at 0.5, so mere resemblance does not raise it.

That a voter sees nothing unusual is no evidence against what another one sees: a bicycle is not contradicted by a
normal speed. So a cheap voter's "normal" weighs ``QUIET`` of its weight. The language model has seen everything, and
its "normal" weighs in full: it may veto. Void and unknown votes weigh nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from streamproc.types import Vote

PRESUMPTION = 0.25
QUIET = 0.05


def weighed(vote: Vote) -> Vote:
    """The vote with the weight that it counts with, out of its voter's weight."""
    if vote.void is not None or vote.verdict == "unknown":
        return replace(vote, weight=0.0)
    if vote.verdict == "normal" and vote.voter != "llm":
        return replace(vote, weight=vote.weight * QUIET)
    return vote


def combined(votes: Iterable[Vote]) -> float:
    """The score of weighed votes, 0..1; it never falls when a vote's score rises."""
    votes = tuple(votes)
    weight = PRESUMPTION + sum(vote.weight for vote in votes)
    return sum(vote.weight * vote.score for vote in votes) / weight
