"""Objects keep their numbers between looks, also when they are fast; runs and cameras do not mix."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np
import pytest

from streamproc.config import NormalitySettings
from streamproc.errors import InferenceError
from streamproc.normality.glimpse import Detector
from streamproc.normality.observer import EmbeddedObserver
from streamproc.normality.speed import SpeedSample
from streamproc.normality.tracks import Tracks
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


def moving(pts_s: float, speed_px_s: float) -> SpeedSample:
    """Everything in a picture of 320 x 240 goes to the right."""
    cells = np.arange(60 * 80, dtype=np.uint32)
    vectors = np.tile(np.array([speed_px_s, 0.0], np.float16), (len(cells), 1))
    return SpeedSample(1, pts_s, 0.1, (60, 80), cells, vectors)


@pytest.mark.parametrize(("speed_px_s", "told"), [(20.0, [0.2, 0.4]), (100.0, [0.1, 0.2, 0.3, 0.4])])
def test_the_tracker_hears_at_once_of_what_goes_far_and_else_now_and_then(speed_px_s: float, told: list[float]) -> None:
    tracks = Tracks(SETTINGS)
    tracks.look(0.0, [BrightThing("person", 0.9, (0.1, 0.25, 0.2, 0.75))], (320, 240))  # 32 px wide
    heard = []
    for pts_s in (0.1, 0.2, 0.3, 0.4):
        tracks.carry(moving(pts_s, speed_px_s), None)
        tracks.advance(pts_s)
        heard += [pts_s] if tracks.told_s == pts_s else []
    assert heard == told


def test_a_thing_goes_as_the_faster_half_of_what_moves_in_its_box_does() -> None:
    sample = moving(0.1, 0.0)
    rows, columns = sample.rows, sample.columns
    # The box covers the cells of columns 8 to 15 and rows 15 to 44: three columns still, five not; faster around it.
    still = (rows >= 15) & (rows <= 44) & (columns >= 8) & (columns <= 10)
    around = (rows < 15) | (rows > 44) | (columns < 8) | (columns > 15)
    sample.vectors[:, 0] = np.where(still, 0.0, np.where(around, 400.0, 40.0))
    tracks = Tracks(SETTINGS)
    for pts_s in (0.0, 0.5):
        tracks.look(pts_s, [BrightThing("person", 0.9, (0.1, 0.25, 0.2, 0.75))], (320, 240))
        tracks.advance(pts_s + 0.25)
    tracks.carry(sample, np.full((60, 80), 80.0, np.float32))
    (one,) = tracks.visible()
    assert one.box_px.tolist() == pytest.approx([36.0, 60.0, 68.0, 180.0])
    for _ in range(2):
        one.box_px[:] = (32.0, 60.0, 64.0, 180.0)
        tracks.carry(sample, np.full((60, 80), 80.0, np.float32))
    assert one.ratio.value == pytest.approx(0.5)
