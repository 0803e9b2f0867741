"""What was said beside the truth: in time, at the place, and what was false."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from streamproc.testing_scenes import scoring
from streamproc.testing_scenes.cases import Case, Expect
from streamproc.testing_scenes.scene import PutIn, Scene
from streamproc.types import Box, Frame, Measurement, ObservedWindow, Window

HERE: Box = (0.4, 0.4, 0.5, 0.6)
ELSEWHERE: Box = (0.7, 0.4, 0.8, 0.6)


def observed(
    second: int, score: float | None, box: Box | None = HERE, not_judged: tuple[str, ...] = (), name: str = "speed"
) -> ObservedWindow:
    picture = np.zeros((4, 4, 3), np.uint8)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    frames = tuple(Frame("c", 1, second + part, at, picture) for part in (0.1, 0.9))
    measured = () if score is None else (Measurement(name, score, "x", 1.0, score, 1.0, box),)
    return ObservedWindow(Window("c", 1, second, (frames,)), (), measured, 0.1, not_judged)


def case(expect: Expect, within_s: float = 3.0, from_s: float = 0.0, camera: bool = False) -> Case:
    return Case("a case", expect, lambda _, pictures: Scene(pictures), within_s, from_s, camera=camera)


def scene(first: int = 50, last: int = 99) -> Scene:
    return Scene((), (PutIn("thing", dict.fromkeys(range(first, last + 1), HERE)),))


def test_in_time_and_at_the_place() -> None:
    scores = [0.1] * 6 + [2.0, 2.0, 2.0, 2.0] + [0.1] * 5
    windows = [observed(at, score, HERE if at != 8 else ELSEWHERE) for at, score in enumerate(scores)]
    result = scoring.scored(case("loud"), scene(), windows)
    assert (result.alarm_s, result.by, result.false_incidents, result.met) == (6.9, "speed", 0, True)
    assert result.delay_s == pytest.approx(1.9)
    assert result.place_right == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("loud_at", "met", "false"),
    [({9}, False, 0), ({6, 14}, False, 1), ({2, 6}, False, 1), ({6, 12}, True, 0), (set(), False, 0)],
    ids=["late", "after", "before", "held a little longer", "missed"],
)
def test_what_is_not_met(loud_at: set[int], met: bool, false: int) -> None:
    windows = [observed(at, 2.0 if at in loud_at else 0.0) for at in range(16)]
    result = scoring.scored(case("loud"), scene(), windows)
    assert (result.met, result.false_incidents) == (met, false)


def test_quiet_is_judged_and_without_alarm() -> None:
    assert scoring.scored(case("quiet"), Scene(()), [observed(at, 0.5) for at in range(10)]).met
    loud = scoring.scored(case("quiet"), Scene(()), [observed(at, float(at in (2, 3, 8))) for at in range(10)])
    assert (loud.met, loud.false_incidents, loud.alarm_s) == (False, 2, 2.9)
    silent = [observed(at, None, not_judged=("speed: it is dark",)) for at in range(10)]
    assert not scoring.scored(case("quiet"), Scene(()), silent).met, "silence is not quiet"
    assert scoring.scored(case("quiet", camera=True), Scene(()), silent).met, (
        "unless the camera is at fault, and says so"
    )


def test_a_fault_of_the_camera_must_be_told_after_it_began() -> None:
    before = [observed(at, 0.5, not_judged=("speed: it is dark",) if at == 2 else ()) for at in range(10)]
    assert not scoring.scored(case("told", from_s=5.0), Scene(()), before).met
    after = [observed(at, 0.5 if at < 6 else None, not_judged=("view: moved",) * (at >= 6)) for at in range(10)]
    result = scoring.scored(case("told", from_s=5.0), Scene(()), after)
    assert (result.met, result.told) == (True, ("view: moved",))
    assert not scoring.scored(case("told", from_s=5.0), Scene(()), [*after, observed(10, 3.0)]).met


def test_place_may_be_where_it_was_a_moment_before() -> None:
    gone = [observed(at, 2.0 if at == 10 else 0.0) for at in range(14)]
    assert scoring.scored(case("loud", within_s=9.0), scene(), gone).place_right == 1.0
    corner = [observed(at, 2.0 if at == 6 else 0.0, (0.6, 0.7, 0.9, 0.9)) for at in range(14)]
    assert scoring.scored(case("loud"), scene(), corner).place_right == 0.0, "neither beside nor above"
    nowhere = [observed(at, 2.0 if at == 6 else 0.0, None) for at in range(14)]
    assert scoring.scored(case("loud"), scene(), nowhere).place_right == 0.0


def test_the_bound_of_no_alarm_is_the_rule_of_three() -> None:
    assert scoring.upper_per_hour(0, 2.0) == pytest.approx(-math.log(0.05) / 2)
    assert scoring.upper_per_hour(1, 1.0) == pytest.approx(4.744, abs=0.001)


def test_clips_of_a_case_count_together() -> None:
    calm = scoring.scored(case("quiet"), Scene(()), [observed(at, 0.5) for at in range(10)])
    loud = scoring.scored(case("quiet"), Scene(()), [observed(at, float(at == 3)) for at in range(5)])
    both = scoring.together([calm, loud])
    assert (both.met, both.false_incidents, both.alarm_s) == (False, 1, 3.9)
    assert both.quiet_s == pytest.approx(9.9 + 4.9)
    assert both.judged == pytest.approx(1.0)
