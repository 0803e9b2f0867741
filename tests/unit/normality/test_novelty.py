"""Kinds of evidence are scaled, summed where they meet, and told by their parts; each must earn its weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from streamproc.normality.glimpse import Glimpse
from streamproc.normality.kinds import KINDS, Kind, Kinds
from streamproc.normality.novelty import KindScale, Novelty
from streamproc.normality.place import RowPlace
from streamproc.normality.scales import Fold, fit_drift, fit_kinds
from streamproc.normality.speed import SpeedSample

GRID = (10, 16)
EVEN = RowPlace(top_px_s=50.0, bottom_px_s=50.0, least_px_s=10.0)
SCALE = KindScale(median=1.0, p99=2.0, one_hour_level=1.0)
HERE, THERE = 5 * GRID[1] + 4, 5 * GRID[1] + 12


class Told(Kinds):
    """Kinds that were measured elsewhere: what each cell's is, by kind."""

    def __init__(self, **values: float | Sequence[float]) -> None:
        super().__init__(EVEN, None)
        self._told = values

    def values(self, sample: SpeedSample, glimpse: Glimpse) -> npt.NDArray[np.float32]:
        columns = [np.broadcast_to(np.array(self._told.get(kind, np.nan)), len(sample.cells)) for kind in KINDS]
        return np.stack(columns, axis=1).astype(np.float32)


def glimpse(index: int, cells: Sequence[int] = (HERE, THERE), run: int = 1) -> Glimpse:
    standing = np.zeros((len(cells), 2), np.float16)
    sample = SpeedSample(run, index / 10, 0.1, GRID, np.array(cells, np.uint32), standing)
    return Glimpse(run, index / 10, (640, 400), (64, 40), sample, 0.1, None)


def followed(kinds: Kinds, scales: dict[Kind, KindScale], count: int = 30) -> Novelty:
    novelty = Novelty(kinds, scales)
    for index in range(count):
        novelty.add(glimpse(index))
    return novelty


def test_what_is_normal_scores_nothing_and_what_is_beyond_its_upper_end_more_than_one() -> None:
    assert followed(Told(speed=0.9), {"speed": SCALE}).value == 0.0
    value = followed(Told(speed=3.0), {"speed": SCALE}).value
    assert value == pytest.approx(2.0, rel=0.01)


def test_kinds_are_summed_where_they_meet_and_the_normal_takes_nothing_from_the_odd() -> None:
    both = {"speed": SCALE, "glide": SCALE}
    together = followed(Told(speed=[2.0, 0.0], glide=[2.0, 0.0]), both)  # type: ignore[arg-type]
    apart = followed(Told(speed=[2.0, -5.0], glide=[-5.0, 2.0]), both)  # type: ignore[arg-type]
    assert together.value == pytest.approx(2.0, rel=0.01)
    assert apart.value == pytest.approx(1.0, rel=0.01)


def test_the_spot_is_told_with_its_parts() -> None:
    scales: dict[Kind, KindScale] = {"speed": SCALE, "glide": SCALE, "appearance": SCALE}
    spot = followed(Told(speed=[0.0, 4.0], glide=[0.0, 2.0], appearance=[0.0, 1.1]), scales).spot
    assert spot is not None
    assert spot.point == pytest.approx((12.5 / 16, 5.5 / 10))
    assert spot.box_norm == pytest.approx((12 / 16, 5 / 10, 13 / 16, 6 / 10))
    speed, glide = spot.parts  # appearance brings a fortieth: too little to be told
    assert (speed.name, glide.name) == ("speed", "glide")
    assert speed.value == pytest.approx(4.0, rel=0.01)  # of the place's normal speed
    assert glide.value == pytest.approx(2.0 / 4.0, rel=0.01)  # half of its speed is left
    assert glide.normal == 1.0
    assert speed.share == pytest.approx(3 / 4.1, rel=0.02)


def test_what_leaves_is_forgotten_and_a_new_run_owes_nothing_to_the_one_before() -> None:
    novelty = followed(Told(speed=4.0), {"speed": SCALE})
    novelty.add(glimpse(30, cells=()))
    assert novelty.spot is None
    assert novelty.value is not None
    assert novelty.value < 1.6
    novelty.add(glimpse(0, run=2))
    assert novelty.value < 1.2


def test_a_pause_is_not_bridged() -> None:
    novelty = followed(Told(speed=4.0), {"speed": SCALE})
    novelty.add(glimpse(60))
    assert novelty.value is not None
    assert novelty.value < 1.2


def test_a_kind_without_a_scale_is_not_measured() -> None:
    novelty = followed(Told(speed=4.0, glide=9.0), {"speed": SCALE})
    assert novelty.value == pytest.approx(3.0, rel=0.01)
    assert novelty.spot is not None
    assert [part.name for part in novelty.spot.parts] == ["speed"]


