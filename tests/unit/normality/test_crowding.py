"""More people than ever are told, in all or at one spot; as many as usual are not."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.normality.crowding import Crowd, CrowdingMeter, CrowdingModel, densest
from streamproc.normality.crowding_fit import CrowdSample, fit_crowding
from streamproc.types import Box


def person(x: float, y: float, tall: float = 0.1) -> Box:
    return (x - tall / 5, y - tall, x + tall / 5, y)


def apart(count: int) -> list[Box]:
    return [person(0.05 + 0.3 * (at % 4), 0.2 + 0.2 * (at // 4), 0.04) for at in range(count)]


def group(count: int) -> list[Box]:
    return [person(0.5 + 0.02 * at, 0.5) for at in range(count)]


def learned(most: int = 5, seconds: int = 60) -> CrowdingModel:
    random = np.random.default_rng(2)
    samples = []
    for tick in range(seconds * 2):
        people = tuple(apart(int(random.integers(1, most + 1))))
        samples.append(CrowdSample(1, tick / 2, 0.5 if tick else 0.0, people))
    return fit_crowding(samples, 1.0)


def watched(model: CrowdingModel, people: list[Box]) -> Crowd | None:
    meter, crowd = CrowdingMeter(model, 1.0), None
    for tick in range(12):
        crowd = meter.add(people, tick / 2)
    return crowd


def test_as_many_as_usual_are_not_told_and_many_more_are() -> None:
    model = learned()
    assert model.people is not None
    assert model.people.normal == 5.0
    assert 5.0 + 4.0 < model.people.threshold < 14.0
    usual, many = watched(model, apart(5)), watched(model, apart(16))
    assert usual is not None
    assert many is not None
    assert usual.score < usual.threshold
    assert many.score > many.threshold
    assert many.value == pytest.approx(16.0)
    assert many.box_norm is None


def test_a_knot_of_people_is_told_with_its_place() -> None:
    crowd = watched(learned(most=8), [*group(7), person(0.1, 0.9, 0.2)])
    assert crowd is not None
    assert crowd.score > crowd.threshold
    assert crowd.box_norm is not None
    assert crowd.value == pytest.approx(7.0)
    assert crowd.box_norm[0] == pytest.approx(0.48)
    assert crowd.box_norm[3] == pytest.approx(0.5)


def test_together_is_measured_in_body_heights() -> None:
    near, far = [person(0.2, 0.9, 0.3), person(0.5, 0.9, 0.3)], [person(0.2, 0.2, 0.05), person(0.5, 0.2, 0.05)]
    assert densest(near, 1.0)[0] == 2
    assert densest(near, 2.0)[0] == 1
    assert densest(far, 1.0)[0] == 1
    assert densest([], 1.0) == (0, None)


def test_a_single_picture_says_nothing() -> None:
    meter = CrowdingMeter(learned(), 1.0)
    assert meter.add(apart(16), 0.0) is None
    assert meter.add(apart(16), 0.5) is None
    assert meter.add(apart(16), 1.0) is not None
    meter.begin_run()
    assert meter.add(apart(16), 1.5) is None


def test_the_same_one_all_along_does_not_make_two_a_crowd() -> None:
    model = fit_crowding([CrowdSample(1, tick / 2, 0.5, (person(0.5, 0.5),)) for tick in range(80)], 1.0)
    crowd = watched(model, apart(2))
    assert crowd is not None
    assert crowd.score < crowd.threshold


def test_footage_without_people_judges_nothing_and_says_so() -> None:
    model = fit_crowding([CrowdSample(1, tick / 2, 0.5, ()) for tick in range(200)], 1.0)
    assert model.why_not == "only 0 s of normal footage with people in it; 20 s needed"
    assert watched(model, apart(16)) is None
    assert CrowdingMeter(model, 1.0).why_not == model.why_not
    assert CrowdingModel.model_validate_json(learned().model_dump_json()) == learned()
