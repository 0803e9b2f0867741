"""Speed beside the camera's normal: quiet on more of the same, loud on threefold speed, silent where it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, islice, pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.config import NormalitySettings, SamplingSettings
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration, Scale
from streamproc.normality.fit import fit
from streamproc.normality.following import FollowingObserver
from streamproc.normality.glimpse import Glimpse
from streamproc.normality.kinds import UNITS
from streamproc.normality.observer import EmbeddedObserver
from streamproc.normality.pace import AWAKE_S
from streamproc.normality.place import RowPlace, fit_rows
from streamproc.normality.speed import SpeedSample
from streamproc.testing_footage import BrightThing, BrightThings, Pixels, Rectangle, drawn, windows_of
from streamproc.types import ObservedWindow, Window

SETTINGS = NormalitySettings(flow_width_px=320)
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SLOWER = Scale(median=0.0, p99=1.0, threshold=0.0, held_out_max=0.0, held_out_range=0.0, one_hour_level=0.0)
WALKERS = (Rectangle(100, 40.0), Rectangle(200, 55.0, start_px=300), Rectangle(340, 70.0, start_px=150))
RUNNERS = (*WALKERS[:2], Rectangle(340, 210.0, start_px=150))


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return fit(
        chain(windows_of(drawn(WALKERS, 12.0)), windows_of(drawn(WALKERS, 6.0, start_s=50), run=2)),
        SETTINGS,
        learned_at=NOW,
    )


def watch(
    observer: EmbeddedObserver, pictures: Iterable[Pixels], run: int = 1, fps: float = 10.0
) -> list[ObservedWindow]:
    return [observer.observe(window) for window in windows_of(pictures, run=run, fps=fps)]


def alarms(windows: list[ObservedWindow]) -> list[bool]:
    return [any(m.score >= m.threshold for m in window.measurements) for window in windows]


def test_more_of_the_same_is_quiet(calibration: Calibration) -> None:
    windows = watch(EmbeddedObserver(SETTINGS, calibration, None), drawn(WALKERS, 8.0, start_s=100))
    assert not any(alarms(windows))
    assert all(window.measurements for window in windows)


def test_threefold_speed_is_loud_within_two_seconds_and_ends(calibration: Calibration) -> None:
    observer = EmbeddedObserver(SETTINGS, calibration, BrightThings())
    pictures = chain(drawn(WALKERS, 4.0), drawn(RUNNERS, 5.0, start_s=20), drawn(WALKERS, 5.0, start_s=30))
    windows = watch(observer, pictures)
    loud = alarms(windows)
    assert not any(loud[:4])
    assert any(loud[4:6])
    assert not any(loud[-2:])
    speed = windows[7].measurements[0]
    # Drawn things have no limbs: they glide as much as they are fast.
    parts = {part.name: part for part in speed.parts}
    assert set(parts) == {"speed", "glide"}
    assert (speed.name, speed.value) == (speed.parts[0].name, speed.parts[0].value)
    assert (parts["speed"].unit, parts["speed"].normal) == (UNITS["speed"], 1.0)
    assert parts["speed"].value > 1.3
    assert sum(part.share for part in speed.parts) == pytest.approx(1.0)
    # The track that carries it is the fast one, and its own speed says the same.
    carrier = next(track for track in windows[7].tracks if track.track_id == speed.track_id)
    assert carrier.box_norm[1] > 0.6
    assert carrier.box_norm == speed.box_norm
    assert carrier.speed is not None
    assert carrier.speed.score >= carrier.speed.threshold
    others = [track.speed for track in windows[7].tracks if track.track_id != speed.track_id]
    assert all(other is not None and other.score < other.threshold for other in others)


def test_without_a_track_the_place_is_told(calibration: Calibration) -> None:
    windows = watch(EmbeddedObserver(SETTINGS, calibration, None), drawn(RUNNERS, 5.0))
    speed = windows[3].measurements[0]
    assert speed.track_id is None
    assert speed.box_norm is not None
    assert speed.box_norm[3] > 0.7
    assert "objects: there is no detector" in windows[3].not_judged


def test_the_seam_of_a_loop_is_quiet(calibration: Calibration) -> None:
    observer = EmbeddedObserver(SETTINGS, calibration, BrightThings())
    for run in range(1, 5):
        assert not any(alarms(watch(observer, drawn(WALKERS, 3.0, start_s=7.0 * run), run=run)))


def test_a_new_run_owes_nothing_to_the_one_before(calibration: Calibration) -> None:
    observer = EmbeddedObserver(SETTINGS, calibration, None)
    assert alarms(watch(observer, drawn(RUNNERS, 4.0)))[-1]
    assert not any(alarms(watch(observer, drawn(WALKERS, 3.0), run=2)))
    frame = WINDOWS[0].bursts[0][0]
    late = replace(frame, run=3, pts_s=3.0)
    alone = observer.observe(Window("test", 3, 0, ((late,),)))
    assert alone.not_judged[0] == "speed: a single frame, needs two neighbours"


def test_darker_and_brighter_are_quiet(calibration: Calibration) -> None:
    observer = EmbeddedObserver(SETTINGS, calibration, None)
    pictures = chain(drawn(WALKERS, 3.0), drawn(WALKERS, 3.0, start_s=3.0, gain=0.7), drawn(WALKERS, 3.0, start_s=6.0))
    assert not any(alarms(watch(observer, pictures)))


@pytest.mark.parametrize(
    ("pictures", "fps", "reason"),
    [
        (lambda: drawn(RUNNERS, 5.0, fps=1.0), 1.0, "speed: 1 frame/s, needs 5"),
        (lambda: drawn(RUNNERS, 3.0, fps=2.0), 2.0, "speed: 2 frames/s, needs 5"),
        (lambda: drawn(RUNNERS, 3.0, gain=0.08), 10.0, "speed: the picture is too dark"),
    ],
)
def test_what_cannot_be_judged_is_said(calibration: Calibration, pictures: object, fps: float, reason: str) -> None:
    windows = watch(EmbeddedObserver(SETTINGS, calibration, BrightThings()), pictures(), fps=fps)  # type: ignore[operator]
    assert [window.not_judged for window in windows[1:]] == [(reason,)] * len(windows[1:])
    assert not any(window.measurements for window in windows[1:])
    assert all(track.speed is None for window in windows for track in window.tracks)


def test_a_runs_first_picture_is_judged_by_looks_and_raises_nothing_by_itself(calibration: Calibration) -> None:
    first = watch(EmbeddedObserver(SETTINGS, calibration, BrightThings()), drawn(RUNNERS, 0.1, start_s=2.0), fps=10.0)[
        0
    ]
    assert first.not_judged == ("speed: a single frame, needs two neighbours",)
    assert first.course
    assert all(one.score < one.threshold for one in first.measurements)


def test_single_frames_are_said(calibration: Calibration) -> None:
    single = SamplingSettings(bursts_per_s=2.0, burst_frames=1)
    observer = EmbeddedObserver(SETTINGS, calibration, None)
    windows = [observer.observe(window) for window in windows_of(drawn(RUNNERS, 3.0), settings=single)]
    assert windows[-1].not_judged[0] == "speed: 2 frames/s, needs 5"
    first = next(windows_of(drawn(RUNNERS, 0.1)))
    assert EmbeddedObserver(SETTINGS, calibration, None).observe(first).not_judged[0] == (
        "speed: a single frame, needs two neighbours"
    )


def test_without_calibration_it_tracks_and_says_so() -> None:
    windows = watch(EmbeddedObserver(SETTINGS, None, BrightThings()), drawn(RUNNERS, 3.0))
    last = windows[-1]
    assert len(last.tracks) == 3
    assert last.motion > 0.01
    assert last.measurements == ()
    assert "no calibration" in last.not_judged[0]
    assert all(track.speed is None for track in last.tracks)


def test_a_still_scene_does_not_move() -> None:
    assert all(window.motion == 0.0 for window in watch(EmbeddedObserver(SETTINGS, None, None), drawn([], 3.0)))


def test_in_another_picture_nothing_of_the_last_one_is_found_again() -> None:
    here, there = drawn([Rectangle(100, 0.0, start_px=60)], 7.0), drawn([Rectangle(200, 0.0, start_px=400)], 2.0)
    turned = (255 - picture for picture in there)
    windows = watch(EmbeddedObserver(SETTINGS, None, DarkOrBright()), chain(here, turned))
    assert [track.label for track in windows[6].tracks] == ["bright"]
    assert not any(track.label == "bright" for window in windows[8:] for track in window.tracks)


class DarkOrBright:
    """Says of a picture as a whole whether it is bright or dark, by its corner."""

    def detect(self, picture: Pixels) -> list[BrightThing]:
        if picture[0, 0, 0] > 127:
            return [BrightThing("dark", 0.9, (0.7, 0.1, 0.8, 0.3))]
        return [BrightThing("bright", 0.9, (0.1, 0.1, 0.2, 0.3))]


def test_another_shape_of_picture_is_not_judged(calibration: Calibration) -> None:
    windows = watch(EmbeddedObserver(SETTINGS, calibration, None), (p[:180] for p in drawn(WALKERS, 2.0)))
    assert windows[-1].not_judged[0].startswith("speed: motion is measured at 320x180 px, and learned at 320x240:")


def half(pictures: Iterable[Pixels]) -> Iterable[Pixels]:
    return (np.asarray(cv2.resize(p, (160, 120), interpolation=cv2.INTER_AREA), np.uint8) for p in pictures)


def test_speeds_in_smaller_pictures_are_those_of_the_place(calibration: Calibration) -> None:
    def most(pictures: Iterable[Pixels]) -> float:
        windows = watch(EmbeddedObserver(SETTINGS, calibration, BrightThings()), pictures)
        found = [t.speed.value for window in windows[-2:] for t in window.tracks if t.speed is not None]
        return max(found)

    for things in (WALKERS, RUNNERS):
        whole = most(drawn(things, 5.0, start_s=100))
        assert most(half(drawn(things, 5.0, start_s=100))) == pytest.approx(whole, rel=0.3)


def test_finer_pictures_than_were_learned_from_are_not_judged(calibration: Calibration) -> None:
    coarse = calibration.model_copy(update={"flow_px": (160, 120), "picture_px": (160, 120)})
    windows = watch(EmbeddedObserver(SETTINGS, coarse, None), drawn(RUNNERS, 2.0))
    assert windows[-1].not_judged[0].startswith("speed: motion is measured at 320x240 px, and learned at 160x120:")
    assert not any(window.measurements for window in windows)


def test_another_flow_width_is_refused(calibration: Calibration) -> None:
    with pytest.raises(ConfigError, match="flow_width_px: 320"):
        EmbeddedObserver(NormalitySettings(flow_width_px=200), calibration, None)
    with pytest.raises(ConfigError, match="flow: fine, the pipeline says quick"):
        EmbeddedObserver(NormalitySettings(flow_width_px=320, flow="quick"), calibration, None)


def test_a_replay_is_the_same(calibration: Calibration) -> None:
    def told() -> list[object]:
        windows = watch(EmbeddedObserver(SETTINGS, calibration, BrightThings()), drawn(RUNNERS, 4.0))
        return [(window.tracks, window.measurements, window.motion) for window in windows]

    assert told() == told()


WINDOWS = list(windows_of(drawn(RUNNERS, 4.0)))


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=5))
@settings(max_examples=10, deadline=None)
def test_windows_in_any_order_and_run_never_break_it(calibration: Calibration, order: list[tuple[int, int]]) -> None:
    observer = EmbeddedObserver(SETTINGS, calibration, BrightThings())
    for run, index in order:
        window = WINDOWS[index]
        seen = observer.observe(Window(window.camera_id, run, window.index, window.bursts))
        assert 0.0 <= seen.motion <= 1.0
        assert len({track.track_id for track in seen.tracks}) == len(seen.tracks)


def test_too_much_shake_is_said_and_nothing_is_judged_until_it_ends(calibration: Calibration) -> None:
    rng = np.random.default_rng(2)

    def shaken() -> Iterable[Pixels]:
        for index, picture in enumerate(drawn(WALKERS, 12.0, start_s=100)):
            turn_deg = rng.normal(0.0, 2.0) if 20 <= index < 60 else 0.0
            matrix = cv2.getRotationMatrix2D((160, 120), turn_deg, 1.0)
            yield np.asarray(cv2.warpAffine(picture, matrix, (320, 240), borderMode=cv2.BORDER_REFLECT_101), np.uint8)

    windows = watch(EmbeddedObserver(SETTINGS, calibration, None), shaken())
    said = [window.window.end_s for window in windows if "speed: the camera shakes too much" in window.not_judged]
    assert 2.0 < said[0] < 4.0
    assert 5.5 < said[-1] < 10.0
    assert not any(window.measurements for window in windows if window.window.end_s in said)


def test_too_little_to_learn_from_is_refused_with_the_amount() -> None:
    with pytest.raises(ConfigError, match=r"only 4 s in which something moves; at least 10 s needed"):
        fit(windows_of(drawn(WALKERS, 4.0)), SETTINGS, learned_at=NOW)
    with pytest.raises(ConfigError, match="only 0 s in which something moves"):
        fit(windows_of(drawn([], 12.0)), SETTINGS, learned_at=NOW)
    with pytest.raises(ConfigError, match="frames could not be measured: 1 frame/s, needs 5"):
        fit(windows_of(drawn(WALKERS, 20.0, fps=1.0), fps=1.0), SETTINGS, learned_at=NOW)
    with pytest.raises(ConfigError, match="only 0 s"):
        fit([], SETTINGS, learned_at=NOW)


def test_each_fold_is_judged_by_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[set[float]] = []

    def spy(samples: Sequence[SpeedSample]) -> RowPlace | None:
        fitted.append({sample.pts_s for sample in samples})
        return fit_rows(samples)

    monkeypatch.setattr("streamproc.normality.fit.fit_rows", spy)
    fit(windows_of(drawn(WALKERS, 12.0)), SETTINGS, learned_at=NOW)
    whole = max(fitted, key=len)
    left_out = [whole - part for part in fitted if part != whole]
    assert len(left_out) == 4
    assert set.union(*left_out) == whole
    assert sum(map(len, left_out)) == len(whole)
    assert all(max(early) < min(late) for early, late in pairwise(left_out))


def test_what_was_learned_is_told(calibration: Calibration) -> None:
    assert calibration.camera_id == "test"
    assert calibration.observed_s == pytest.approx(17.8, abs=0.1)
    assert calibration.busy_s <= calibration.observed_s
    assert calibration.samples_per_s == pytest.approx(10.0, abs=0.2)
    assert (calibration.picture_px, calibration.flow_px) == ((320, 240), (320, 240))
    assert calibration.false_alarms.upper_per_hour == pytest.approx(3 * 3600 / calibration.observed_s)
    assert not calibration.false_alarms.extrapolated  # as even as this footage is, the least threshold holds
    assert set(calibration.kinds) == {"speed", "glide"}
    assert calibration.memory is None
    assert calibration.scene is not None
    assert calibration.scene.view is not None
    assert "only 0 s of normal footage with people" in calibration.scene.crowding.why_not
    assert calibration.place.bottom_px_s > calibration.place.top_px_s


def test_progress_is_told_in_seconds() -> None:
    told: list[float] = []
    fit(windows_of(drawn(WALKERS, 12.0)), SETTINGS, learned_at=NOW, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(11.9, abs=0.01)


def test_a_calibration_that_changes_is_measured_by_from_the_next_window_on(calibration: Calibration) -> None:
    slower = calibration.model_copy(update={"novelty": SLOWER})
    in_force = [calibration]
    observer = FollowingObserver(EmbeddedObserver(SETTINGS, calibration, BrightThings()), lambda: in_force[-1])
    windows = list(windows_of(drawn(WALKERS, 8.0, start_s=100)))
    before = [one for window in windows[:4] if (one := observer.observe(window)) is not None]
    in_force.append(slower)
    after = [one for window in windows[4:] if (one := observer.observe(window)) is not None]
    assert (len(before), len(after)) == (4, len(windows) - 4)
    assert not any(alarms(before))
    assert all(alarms(after[1:]))
    assert {window.calibration_sha256 for window in before} == {calibration.sha256}
    assert {window.calibration_sha256 for window in after} == {slower.sha256}
    numbers = {track.track_id for window in before[1:] for track in window.tracks}
    assert numbers & {track.track_id for window in after for track in window.tracks}  # tracks go on


def test_each_window_is_looked_at_in_a_turn(calibration: Calibration) -> None:
    held = list[str]()

    class Turns(AbstractContextManager[None]):
        def __enter__(self) -> None:
            held.append("begin")

        def __exit__(self, *_: object) -> None:
            held.append("end")

    def in_force() -> Calibration:
        held.append("look")
        return calibration

    observer = FollowingObserver(EmbeddedObserver(SETTINGS, calibration, BrightThings()), in_force, Turns())
    for window in list(windows_of(drawn(WALKERS, 2.0)))[:2]:
        observer.observe(window)
    assert held == ["begin", "look", "end"] * 2


def test_when_it_was_learned_is_the_wall_clocks_time(calibration: Calibration) -> None:
    assert calibration.learned_at == "2026-11-21T09:30:00+00:00"


def test_what_was_taken_in_is_observed_again_as_it_was(calibration: Calibration) -> None:
    live = EmbeddedObserver(SETTINGS, calibration, BrightThings())
    again = EmbeddedObserver(SETTINGS, calibration, None)
    for window in windows_of(drawn(RUNNERS, 4.0)):
        seen = live.observe(window)
        recalled = again.recall(window, live.glimpses)
        assert (recalled.tracks, recalled.measurements, recalled.motion, recalled.course) == (
            seen.tracks,
            seen.measurements,
            seen.motion,
            seen.course,
        )


def test_the_course_is_told_by_the_frame_from_its_past_alone(calibration: Calibration) -> None:
    whole = watch(EmbeddedObserver(SETTINGS, calibration, None), drawn(RUNNERS, 4.0))
    begun = watch(EmbeddedObserver(SETTINGS, calibration, None), islice(drawn(RUNNERS, 4.0), 25))
    course = [moment for window in whole for moment in window.course]
    assert [round(at_s, 3) for at_s, _ in course] == [round(index / 10, 3) for index in range(40)]
    assert [moment for window in begun for moment in window.course] == course[:25]
    assert max(score for _, score in course) > 1.0


def test_what_flow_leaves_in_normal_footage_is_no_shake(calibration: Calibration) -> None:
    assert calibration.unrest_px_s > 0.0
    restless = calibration.model_copy(update={"unrest_px_s": -1e6})  # as if the footage had none, and less
    windows = watch(EmbeddedObserver(SETTINGS, restless, None), drawn(WALKERS, 2.0))
    assert windows[-1].not_judged[0] == "speed: the camera shakes too much"
    assert watch(EmbeddedObserver(SETTINGS, calibration, None), drawn(WALKERS, 2.0))[-1].measurements


def test_what_moves_faster_for_half_an_hour_is_told_as_drift_and_not_learned(calibration: Calibration) -> None:
    assert set(calibration.drift) == {"speed"}
    assert "drift" not in calibration.model_copy(update={"drift": {}})._body()
    live = EmbeddedObserver(SETTINGS, calibration, None)
    taken: list[Glimpse] = []
    for window in windows_of(drawn(RUNNERS, 4.0)):
        live.observe(window)
        taken += [one for one in live.glimpses if one.sample is not None]
    observer = EmbeddedObserver(SETTINGS, calibration, None)
    frame, drifts = WINDOWS[0].last, []
    for second in range(1830):
        glimpse = taken[second % len(taken)]
        assert glimpse.sample is not None
        sample = replace(glimpse.sample, pts_s=float(second))
        window = Window("test", 1, second, ((replace(frame, pts_s=float(second)),),))
        drifts.append(observer.recall(window, [replace(glimpse, pts_s=float(second), sample=sample)]).drift)
    assert not any(drifts[:1800])
    (said,) = drifts[-1]
    assert "times as fast as in the footage that was learned: learn anew" in said
    assert observer.calibration is calibration
    observer.calibrate(calibration.model_copy(update={"unrest_px_s": 1.0}))
    assert observer.observe(WINDOWS[0]).drift == ()


EVEN = SamplingSettings(window_s=0.1, bursts_per_s=10, burst_frames=1)


def at_its_pace(observer: EmbeddedObserver, pictures: Iterable[Pixels]) -> list[ObservedWindow | None]:
    return [observer.watch(window) for window in windows_of(pictures, settings=EVEN)]


def calm(looks_per_s: float | None) -> NormalitySettings:
    return SETTINGS.model_copy(update={"calm_looks_per_s": looks_per_s})


def test_while_nothing_stands_out_two_pictures_a_second_are_looked_at_and_measure_like_all(
    calibration: Calibration,
) -> None:
    pictures = list(drawn(WALKERS, 8.0, start_s=100))
    windows = at_its_pace(EmbeddedObserver(calm(2.0), calibration, BrightThings()), pictures)
    looked = [window for window in windows if window is not None]
    begins = 1 + round(10 * AWAKE_S)
    assert None not in windows[:begins]  # a run begins awake: nothing is known yet
    assert len(looked) - begins in ((80 - begins) // 5, (80 - begins) // 5 + 1)
    assert sum(window.passed_by for window in looked) == pytest.approx(windows.count(None), abs=4)
    assert all(window.measurements and not window.not_judged for window in looked[1:])
    assert not any(alarms(looked))
    every = EmbeddedObserver(SETTINGS, calibration, BrightThings())
    beside = {one.window.end_s: one for one in map(every.observe, windows_of(pictures, settings=EVEN))}
    for one in looked[-8:]:
        assert one.motion == pytest.approx(beside[one.window.end_s].motion, abs=0.01)


def test_what_begins_to_stand_out_is_looked_at_in_every_picture_and_told_hardly_later(calibration: Calibration) -> None:
    pictures = list(chain(drawn(WALKERS, 5.0), drawn(RUNNERS, 4.0, start_s=20), drawn(WALKERS, 6.0, start_s=30)))
    first = {}
    for looks_per_s in (None, 2.0):
        windows = at_its_pace(EmbeddedObserver(calm(looks_per_s), calibration, BrightThings()), pictures)
        first[looks_per_s] = next(i for i, one in enumerate(windows) if one is not None and any(alarms([one])))
    assert first[None] <= first[2.0] <= first[None] + 6
    assert None in windows[30:50]
    assert None not in windows[first[2.0] : 85]
    assert None in windows[120:]


def test_pictures_lost_to_load_are_not_followed_by_more_looks_than_it_takes_to_judge(calibration: Calibration) -> None:
    observer = EmbeddedObserver(calm(2.0), calibration, BrightThings())
    kept = [n for n in range(80) if n < 30 or n % 10 not in (1, 2, 3, 4)]  # four in ten are lost
    pictures = list(drawn(WALKERS, 8.0, start_s=100))
    times_s = [n / 10 for n in kept]
    windows = windows_of([pictures[n] for n in kept], settings=EVEN, times_s=times_s)
    looked = [window.last.pts_s for window in windows if observer.watch(window) is not None]
    after = [at_s for at_s in looked if at_s >= 3.0]
    assert len(after) <= 3 * 5  # of 30: the first after a gap, the next, which can be judged, and one when it is due


@pytest.mark.parametrize("known", [True, False])
def test_a_camera_too_slow_for_motion_is_looked_at_as_if_all_the_time_something_stood_out(
    calibration: Calibration, known: bool
) -> None:
    asked = {}
    for looks_per_s in (None, 2.0):
        detector = Counting()
        observer = EmbeddedObserver(calm(looks_per_s), calibration if known else None, detector)
        for window in windows_of(drawn(WALKERS, 4.0, start_s=100), settings=EVEN, fps=2.0):
            observer.watch(window)
        asked[looks_per_s] = detector.asked
    assert asked[None] >= 36
    assert asked[2.0] >= asked[None] - 8 * known


def test_the_detector_looks_half_as_often_while_nothing_stands_out(calibration: Calibration) -> None:
    asked = {}
    for looks_per_s in (None, 2.0):
        detector = Counting()
        at_its_pace(EmbeddedObserver(calm(looks_per_s), calibration, detector), drawn(WALKERS, 12.0, start_s=100))
        asked[looks_per_s] = detector.asked
    assert asked[None] in (23, 24, 25)
    assert 11 <= asked[2.0] <= 15


def test_without_a_calibration_every_picture_is_looked_at() -> None:
    assert None not in at_its_pace(EmbeddedObserver(calm(2.0), None, None), drawn(WALKERS, 3.0))


class Counting(BrightThings):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def detect(self, picture: Pixels) -> list[BrightThing]:
        self.asked += 1
        return super().detect(picture)
