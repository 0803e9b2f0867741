"""Who is half or twice as tall as people there is told after three looks; what normal footage had is not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from streamproc.config import NormalitySettings
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit
from streamproc.normality.observer import EmbeddedObserver
from streamproc.normality.size import SizeSample
from streamproc.normality.stature import KnownSizes, SizeLook, Stature, StatureMeter
from streamproc.normality.stature_fit import fit_sizes
from streamproc.testing_footage import BrightThings, Rectangle, drawn, windows_of
from streamproc.types import Box, Measurement

SETTINGS = NormalitySettings(flow_width_px=320)


def person(times: float, foot: float = 0.6, thing: int = 1, label: str = "person") -> SizeSample:
    tall = 0.25 * times
    box: Box = (0.4, foot - tall, 0.46, foot)
    return SizeSample((1, thing), label, box)


def footage(giants: range = range(0), looks: int = 240) -> list[SizeLook]:
    """One person after the other, each ten looks long, up to a tenth off; ``giants`` are twice as tall."""
    random = np.random.default_rng(3)
    found = []
    for at in range(looks):
        times = float(np.exp(random.normal(0.0, 0.03))) * (2.0 if at in giants else 1.0)
        found.append(SizeLook(1, at / 2, (person(times, 0.55 + 0.1 * (at % 7) / 7, thing=at // 10),)))
    return found


@pytest.fixture(scope="module")
def known() -> KnownSizes:
    return fit_sizes(footage())


def last(known: KnownSizes, *times: float) -> Stature | None:
    meter = StatureMeter(known.model)
    return [meter.look([person(one)]) for one in times][-1]


def test_what_is_told_needs_three_looks_and_is_their_median(known: KnownSizes) -> None:
    assert known.earned is not None
    assert last(known, 2.0, 2.0) is None
    tall, low, glitch = last(known, 2.0, 2.1, 1.9), last(known, 0.5, 0.5, 0.5), last(known, 1.0, 2.0, 1.0, 2.0, 1.0)
    assert tall is not None
    assert low is not None
    assert glitch is not None
    assert tall.size.ratio == pytest.approx(2.0, rel=0.05)
    assert tall.size.score > known.earned.threshold
    assert low.size.score > known.earned.threshold
    assert glitch.size.score < known.earned.threshold


def test_looks_at_another_thing_or_class_or_long_ago_do_not_count(known: KnownSizes) -> None:
    meter = StatureMeter(known.model)
    assert all(meter.look([person(2.0, thing=number)]) is None for number in range(5))
    assert all(meter.look([person(2.0, label="boat")]) is None for _ in range(5))
    meter.look([person(2.0)])
    meter.look([person(2.0)])
    for _ in range(9):
        meter.look([])
    assert meter.look([person(2.0)]) is None
    meter.reset()
    assert meter.look([person(2.0)]) is None


def test_normal_footage_with_giants_in_a_part_of_it_turns_it_down_and_says_why(known: KnownSizes) -> None:
    assert known.earned is not None
    assert (known.earned.threshold, known.earned.why, known.why_not) == (1.0, "", "")
    mixed = fit_sizes(footage(range(130, 160)))
    assert mixed.earned is not None
    assert mixed.earned.silent
    assert mixed.why_not.startswith("size is not told: only what is ")


def test_too_little_footage_says_so() -> None:
    assert fit_sizes(footage(looks=30)).why_not.startswith("too few things are seen whole")
    assert fit_sizes([]).why_not.startswith("too few things are seen whole")


WALKERS = (Rectangle(100, 60.0, start_px=100), Rectangle(240, 70.0, start_px=300), Rectangle(360, 80.0, start_px=200))


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    windows = [w for run in range(2) for w in windows_of(drawn(WALKERS, 10.0, start_s=run), run=run + 1)]
    return fit(windows, SETTINGS, learned_at=now, detector=BrightThings())


def told(calibration: Calibration, *things: Rectangle) -> list[Measurement]:
    observer = EmbeddedObserver(SETTINGS, calibration, BrightThings())
    windows = [observer.observe(window) for window in windows_of(drawn(things, 6.0))]
    return [m for window in windows for m in window.measurements if m.name == "size"]


def test_somebody_twice_as_tall_is_told_with_the_track_and_walkers_are_not(calibration: Calibration) -> None:
    assert calibration.sizes is not None
    assert not calibration.sizes.why_not
    assert not told(calibration, *WALKERS)
    tall = told(calibration, WALKERS[0], Rectangle(200, 60.0, size_px=(60, 190), start_px=200))
    assert len(tall) >= 3
    assert all(m.score >= m.threshold and m.track_id is not None for m in tall)
    assert tall[-1].unit == "times as tall as is usual there"
    assert tall[-1].value == pytest.approx(2.0, rel=0.15)
    low = told(calibration, WALKERS[0], Rectangle(240, 60.0, size_px=(44, 40), start_px=200))
    assert low[-1].unit == "times as low as is usual there"
    assert low[-1].value > low[-1].normal > 1.0


def test_what_the_detector_does_not_tell_is_told_beside_people(calibration: Calibration) -> None:
    def beside(thing: Rectangle) -> set[str | None]:
        observer = EmbeddedObserver(SETTINGS, calibration, None)
        windows = [observer.observe(window) for window in windows_of(drawn((*WALKERS[:2], thing), 3.0))]
        odd = [m for window in windows for m in window.measurements if m.score >= m.threshold]
        assert odd
        return {m.beside_person for m in odd}

    assert beside(Rectangle(340, 210.0, start_px=60)) == {"alike"}
    assert beside(Rectangle(340, 210.0, size_px=(180, 96), start_px=60)) - {None} == {"larger"}
