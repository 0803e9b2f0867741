"""Many looks, one state: the median, the two thresholds, persistence, and which look is shown."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from streamproc.config import InspectionSettings
from streamproc.inspection.live.findings import Finding, Opinion
from streamproc.inspection.live.pooling import Look, Pool

PIXELS = np.zeros((8, 8, 3), np.uint8)


def look(times: float, sharpness: float = 1.0) -> Look:
    opinions = (Opinion("memory", times), Opinion("expert", 2 * times))
    return Look(PIXELS, (0, 0, 1, 1), sharpness, Finding(times, opinions, np.zeros((2, 2), np.float32)))


def pool(keeps: Literal["latest", "sharpest"] = "latest", **settings: Any) -> Pool:
    return Pool(InspectionSettings.model_validate(settings), keeps)


def states(one: Pool, *times: float) -> str:
    return "".join(one.add(look(value))[0] for value in times)


def test_one_wild_look_among_normal_ones_is_no_defect() -> None:
    assert states(pool(), 0.3, 0.3, 9.0, 0.3, 9.0, 0.3, 0.3) == "ooooooo"


def test_a_defect_is_raised_once_most_looks_say_so_and_go_on_to() -> None:
    one = pool()
    assert states(one, 0.3, 0.3, 0.3, 0.3, 0.3, 2.0, 2.0, 2.0, 2.0) == "ooooooood"
    assert one.times == 2.0


def test_a_single_persistent_look_less_is_not_enough() -> None:
    assert states(pool(persistence=3), 2.0, 2.0, 2.0, 2.0, 2.0) == "ooood"
    assert states(pool(persistence=1), 2.0, 2.0, 2.0) == "ood"


def test_between_the_two_thresholds_the_state_stays() -> None:
    one = pool(looks=3)
    assert states(one, 2.0, 2.0, 2.0, 2.0, 0.9, 0.9, 0.9) == "ooodddd"
    assert states(one, 0.7, 0.7) == "do"
    assert states(one, 0.9, 0.9, 0.9) == "ooo"


def test_fewer_than_three_looks_say_nothing() -> None:
    one = pool(persistence=1)
    assert states(one, 9.0, 9.0) == "oo"
    assert one.times == 0.0


def test_of_a_region_the_latest_looks_count_and_of_a_track_the_sharpest() -> None:
    latest, sharpest = pool("latest", looks=3), pool("sharpest", looks=3)
    for one in (latest, sharpest):
        for value, sharp in ((5.0, 9.0), (5.0, 8.0), (5.0, 7.0), (0.1, 1.0), (0.1, 1.0), (0.1, 1.0)):
            one.add(look(value, sharp))
    assert (latest.times, sharpest.times) == (0.1, 5.0)


def test_the_look_that_is_shown_is_a_sharp_one_of_those_that_say_so() -> None:
    one = pool()
    for value, sharp in ((0.2, 99.0), (2.0, 5.0), (3.0, 7.0), (2.5, 1.0)):
        one.add(look(value, sharp))
    assert (one.shown.finding.times, one.shown.sharpness) == (3.0, 7.0)


def test_each_voice_is_pooled_by_itself_the_strongest_first() -> None:
    one = pool()
    for value in (1.0, 2.0, 3.0):
        one.add(look(value))
    assert one.opinions == (Opinion("expert", 4.0), Opinion("memory", 2.0))


def test_nothing_is_shown_before_the_first_look() -> None:
    with pytest.raises(ValueError, match="empty"):
        _ = pool().shown


def test_half_of_the_looks_cannot_raise_a_defect() -> None:
    one = pool(looks=4, persistence=1)
    assert states(one, 0.3, 0.3, 9.0, 9.0) == "oooo"
    assert one.times == 0.3
