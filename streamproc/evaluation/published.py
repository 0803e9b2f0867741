"""AnomalyRuler as it was published, for comparison only: nothing that runs live may score like this.

Its keywords were written by hand for the benchmarks. ``base`` and ``full`` look at a video as a whole, its future
included, before they score its first frame; ``base_causal`` is what is left of them when they may not.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.evaluation.averaging import ALPHA, averaged

KEYWORDS = (
    "trolley",
    "cart",
    "luggage",
    "bicycle",
    "scooter",
    "vehicles",
    "vans",
    "accident",
    "running",
    "jumping",
    "riding",
    "skateboarding",
    "scooting",
    "lying",
    "falling",
    "bending",
    "fighting",
    "pushing",
    "loitering",
    "climbing",
)
"""The same for every data set, in the published code."""
WINDOW = 5
"""Frames on each side that have a vote (``p`` in section 4.3)."""
_ALPHA_OF_VOTES = 2 / 11


def hits(texts: Sequence[str]) -> list[float]:
    """1 where a keyword stands in the caption, in these very letters and even inside a word, else 0."""
    return [float(any(keyword in text for keyword in KEYWORDS)) for text in texts]


def base_causal(texts: Sequence[str]) -> list[float]:
    """One video's scores, 0..1, from its past alone: the keywords, averaged."""
    return averaged(hits(texts), ALPHA)


def base(texts: Sequence[str]) -> list[float]:
    """As the published code scores without a language model: above the whole video's mean or not, averaged, and that
    mean is the weight of the newest frame."""
    smooth = averaged(hits(texts), ALPHA)
    mean = sum(smooth) / len(smooth)
    return averaged([float(value > mean) for value in smooth], mean)


def full(texts: Sequence[str]) -> list[float]:
    """As section 4.3 has it up to its language model: frames vote on whether they are above the whole video's mean,
    five before and five after, and the votes are averaged."""
    smooth = averaged(hits(texts), ALPHA)
    mean = sum(smooth) / len(smooth)
    above = [value > mean for value in smooth]
    votes = []
    for i in range(len(above)):
        near = above[max(0, i - WINDOW) : i + WINDOW + 1]
        votes.append(float(sum(near) * 2 > len(near)))
    return averaged(votes, _ALPHA_OF_VOTES)
