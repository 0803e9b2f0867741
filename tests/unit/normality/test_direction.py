"""The wrong way in a one-way lane is a surprise; where all ways are gone, none is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from streamproc.config import NormalitySettings
from streamproc.normality.direction import PLACES, DirectionMeter, DirectionModel, fit_direction
from streamproc.normality.flow import FlowMeter
from streamproc.normality.speed import SpeedSample, measure_speed
from streamproc.testing_footage import Rectangle, drawn, windows_of

GRID = (72, 96)
NORMAL = np.full(GRID, 60, np.float32)
WAYS = [(math.cos(at * math.pi / 4), math.sin(at * math.pi / 4)) for at in range(8)]


def sample(at_s: float, rows: range, way: tuple[float, float], speed: float = 40.0) -> SpeedSample:
    """Everything in ``rows`` goes ``way``."""
    cells = np.array([row * GRID[1] + column for row in rows for column in range(96)], np.uint32)
    vectors = np.tile(np.multiply(way, speed), (len(cells), 1)).astype(np.float16)
    return SpeedSample(1, at_s, 0.1, GRID, cells, vectors)


def lane(passages: int, ways: Sequence[tuple[float, float]]) -> list[SpeedSample]:
    """As many passages in the middle of the picture, three seconds apart, of ten samples each."""
    return [
        sample(3.0 * number + tick / 10, range(24, 48), ways[number % len(ways)])
        for number in range(passages)
        for tick in range(10)
    ]


def surprise(model: DirectionModel, seen: SpeedSample) -> float:
    return float(DirectionMeter(model).surprise(seen, NORMAL).max())


def test_the_wrong_way_is_a_surprise_that_grows_with_what_was_seen() -> None:
    few, many = (fit_direction(lane(passages, [WAYS[0]]), NORMAL) for passages in (8, 60))
    for model in (few, many):
        assert surprise(model, sample(0, range(30, 40), WAYS[0])) < 0.3
        assert surprise(model, sample(0, range(30, 40), WAYS[1])) < surprise(model, sample(0, range(30, 40), WAYS[2]))
    wrong = [surprise(model, sample(0, range(30, 40), WAYS[4])) for model in (few, many)]
    assert 1.0 < wrong[0] < wrong[1]
    assert wrong[1] > 3.0


def test_where_all_ways_are_gone_none_is_a_surprise() -> None:
    model = fit_direction(lane(64, WAYS), NORMAL)
    assert max(surprise(model, sample(0, range(30, 40), way)) for way in WAYS) < 0.2


def test_both_ways_of_a_path_are_usual_and_across_is_not() -> None:
    model = fit_direction(lane(40, [WAYS[0], WAYS[4]]), NORMAL)
    assert surprise(model, sample(0, range(30, 40), WAYS[4])) < 0.3
    assert surprise(model, sample(0, range(30, 40), WAYS[2])) > 1.5


def test_nothing_is_said_of_a_place_where_little_was_seen() -> None:
    model = fit_direction(lane(60, [WAYS[0]]), NORMAL)
    assert surprise(model, sample(0, range(60, 72), WAYS[4])) == 0.0
    assert model.passages[0] == ()


def test_nothing_is_said_of_what_hardly_moves() -> None:
    model = fit_direction(lane(60, [WAYS[0]]), NORMAL)
    assert surprise(model, sample(0, range(30, 40), WAYS[4], speed=10)) == 0.0


def test_who_lingers_is_one_passage() -> None:
    model = fit_direction([sample(tick / 100, range(24, 48), WAYS[0]) for tick in range(199)], NORMAL)
    assert model.why_not == ("too few passages to know which way is usual: at most 1.0 at a place, 4 needed")
    assert surprise(model, sample(0, range(30, 40), WAYS[4])) == 0.0


def test_the_model_is_a_few_kilobytes_and_comes_back() -> None:
    model = fit_direction(lane(64, WAYS), NORMAL)
    text = model.model_dump_json()
    assert len(text) < 8000
    assert DirectionModel.model_validate_json(text) == model


def test_a_model_of_other_places_is_refused() -> None:
    with pytest.raises(ValidationError, match="1 places, not 12 x 9"):
        DirectionModel(passages=((),))
    with pytest.raises(ValidationError, match="needs 8 directions"):
        DirectionModel(passages=((1.0,),) * (PLACES[0] * PLACES[1]))


def test_drawn_things_that_come_back_the_other_way() -> None:
    cv2.setNumThreads(1)
    # To and fro: the first way of the rectangle takes 596 / 120 = 5 s, the way back as long.
    there = [measured(list(drawn([Rectangle(180, 120)], 4.8)), run) for run in range(8)]
    normal = np.full(there[0][0].grid, 70, np.float32)
    model = fit_direction([one for run in there for one in run], normal)
    back = measured(list(drawn([Rectangle(180, 120)], 4.6, start_s=5.2)), 9)
    meter = DirectionMeter(model)

    def middle(samples: Sequence[SpeedSample]) -> float:
        tops = [meter.surprise(one, normal) for one in samples]
        return float(np.median([np.percentile(top, 75) for top in tops if len(top)]))

    assert middle(there[0]) < 0.3
    assert middle(back) > 1.0


def measured(pictures: Sequence[np.ndarray], run: int) -> list[SpeedSample]:
    meter = FlowMeter(NormalitySettings(flow_width_px=320).flow_width_px)
    found = []
    for window in windows_of(pictures, run=run):
        for frame in (frame for burst in window.bursts for frame in burst):
            one = measure_speed(meter.add(frame), run)
            if one is not None:
                found.append(one)
    return found
