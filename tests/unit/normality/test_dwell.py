"""What stays where nothing stayed is found and timed; light, weather, passers-by and a small nudge are no stay."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from streamproc.normality.dwell import LEAST_S, PLACES, DwellMeter, DwellModel, Stay
from streamproc.normality.dwell_fit import DwellLearner
from streamproc.normality.unlike import Likening
from streamproc.testing_footage import Rectangle, drawn

Grey = npt.NDArray[np.uint8]
Change = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.floating]]
RATE = 2.0
WALKERS = [Rectangle(60, 80), Rectangle(220, -60, start_px=300)]
NOTHING = DwellModel(longest_s=(0.0,) * PLACES[0] * PLACES[1], observed_s=40)
BAG = np.s_[150:170, 200:222]
"""Of 320 x 240: as large as a suitcase beside a person of 48 px."""


@cache
def pictures(seconds: float, start_s: float = 0.0) -> list[Grey]:
    return [picture[..., 0] for picture in drawn(WALKERS, seconds, fps=RATE, start_s=start_s)]


def with_bag(picture: Grey) -> Grey:
    left = picture.copy()
    left[BAG] = 30
    return left


@pytest.fixture(scope="module")
def reference() -> npt.NDArray[np.float32]:
    return np.asarray(np.median(np.stack(pictures(40)), axis=0), np.float32)


def watched(meter: DwellMeter, footage: list[Grey]) -> list[tuple[float, Stay | None]]:
    return [(at / RATE, meter.add(picture, at / RATE)) for at, picture in enumerate(footage)]


def told(footage: list[tuple[float, Stay | None]]) -> list[float]:
    return [at_s for at_s, stay in footage if stay and stay.seconds >= stay.threshold_s]


def test_a_bag_is_told_after_ten_seconds_and_cleared_soon_after_it_is_taken(reference: npt.NDArray[np.float32]) -> None:
    footage = pictures(50)
    seen = watched(DwellMeter(reference, NOTHING), [*footage[:20], *map(with_bag, footage[20:60]), *footage[60:]])
    times = told(seen)
    assert 10.0 + LEAST_S <= times[0] <= 10.0 + 14.0
    assert 30.0 <= times[-1] <= 34.0
    stay = next(stay for at_s, stay in seen if stay and at_s == 29.0)
    assert stay.seconds == pytest.approx(19.0, abs=1.5)
    assert stay.box_norm == pytest.approx((200 / 320, 150 / 240, 222 / 320, 170 / 240), abs=0.015)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        lambda p: p * 0.6,
        lambda p: p * 0.4 + 90,
        lambda p: p * np.where(np.arange(320) < 170, 0.45, 1.0),
        lambda p: p + np.random.default_rng(round(float(p.sum()))).normal(0, 8, p.shape),
        lambda p: 255 * (p / 255) ** 1.3,
        lambda p: np.roll(p, (1, 2), (0, 1)),
    ],
    ids=["as it is", "darker", "haze", "hard shadow", "noise", "another curve", "nudged"],
)
def test_other_light_is_no_stay_and_hides_none(reference: npt.NDArray[np.float32], change: Change) -> None:
    footage = pictures(26)

    def shown(picture: Grey) -> Grey:
        return np.clip(change(picture.astype(np.float32)), 0, 255).astype(np.uint8)

    quiet = [*footage[:10], *map(shown, footage[10:])]
    assert not told(watched(DwellMeter(reference, NOTHING), quiet))
    loud = [*footage[:10], *(shown(with_bag(picture)) for picture in footage[10:])]
    assert told(watched(DwellMeter(reference, NOTHING), loud))


def test_what_moves_slowly_does_not_stay(reference: npt.NDArray[np.float32]) -> None:
    footage = [picture[..., 0] for picture in drawn([Rectangle(120, 14)], 30, fps=RATE)]
    assert not told(watched(DwellMeter(reference, NOTHING), footage))


def test_where_people_stood_before_they_may_stand(reference: npt.NDArray[np.float32]) -> None:
    footage = pictures(40)
    learner = DwellLearner()
    learner.begin_run()
    for at, picture in enumerate([*footage[:10], *map(with_bag, footage[10:34]), *footage[34:]]):
        learner.add(picture, at / RATE)
    model = learner.learned(reference)
    assert not model.why_not
    assert max(model.longest_s) == pytest.approx(12.0, abs=1.5)
    assert min(model.longest_s) == 0.0
    assert DwellModel.model_validate_json(model.model_dump_json()) == model
    again = [*footage[:10], *map(with_bag, footage[10:50]), *footage[50:]]
    assert not told(watched(DwellMeter(reference, model), again))
    assert told(watched(DwellMeter(reference, model), [*footage[:10], *map(with_bag, pictures(40))]))


def test_what_was_still_there_when_a_clip_ended_may_stay_twice_as_long(reference: npt.NDArray[np.float32]) -> None:
    footage = pictures(30)
    learner = DwellLearner()
    for at, picture in enumerate([*footage[:30], *map(with_bag, footage[30:])]):
        learner.add(picture, at / RATE)
    assert max(learner.learned(reference).longest_s) == pytest.approx(2 * 14.0, abs=3.0)


def test_where_a_thing_of_the_background_is_gone_nothing_stays(reference: npt.NDArray[np.float32]) -> None:
    behind = reference.copy()
    behind[BAG] = 230
    assert not told(watched(DwellMeter(behind, NOTHING), pictures(25)))


def test_another_view_is_not_judged(reference: npt.NDArray[np.float32]) -> None:
    meter = DwellMeter(reference, NOTHING)
    watched(meter, pictures(6))
    seen = watched(meter, [np.roll(picture, 12, 1) for picture in pictures(16)])
    assert meter.why_not == "most of the picture is not as it was learned"
    assert not told(seen)


def test_the_camera_may_reconnect_meanwhile(reference: npt.NDArray[np.float32]) -> None:
    meter = DwellMeter(reference, NOTHING)
    watched(meter, [with_bag(picture) for picture in pictures(9)])
    meter.begin_run()
    assert told(watched(meter, [with_bag(picture) for picture in pictures(8)]))


def test_too_little_footage_judges_nothing_and_says_so(reference: npt.NDArray[np.float32]) -> None:
    learner = DwellLearner()
    for at, picture in enumerate(pictures(12)):
        learner.add(picture, at / RATE)
    model = learner.learned(reference)
    assert model.why_not == "only 7 s of normal footage show what stays; 20 s needed"
    meter = DwellMeter(reference, model)
    assert not any(stay for _, stay in watched(meter, [with_bag(picture) for picture in pictures(20)]))
    assert meter.why_not == model.why_not


def test_a_model_of_other_places_is_refused() -> None:
    with pytest.raises(ValidationError, match="3 places, not 12 x 9"):
        DwellModel(longest_s=(0.0, 1.0, 2.0))


def test_beside_a_hard_shadow_the_ground_is_still_the_ground(reference: npt.NDArray[np.float32]) -> None:
    small = np.asarray(cv2.resize(reference, (192, 144)), np.float32)
    shaded = small * np.where(np.arange(192) < 90, np.float32(0.4), np.float32(1.0))
    strange = np.abs(Likening(small).unlike(shaded)) > 14
    assert strange.mean() < 0.002
    bag = shaded.copy()
    bag[60:68, 40:46] = 150
    assert np.abs(Likening(small).unlike(bag))[61:67, 41:45].min() > 30
