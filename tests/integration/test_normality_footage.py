"""Real pedestrians: learned from 40 s, quiet on the rest, loud when they hurry, and said in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit
from streamproc.normality.observer import EmbeddedObserver
from streamproc.perception.scene import SceneCaptioner
from streamproc.site import load_preset
from streamproc.testing_footage import Pixels, read_pictures, windows_of
from streamproc.types import ObservedWindow

# Learning from 40 s takes half a minute of a core.
pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(600)]
PIPELINE = load_preset("embedded")
SETTINGS, SAMPLING = PIPELINE.normality, PIPELINE.sampling
NOW = datetime(2026, 11, 21, tzinfo=UTC)
NORMAL_FRAMES = 400


@pytest.fixture(scope="module")
def store() -> ModelStore:
    store = ModelStore()
    missing = [status.name for status in store.list() if status.name in ("nanodet", "vtest") and not status.cached]
    if missing:
        pytest.skip(f"not cached: {', '.join(missing)}; fetch with `streamproc models pull`")
    return store


@pytest.fixture(scope="module")
def pictures(store: ModelStore) -> list[Pixels]:
    return read_pictures(store.ensure("vtest"))


@pytest.fixture(scope="module")
def detector(store: ModelStore) -> NanoDet:
    return NanoDet(store.ensure("nanodet"))


@pytest.fixture(scope="module")
def calibration(pictures: list[Pixels], detector: NanoDet) -> Calibration:
    windows = windows_of(pictures[:NORMAL_FRAMES], settings=SAMPLING)
    return fit(windows, SETTINGS, learned_at=NOW, detector=detector)


def watch(
    observer: EmbeddedObserver, pictures: Iterable[Pixels], run: int = 1, fps: float = 10.0
) -> list[ObservedWindow]:
    return [observer.observe(window) for window in windows_of(pictures, run=run, fps=fps, settings=SAMPLING)]


def loud(windows: list[ObservedWindow]) -> list[bool]:
    return [any(m.score >= m.threshold for m in window.measurements) for window in windows]


def test_the_rest_and_its_seam_are_quiet_and_judged(
    pictures: list[Pixels], calibration: Calibration, detector: NanoDet
) -> None:
    observer = EmbeddedObserver(SETTINGS, calibration, detector)
    rest, after = watch(observer, pictures[NORMAL_FRAMES:]), watch(observer, pictures[NORMAL_FRAMES:500], run=2)
    assert not any(loud(rest + after))
    # A run's first picture has none before it.
    assert all(window.measurements for window in rest[1:] + after[1:])


def test_hurry_is_noticed_within_three_seconds_told_in_words_and_ends(
    pictures: list[Pixels], calibration: Calibration, detector: NanoDet
) -> None:
    rest = pictures[NORMAL_FRAMES:]
    before, hurry, after = rest[:60], rest[::3], rest[60:120]
    observer = EmbeddedObserver(SETTINGS, calibration, detector)
    windows = watch(observer, [*before, *hurry, *after])
    alarms = [w.window.end_s for w, is_loud in zip(windows, loud(windows), strict=True) if is_loud]
    hurries_s = (6.0, 6.0 + len(hurry) / 10)
    assert hurries_s[0] < alarms[0] <= hurries_s[0] + 3.0
    assert alarms[-1] <= hurries_s[1] + 2.0
    captions = [SceneCaptioner().caption(window) for window in windows]
    hurrying = [c.pts_s for c in captions if any(fact.action == "hurries" for fact in c.facts)]
    assert len(hurrying) >= 8
    assert hurries_s[0] < hurrying[0]
    assert hurrying[-1] <= hurries_s[1] + 2.0
    told = [caption for caption in captions if caption.pts_s in alarms]
    assert all(any(fact.measurement for fact in caption.facts) for caption in told)
    assert sum("times as fast as is normal there" in caption.text for caption in told) >= 0.9 * len(told)


def test_at_one_frame_a_second_nothing_is_judged(pictures: list[Pixels], calibration: Calibration) -> None:
    windows = watch(EmbeddedObserver(SETTINGS, calibration, None), pictures[NORMAL_FRAMES::30], fps=1.0)
    assert not any(window.measurements for window in windows[1:])
    assert not any(loud(windows[:1])), "a run's first picture is judged by looks, at any rate"
    assert windows[-1].not_judged[0] == "speed: 1 frame/s, needs 5"
