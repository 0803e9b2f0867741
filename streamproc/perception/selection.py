"""Which of a window's frames a model is shown: those between which something happens, or evenly spread ones.

Event-driven selection is the idea of StimuVAR (arXiv 2409.00304), made for a fixed camera and without a network: frames
are chosen so that about as much changes from each to the next. Half of the weight is time itself, so that a still
moment keeps its share, and a window in which nothing happens, or all of it evenly, is spread evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.perception.regions import NOISE_GREY, Grey

_OF_TIME = 0.5
"""Share of the weight that time has: neither half can take more than half of the pictures from the other."""


def spread(times_s: Sequence[float], count: int) -> tuple[int, ...]:
    """``count`` of the frames taken at ``times_s``, evenly over their order, first and last among them; the last alone
    for 1, all if there are fewer."""
    return _nearest(np.arange(len(times_s), dtype=float), count)


def eventful(times_s: Sequence[float], greys: Sequence[Grey], count: int) -> tuple[int, ...]:
    """``count`` of the frames, first and last among them, with as much of what happens and of the time that passes
    between each two; the last alone for 1, all if there are fewer."""
    passed = np.asarray(times_s, float) - times_s[0]
    happened = np.cumsum([0.0, *(_change(one, other) for one, other in pairwise(greys))])
    if passed[-1] <= 0.0 or happened[-1] <= 0.0:
        return spread(times_s, count)
    return _nearest(_OF_TIME * passed / passed[-1] + (1 - _OF_TIME) * happened / happened[-1], count)


def _change(one: Grey, other: Grey) -> float:
    """How much changed, beyond noise; what changes everywhere alike is the light."""
    difference = cv2.subtract(other, one, dtype=cv2.CV_16S)
    # Averaged over neighbours, as noise is not shared by them.
    difference = np.abs(cv2.blur(difference, (3, 3)) - np.median(difference[::4, ::4]))
    return float(np.maximum(difference - NOISE_GREY, 0.0).mean())


def _nearest(course: npt.NDArray[np.float64], count: int) -> tuple[int, ...]:
    """Indices at which the increasing ``course`` is nearest to equal steps from its first value to its last."""
    number = len(course)
    if count == 1:
        return (number - 1,)
    if count >= number:
        return tuple(range(number))
    chosen = [0]
    for step, target in enumerate(np.linspace(course[0], course[-1], count)[1:], start=1):
        low, high = chosen[-1] + 1, number - (count - 1 - step)
        chosen.append(low + int(np.argmin(np.abs(course[low:high] - target))))
    chosen[-1] = number - 1
    return tuple(chosen)
