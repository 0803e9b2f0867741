"""The alarm's threshold from the camera's normal footage, and what that footage can promise about false alarms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from streamproc.config import DeductionSettings, VoterWeights
from streamproc.deduction.combining import combined, weighed
from streamproc.errors import ConfigError
from streamproc.figures import duration, plain
from streamproc.types import Vote

MARGIN = 0.05
"""How far above the highest score of held-out normal footage the threshold lies."""
CONFIDENCE = 0.95


def highest_threshold(weights: VoterWeights) -> float:
    """The highest threshold at which a keyword still raises an alarm by itself, 0..1, with some room.

    Above it a rule that a person writes, "a dog is here", would never be heard of again.
    """
    return keyword_alone(weights, 1.0) - MARGIN


def keyword_alone(weights: VoterWeights, strength: float) -> float:
    """The score, 0..1, of a keyword vote of score ``strength`` while the meaning and the measurements see nothing."""
    keyword = Vote("keyword", "anomaly", (), weights.keyword, strength, "")
    semantic = weighed(Vote("semantic", "normal", (), weights.semantic, 0.0, ""))
    novelty = weighed(Vote("novelty", "normal", (), weights.novelty, 0.0, ""))
    return combined((keyword, semantic, novelty))


def calibrate(smoothed: Sequence[float], settings: DeductionSettings) -> tuple[float, str | None]:
    """The threshold, and what speaks against it: the preset's, or more where held-out normal footage comes near it.

    ``smoothed`` are verdicts' smoothed scores, 0..1, on normal footage that nothing was learned from. Where they would
    take the threshold above ``highest_threshold``, that is the threshold, and the footage alarms.

    Raises:
        ConfigError: there is no footage.
    """
    if not smoothed:
        raise ConfigError("the alarm threshold needs normal footage that nothing was learned from; there is none")
    ceiling = max(settings.alarm_score, highest_threshold(settings.weights))
    threshold = min(max(settings.alarm_score, max(smoothed) + MARGIN), ceiling)
    alarming = sum(score >= threshold for score in smoothed)
    if not alarming:
        return threshold, None
    return threshold, (
        f"normal footage scores up to {max(smoothed):.2f}, and {alarming} of its {len(smoothed)} judged moments alarm "
        f"from {threshold:.2f} on, the highest threshold at which a keyword still raises an alarm by itself; see which "
        "rules they meet, and correct or disable those or give them less weight"
    )


def alarms(smoothed: Sequence[float], threshold: float) -> int:
    """How often the scores rise to the threshold: what stays there is one alarm."""
    return sum(now >= threshold > before for before, now in pairwise([0.0, *smoothed]))


def support(max_false_alarms_per_hour: float, hours: float, seen: int = 0) -> None:
    """Refuse a rate of false alarms that the footage cannot speak for.

    ``seen`` alarms were seen in ``hours`` hours of normal footage.

    Raises:
        ConfigError: the 95 % upper bound of the rate is higher; says what the footage supports and what is needed.
    """
    bound = upper_bound(seen)
    if hours > 0 and bound / hours <= max_false_alarms_per_hour:
        return
    footage = f"{duration(hours * 3600)} of normal footage with {seen or 'no'} alarm{'' if seen == 1 else 's'}"
    supported = f"can support at best {plain(bound / hours)} an hour" if hours > 0 else "supports nothing"
    raise ConfigError(
        f"max_false_alarms_per_hour {plain(max_false_alarms_per_hour)} is not supported: {footage} {supported} (95 % "
        f"upper bound); {duration(bound / max_false_alarms_per_hour * 3600)} with as few would be needed"
    )


def upper_bound(alarms: int) -> float:
    """95 % upper bound of a Poisson mean of which ``alarms`` were seen: exact; 3.0 for none (the rule of three)."""
    low, high = 0.0, alarms + 5.0 * math.sqrt(alarms + 1) + 5.0
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if _at_most(alarms, middle) > 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _at_most(count: int, mean: float) -> float:
    """Probability of at most ``count`` events where ``mean`` are expected."""
    if mean == 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))
