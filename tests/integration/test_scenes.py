"""Real footage, changed or with things put into it: quiet where nothing is to be told, loud in time and at the place.

Each case is one of ``tests/benchmarks/scenes.py``, which prints them all.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from streamproc.errors import ModelLoadError
from streamproc.models.movenet import MoveNet
from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit
from streamproc.normality.observer import EmbeddedObserver
from streamproc.perception.scene import SceneCaptioner
from streamproc.site import load_preset
from streamproc.testing_footage import Pixels, read_pictures, windows_of
from streamproc.testing_scenes import borrowed, cases, photos, scoring
from streamproc.testing_scenes.cutouts import Sprite
from streamproc.testing_scenes.stage import VTEST_OCCLUDERS, Stage
from streamproc.types import ObservedWindow

# Learning from 40 s takes half a minute of a core.
pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(600)]
PIPELINE = load_preset("embedded")
SETTINGS, SAMPLING = PIPELINE.normality, PIPELINE.sampling
NORMAL_FRAMES = 400
WATCHED_FRAMES = 150
"""What happens begins at the hundredth at the latest."""
PED2 = Path(__file__).parents[3] / "shared" / "data" / "ucsd_ped2"
QUIET = [
    "30 % dropped, true times",
    "dims to half in 20 s",
    "lamps out and on",
    "neon flicker",
    "grey",
    "compressed hard",
    "240 rows",
    "two stand and talk, 8 s",
    "brighter, x1.3",
    "shadows of clouds",
    "shaken, 2 px",
    "shaken, 4 px",
    "sways in the wind, 6 px",
]
LOUD = {
    "someone runs, x3": WATCHED_FRAMES,
    "van, 14 km/h": WATCHED_FRAMES,
    "bicycle in rain": WATCHED_FRAMES,
    "someone sinks down slowly": 200,
    "suitcase left behind": 250,
}
"""With the frames in which it must be noticed."""
TOLD = ["dark, x0.05", "1 frame/s", "re-aimed at 10 s", "re-aimed at 10 s, 3 % shift"]
LIES_WITHIN_S = 8.0
"""Others walk in front of who fell for four seconds."""
PLACE_RIGHT = 0.9
"""Share of the windows in alarm whose named box shows what was put in: at most one beside it in ten."""
CASES = {case.name: case for case in (*cases.normal_cases(), *cases.camera_cases(), *cases.event_cases())}


@pytest.fixture(scope="module")
def store() -> ModelStore:
    store = ModelStore()
    needed = ("nanodet", "movenet", "vtest")
    missing = [status.name for status in store.list() if status.name in needed and not status.cached]
    if missing:
        pytest.skip(f"not cached: {', '.join(missing)}; fetch with `streamproc models pull`")
    return store


@pytest.fixture(scope="module")
def pictures(store: ModelStore) -> list[Pixels]:
    return read_pictures(store.ensure("vtest"))


@pytest.fixture(scope="module")
def stage(pictures: list[Pixels]) -> Stage:
    return Stage(pictures[:NORMAL_FRAMES], VTEST_OCCLUDERS)


@pytest.fixture(scope="module")
def detector(store: ModelStore) -> NanoDet:
    return NanoDet(store.ensure("nanodet"))


@pytest.fixture(scope="module")
def pose(store: ModelStore) -> MoveNet:
    return MoveNet(store.ensure("movenet"))


@pytest.fixture(scope="module")
def calibration(pictures: list[Pixels], detector: NanoDet, pose: MoveNet) -> Calibration:
    windows = windows_of(pictures[:NORMAL_FRAMES], settings=SAMPLING)
    return fit(windows, SETTINGS, learned_at=datetime(2026, 11, 21, tzinfo=UTC), detector=detector, pose=pose)


@pytest.fixture
def observer(calibration: Calibration, detector: NanoDet, pose: MoveNet) -> EmbeddedObserver:
    return EmbeddedObserver(SETTINGS, calibration, detector, pose=pose)


class Watched:
    """One case, watched to its end."""

    def __init__(
        self, case: cases.Case, stage: Stage, pictures: list[Pixels], observer: EmbeddedObserver, frames: int
    ) -> None:
        scene = case.recipe(stage, pictures[NORMAL_FRAMES:][:frames])
        windows = windows_of(scene.pictures, fps=case.fps, times_s=scene.times_s, settings=SAMPLING)
        self.windows: list[ObservedWindow] = [observer.observe(window) for window in windows]
        self.result = scoring.scored(case, scene, self.windows)


@pytest.mark.parametrize("name", [*QUIET, *TOLD])
def test_what_is_normal_or_cannot_be_judged_raises_no_alarm(
    name: str, stage: Stage, pictures: list[Pixels], observer: EmbeddedObserver
) -> None:
    watched = Watched(CASES[name], stage, pictures, observer, WATCHED_FRAMES)
    assert watched.result.met, watched.result


@pytest.mark.parametrize("name", LOUD)
def test_what_happens_is_noticed_in_time_and_at_its_place(
    name: str, stage: Stage, pictures: list[Pixels], observer: EmbeddedObserver
) -> None:
    watched = Watched(CASES[name], stage, pictures, observer, LOUD[name])
    assert watched.result.met, watched.result
    assert watched.result.place_right is not None
    assert watched.result.place_right >= PLACE_RIGHT
    loud = [SceneCaptioner().caption(one) for one in watched.windows if scoring.loudest(one)]
    assert all(any(fact.measurement for fact in caption.facts) for caption in loud), "what was measured is said"


@pytest.mark.parametrize("name", ["someone falls and lies", "someone sinks down slowly"])
def test_who_falls_is_said_to_lie_though_the_detector_loses_them(
    name: str, stage: Stage, pictures: list[Pixels], observer: EmbeddedObserver
) -> None:
    watched = Watched(CASES[name], stage, pictures, observer, 180)
    lies = [
        (one.window.end_s, fact)
        for one in watched.windows
        for fact in SceneCaptioner().caption(one).facts
        if fact.action == "lies on the ground"
    ]
    fell_s = 9.0
    assert fell_s < lies[0][0] <= fell_s + LIES_WITHIN_S
    assert len(lies) >= 10
    assert all(fact.subject == "person" and fact.measurement is not None for _, fact in lies)


def test_the_car_is_cut_out_of_its_photograph() -> None:
    try:
        car = photos.car(photos.store().ensure("car"))
    except ModelLoadError as error:
        pytest.skip(f"the photograph cannot be fetched: {error}")
    assert_looks_like(car, wide=(3.0, 3.6), filled=(0.6, 0.85))


def test_bicycle_and_cart_are_cut_out_of_the_ped2_clips() -> None:
    if not PED2.is_dir():
        pytest.skip("the UCSD Ped2 clips are not at ../shared/data")
    riders, carts = borrowed.cyclist_frames(PED2), borrowed.cart_frames(PED2)
    assert len(riders) >= 30
    assert len(carts) >= 30
    assert_looks_like(riders[len(riders) // 2], wide=(0.7, 1.2), filled=(0.25, 0.7))
    assert_looks_like(carts[len(carts) // 2], wide=(1.3, 1.8), filled=(0.4, 0.85))


def assert_looks_like(sprite: Sprite, wide: tuple[float, float], filled: tuple[float, float]) -> None:
    """Width for height, and the share of its box that it fills."""
    assert wide[0] < sprite.size[0] / sprite.size[1] < wide[1]
    assert filled[0] < float(np.mean(sprite.matte)) < filled[1]