def test_a_kind_counts_with_its_weight_and_is_told_as_it_was_measured() -> None:
    halved = SCALE.model_copy(update={"weight": 0.5, "why": "speed counts 0.50"})
    novelty = followed(Told(speed=4.0), {"speed": halved})
    assert novelty.value == pytest.approx(1.5, rel=0.01)
    assert novelty.spot is not None
    assert novelty.spot.parts[0].value == pytest.approx(4.0, rel=0.01)


class Jumps(Told):
    """Nonsense of any size, for one moment or from then on."""

    def __init__(self, until: int) -> None:
        super().__init__()
        self._until = until

    def values(self, sample: SpeedSample, glimpse: Glimpse) -> npt.NDArray[np.float32]:
        found = np.full((len(sample.cells), len(KINDS)), np.nan, np.float32)
        found[:, :2] = 100.0 if 10 <= round(glimpse.pts_s * 10) < self._until else 1.0
        return found


def test_a_single_moment_of_nonsense_tells_nothing_and_what_lasts_is_told_as_it_is() -> None:
    def course(until: int) -> list[float]:
        novelty, told = Novelty(Jumps(until), {"speed": SCALE, "glide": SCALE}), []
        for index in range(200):
            novelty.add(glimpse(index))
            told.append(novelty.value or 0.0)
        return told

    assert 0.5 < max(course(until=11)) < 1.0
    lasting = course(until=200)
    assert lasting[11] > 1.5
    assert lasting[-1] == pytest.approx(2 * 99.0, rel=0.1)


class Drawn(Told):
    """Speeds drawn anew for each half second."""

    def values(self, sample: SpeedSample, glimpse: Glimpse) -> npt.NDArray[np.float32]:
        random = np.random.default_rng((round(glimpse.pts_s * 2), glimpse.run))
        found = np.full((len(sample.cells), len(KINDS)), np.nan, np.float32)
        found[:, 0] = 1.0 + abs(random.normal(0, 0.1))
        return found


def test_a_kind_that_fires_on_held_out_footage_is_turned_down_and_says_why() -> None:
    even = fit_kinds([Fold([glimpse(i, run=run) for i in range(600)], Drawn()) for run in (1, 2)])["speed"]
    assert (even.weight, even.why) == (1.0, None)
    fires = fit_kinds(
        [
            Fold([glimpse(i, run=1) for i in range(1800)], Drawn()),
            Fold([glimpse(i, run=2) for i in range(15)], Told(speed=20.0)),
        ]
    )["speed"]
    assert fires.weight == pytest.approx(1.5 / fires.one_hour_level)
    assert fires.weight < 1.0
    assert fires.why is not None
    assert fires.why.startswith(f"speed counts {fires.weight:.2f}: normal footage that it was not scaled for")


def test_a_kind_that_was_hardly_measured_has_no_scale() -> None:
    assert fit_kinds([Fold([glimpse(i) for i in range(15)], Told(speed=1.0))]) == {}


class Walks(Told):
    """Three quarters of the speed are left as glide, a little more or less."""

    def values(self, sample: SpeedSample, glimpse: Glimpse) -> npt.NDArray[np.float32]:
        found = super().values(sample, glimpse)
        found[:, 0], found[:, 1] = 1.0, 0.75 + 0.05 * np.sin(glimpse.pts_s)
        return found


def test_how_even_a_walk_is_here_is_learned() -> None:
    cells = range(5 * GRID[1], 5 * GRID[1] + 10)
    kinds = fit_kinds([Fold([glimpse(i, tuple(cells)) for i in range(200)], Walks())])
    assert kinds["glide"].evenness == pytest.approx(0.8, abs=0.01)
    assert kinds["speed"].evenness == 1.0
    too_few = fit_kinds([Fold([glimpse(i) for i in range(200)], Walks())])
    assert too_few["glide"].evenness == 1.0


def test_drift_is_told_by_the_largest_of_each_frame_in_every_fold() -> None:
    def fold(count: int, **largest: float) -> Fold:
        told = Told(**{kind: [value, value / 2] for kind, value in largest.items()})
        return Fold([glimpse(index) for index in range(count)], told)

    found = fit_drift([fold(30, speed=0.8, glide=0.5, appearance=2.0), fold(30, speed=1.0, appearance=2.0)])
    assert set(found) == {"speed", "appearance"}
    assert (found["speed"].median, found["speed"].median_spread) == pytest.approx((0.9, 1.25))
    assert (found["appearance"].p99, found["appearance"].p99_spread) == pytest.approx((2.0, 1.0))
    assert set(fit_drift([fold(30, speed=0.8, appearance=2.0), fold(19, speed=1.0)])) == set(), "too few to tell"
    empty = Fold([glimpse(0, ())], Told(speed=1.0))
    assert fit_drift([fold(30, speed=0.8), empty]) == {}
