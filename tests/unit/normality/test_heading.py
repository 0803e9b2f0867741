"""The wrong way in a one-way passage is told; where both ways are gone, or normal footage surprises, it is not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain

import numpy as np
import pytest

from streamproc.config import NormalitySettings
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit
from streamproc.normality.heading import HeadingMeter
from streamproc.normality.heading_fit import fit_directions, learn_directions
from streamproc.normality.held_out import RawSample
from streamproc.normality.observer import EmbeddedObserver
from streamproc.normality.place import RowPlace
from streamproc.normality.speed import SpeedSample
from streamproc.testing_footage import BrightThings, Pixels, Rectangle, drawn, windows_of
from streamproc.types import Measurement

SETTINGS = NormalitySettings(flow_width_px=320)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
PASSAGE_S = 5.0
GRID = (36, 48)
PLACE = RowPlace(top_px_s=60.0, bottom_px_s=60.0, least_px_s=1.0)


def passage(at: int) -> list[Pixels]:
    """From the left to the right, a little lower or higher each time."""
    return list(drawn((Rectangle(180 + 8 * (at % 3), 110.0 + 2 * at),), PASSAGE_S))


@pytest.fixture(scope="module")
def one_way() -> Calibration:
    clips = (windows_of(passage(at), run=at + 1) for at in range(10))
    return fit(chain.from_iterable(clips), SETTINGS, learned_at=NOW, detector=BrightThings())


def told(calibration: Calibration, pictures: Iterable[Pixels]) -> list[Measurement]:
    observer = EmbeddedObserver(SETTINGS, calibration, BrightThings())
    windows = [observer.observe(window) for window in windows_of(pictures)]
    return [m for window in windows for m in window.measurements if m.name == "direction"]


def test_the_same_footage_backwards_is_the_wrong_way_and_forwards_is_not(one_way: Calibration) -> None:
    assert one_way.directions is not None
    assert not one_way.directions.why_not
    assert not told(one_way, passage(3))
    wrong = told(one_way, passage(3)[::-1])
    assert len(wrong) >= 2
    assert all(m.score >= m.threshold and m.value > 2.0 for m in wrong)
    assert all(m.track_id == 1 and m.box_norm is not None for m in wrong), "it is told of who goes that way"


def lane(ways: int, passages: int = 24) -> list[SpeedSample]:
    """Passages in the middle of the picture, in ``ways`` directions by turns, a second of samples each."""
    cells = np.array([row * GRID[1] + column for row in range(14, 20) for column in range(48)], np.uint32)
    samples = []
    for number in range(passages):
        angle = 2 * math.pi * (number % ways) / ways
        vectors = np.tile((40 * math.cos(angle), 40 * math.sin(angle)), (len(cells), 1)).astype(np.float16)
        samples += [SpeedSample(1, 3.0 * number + at / 10, 0.1, GRID, cells, vectors) for at in range(10)]
    return samples


def held_out(most: float) -> list[list[RawSample]]:
    """Four parts of which one came to ``most`` nats for a moment."""
    return [
        [RawSample(part + 1, at / 10, 0.1, most if part == 2 and 100 < at < 140 else 0.02) for at in range(200)]
        for part in range(4)
    ]


def test_what_goes_on_counts_and_a_moment_does_not() -> None:
    model = learn_directions(lane(1), PLACE)
    meter, normal = HeadingMeter(model), PLACE.normal(GRID)
    right, left = lane(1)[0], lane(2)[10]
    values = [meter.add(_at(right if at < 10 else left, at / 10), normal) for at in range(25)]
    nats = [one.nats if one else 0.0 for one in values]
    assert max(nats[:10]) < 0.2
    assert nats[10] < 0.3 * meter.most
    assert nats[24] > 0.8 * meter.most
    assert meter.add(_at(left, 60.0), normal) == meter.add(_at(left, 120.0), normal), "after a pause it begins anew"


def _at(sample: SpeedSample, pts_s: float) -> SpeedSample:
    return SpeedSample(1, pts_s, 0.1, sample.grid, sample.cells, sample.vectors)


def test_ways_are_not_told_from_a_few_seconds() -> None:
    short = [[sample for sample in part if sample.pts_s < 5.0] for part in held_out(0.02)]
    known = fit_directions(learn_directions(lane(1), PLACE), short)
    assert known.earned is None
    assert known.model.why_not == "too little to know which way is usual: 20 s with something moving, 40 s needed"


def test_a_camera_whose_own_normal_footage_surprises_it_says_why_it_is_silent() -> None:
    model = learn_directions(lane(1), PLACE)
    good, late, silent = (fit_directions(model, held_out(most)) for most in (0.02, 1.2, 5.0))
    assert good.earned is not None
    assert good.earned.threshold == pytest.approx(math.log(2.0))
    assert (good.earned.why, good.why_not) == ("", "")
    assert late.earned is not None
    assert late.earned.threshold > 1.2
    assert late.earned.why.startswith("direction is told late, from ")
    assert not late.why_not
    assert silent.why_not.startswith("direction is not told: ")
    assert f"came to {math.exp(5.0):.1f}" in silent.why_not


def test_where_a_camera_was_seen_to_be_surprised_nothing_is_told(one_way: Calibration) -> None:
    assert one_way.directions is not None
    silent = fit_directions(one_way.directions.model, held_out(9.0))
    changed = one_way.model_copy(update={"directions": silent})
    assert not told(changed, passage(3)[::-1])
    assert changed.reservations.count(silent.why_not) == 1
    brief = fit_directions(learn_directions(lane(1), PLACE), [held_out(0.02)[0][:10]])
    (told_so,) = [
        why for why in one_way.model_copy(update={"directions": brief}).reservations if why.startswith("the wrong way")
    ]
    assert told_so.startswith("the wrong way is not told: too little to know which way is usual: ")
    assert not told(one_way.model_copy(update={"directions": None}), passage(3)[::-1]), "an older calibration"
