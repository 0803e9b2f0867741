"""Objects keep their numbers between looks, also when they are fast; runs and cameras do not mix."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from streamproc.config import NormalitySettings
from streamproc.errors import InferenceError
from streamproc.normality.glimpse import Detector
from streamproc.normality.observer import EmbeddedObserver
from streamproc.testing_footage import BrightThing, BrightThings, Pixels, Rectangle, drawn, windows_of
from streamproc.types import ObservedWindow

SETTINGS = NormalitySettings(flow_width_px=320)
GROUND = list(drawn([], 1.0))


def observed(observer: EmbeddedObserver, pictures: Iterable[Pixels], run: int = 1) -> list[ObservedWindow]:
    return [observer.observe(window) for window in windows_of([*GROUND, *pictures], run=run)]


def ids(windows: list[ObservedWindow]) -> set[int]:
    return {track.track_id for window in windows for track in window.tracks}


@pytest.mark.parametrize("speed_px_s", [0.0, 40.0, 150.0])
def test_one_thing_is_one_track_at_any_speed(speed_px_s: float) -> None:
    # At 150 px/s and two looks a second its boxes are 75 px apart and 30 px wide: they never overlap.
    observer = EmbeddedObserver(SETTINGS, None, BrightThings())
    windows = observed(observer, drawn([Rectangle(200, speed_px_s, start_px=5)], 4.0))
    assert ids(windows) == {1}
    assert [len(window.tracks) for window in windows[2:]] == [1] * len(windows[2:])


def test_two_that_pass_each_other_stay_two() -> None:
    things = [Rectangle(150, 60.0, start_px=100), Rectangle(260, -60.0, start_px=500)]
    windows = observed(EmbeddedObserver(SETTINGS, None, BrightThings()), drawn(things, 6.0))
    assert ids(windows) == {1, 2}
    upper = [t.track_id for w in windows for t in w.tracks if t.box_norm[1] < 0.4]
    assert len(set(upper)) == 1


def watched(pictures: Iterable[Pixels], detector: Detector) -> list[ObservedWindow]:
    """The windows, where the detector looks twice a second."""
    observer = EmbeddedObserver(NormalitySettings(flow_width_px=320, detections_per_s=2.0), None, detector)
    return [observer.observe(window) for window in windows_of(pictures)]


def test_where_something_moves_the_detector_looks_as_often_as_asked() -> None:
    detector = BrightThings()
    watched(drawn([Rectangle(200, 40.0)], 5.0), detector)
    assert detector.looks == 10


def test_where_nothing_moves_it_looks_every_three_seconds_and_what_stands_there_stays() -> None:
    detector = BrightThings()
    windows = watched(drawn([Rectangle(200, 0.0, start_px=300)], 12.0), detector)
    assert detector.looks == 5  # twice until it is believed, then at 3.5, 6.5 and 9.5 seconds
    assert [len(window.tracks) for window in windows[1:]] == [1] * 11
    assert ids(windows) == {1}


def test_what_comes_into_a_still_scene_is_seen_at_the_next_turn() -> None:
    detector = BrightThings()
    windows = watched([*drawn([], 4.2), *drawn([Rectangle(200, 60.0)], 2.8)], detector)
    assert [len(window.tracks) for window in windows] == [0] * 5 + [1] * 2


def test_what_the_last_look_missed_is_looked_for_in_a_still_scene_too() -> None:
    class Blinks(BrightThings):
        def detect(self, picture: Pixels) -> list[BrightThing]:
            found = super().detect(picture)
            return [] if self.looks == 3 else found  # the first of the looks three seconds apart

    detector = Blinks()
    windows = watched(drawn([Rectangle(200, 0.0, start_px=300)], 6.0), detector)
    assert detector.looks == 4  # 0, 0.5, 3.5 in vain, 4 s
    assert ids(windows[4:]) == {1}


def test_what_left_a_still_scene_unseen_is_not_told_for_longer_than_three_seconds() -> None:
    class Gone(BrightThings):
        def detect(self, picture: Pixels) -> list[BrightThing]:
            found = super().detect(picture)
            return found if self.looks <= 2 else []

    windows = watched(drawn([Rectangle(200, 0.0, start_px=300)], 5.0), Gone())
    assert [len(window.tracks) for window in windows[1:]] == [1, 1, 0, 0]


def test_between_looks_a_track_goes_where_its_object_goes() -> None:
    thing = Rectangle(200, 80.0)
    observer = EmbeddedObserver(NormalitySettings(flow_width_px=320, detections_per_s=0.7), None, BrightThings())
    last = observed(observer, drawn([thing], 5.0))[-1]
    left = thing.left_px(4.9, 640) / 640
    assert last.tracks[0].box_norm[0] == pytest.approx(left, abs=0.03)


def test_a_single_sighting_is_no_track() -> None:
    flash = [*drawn([Rectangle(200, 0.0, start_px=300)], 0.3), *drawn([], 2.0)]
    assert ids(observed(EmbeddedObserver(SETTINGS, None, BrightThings()), flash)) == set()


def test_what_left_is_gone_within_two_seconds() -> None:
    gone = [*drawn([Rectangle(200, 30.0)], 3.0), *drawn([], 3.0)]
    windows = observed(EmbeddedObserver(SETTINGS, None, BrightThings()), gone)
    assert windows[3].tracks
    assert not windows[-1].tracks


def test_too_little_confidence_is_not_followed() -> None:
    unsure = BrightThings(pred_score=0.4)
    assert ids(observed(EmbeddedObserver(SETTINGS, None, unsure), drawn([Rectangle(200, 30.0)], 3.0))) == set()


def test_each_run_counts_from_one() -> None:
    observer = EmbeddedObserver(SETTINGS, None, BrightThings())
    walker = [Rectangle(200, 40.0)]
    first = observed(observer, drawn(walker, 2.0), run=1)
    again = observed(observer, drawn(walker, 2.0), run=2)
    assert ids(first) == ids(again) == {1}
    assert again[-1].tracks[0].age_s < 2.1


def test_cameras_in_threads_do_not_share_numbers() -> None:
    results: dict[int, set[int]] = {}

    def watch(camera: int) -> None:
        observer = EmbeddedObserver(SETTINGS, None, BrightThings())
        results[camera] = ids(observed(observer, drawn([Rectangle(120 + 40 * camera, 40.0)], 3.0)))

    threads = [threading.Thread(target=watch, args=(camera,)) for camera in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == {camera: {1} for camera in range(4)}


def test_a_detector_that_fails_costs_a_window_and_no_more() -> None:
    class Failing(BrightThings):
        def detect(self, picture: Pixels) -> list[object]:  # type: ignore[override]
            if self.looks == 2:
                self.looks += 1
                raise InferenceError("out of memory")
            return list(super().detect(picture))

    observer = EmbeddedObserver(SETTINGS, None, Failing())  # type: ignore[arg-type]
    done, lost = [], 0
    for window in windows_of([*GROUND, *drawn([Rectangle(200, 40.0)], 4.0)]):
        try:
            done.append(observer.observe(window))
        except InferenceError:
            lost += 1
    assert lost == 1
    assert done[-1].tracks
