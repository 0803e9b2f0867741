"""Who lies is told after three looks that say so, in whose stead whatever; who walks is not even asked about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from streamproc.config import NormalitySettings
from streamproc.normality.calibration import Calibration
from streamproc.normality.down import DownMeter, KnownPostures, fit_postures
from streamproc.normality.fit import fit
from streamproc.normality.glimpse import Glimpse
from streamproc.normality.observer import EmbeddedObserver
from streamproc.normality.posture import Kind, Posture, PostureLook
from streamproc.normality.posture_watch import PostureWatch
from streamproc.normality.speed import SpeedSample
from streamproc.testing_footage import BrightThing, BrightThings, Pixels, Rectangle, drawn, windows_of
from streamproc.types import Box, ObservedWindow

PICTURE: Pixels = np.zeros((480, 640, 3), np.uint8)
GRID = (72, 96)
STOOD: Box = (0.50, 0.40, 0.56, 0.70)
LIES: Box = (0.48, 0.62, 0.70, 0.71)


class FakePose:
    """Points of a person, lying where the picture turned by 90 degrees is asked about, or as told."""

    points_px: npt.NDArray[np.float32]

    def __init__(self, lying: bool = True, sure: float = 0.9) -> None:
        upright = np.zeros((17, 2), np.float32)
        upright[:, 1] = np.linspace(0.0, 100.0, 17)
        self.points_px = upright[:, ::-1].copy() if lying else upright
        self.scores = np.full(17, sure, np.float32)
        self.asked: list[Box] = []

    def pose(self, picture: Pixels, box_norm: Box, turn_deg: float = 0.0) -> FakePose:
        if turn_deg == 0.0:
            self.asked.append(box_norm)
        return self


def standing_out(*boxes: Box) -> SpeedSample:
    grid = np.zeros(GRID, bool)
    for x0, y0, x1, y1 in boxes:
        grid[round(y0 * GRID[0]) : round(y1 * GRID[0]), round(x0 * GRID[1]) : round(x1 * GRID[1])] = True
    cells = np.flatnonzero(grid).astype(np.uint32)
    return SpeedSample(1, 0.0, 0.1, GRID, cells, np.zeros((len(cells), 2), np.float16))


def after_a_walk(pose: FakePose) -> PostureWatch:
    watch = PostureWatch(pose)
    for at in range(6):
        assert watch.look(PICTURE, at / 2, [(7, STOOD)], standing_out(STOOD)) == ()
    return watch


def test_who_walks_is_not_asked_about_and_who_is_wide_or_low_is() -> None:
    pose = FakePose()
    watch = after_a_walk(pose)
    assert pose.asked == []
    low: Box = (0.50, 0.54, 0.56, 0.70)
    (crouches,) = watch.look(PICTURE, 3.0, [(7, low)], None)
    (lies,) = watch.look(PICTURE, 3.5, [(7, LIES)], None)
    assert (crouches.track_id, lies.box_norm) == (7, LIES)
    assert lies.posture is not None
    assert lies.posture.kind == "lying"
    assert lies.posture.height == pytest.approx(0.3)
    assert [watch.due(at_s) for at_s in (3.6, 3.9, 4.0, 0.0)] == [False, False, True, True]


def test_where_somebody_is_lost_what_stands_out_there_is_asked_about() -> None:
    pose = FakePose()
    watch = after_a_walk(pose)
    far: Box = (0.1, 0.62, 0.3, 0.71)
    (look,) = watch.look(PICTURE, 3.0, [], standing_out(LIES, far))
    assert look.track_id == 7
    assert look.box_norm == pytest.approx(LIES, abs=0.02)
    assert len(watch.look(PICTURE, 3.5, [], standing_out(LIES))) == 1
    beside: Box = (0.46, 0.30, 0.70, 0.72)
    assert [one.track_id for one in watch.look(PICTURE, 4.0, [(8, beside)], standing_out(LIES))] == [], "another's"
    watch.begin_run()
    assert watch.look(PICTURE, 5.0, [], standing_out(LIES)) == ()


@pytest.mark.parametrize(
    "region",
    [
        STOOD,  # still upright, only not found
        (0.40, 0.30, 0.70, 0.71),  # higher than one who stands: a group
        (0.31, 0.62, 0.77, 0.71),  # longer than one body
        (0.50, 0.40, 0.56, 0.56),  # the upper half of one who is hidden
        (0.52, 0.66, 0.56, 0.70),  # a part of a body
    ],
)
def test_other_things_that_stand_out_there_are_not(region: Box) -> None:
    pose = FakePose()
    assert after_a_walk(pose).look(PICTURE, 3.0, [], standing_out(region)) == ()


def test_nothing_is_asked_for_ever_without_an_answer() -> None:
    pose = FakePose(sure=0.1)
    watch = after_a_walk(pose)
    for at in range(20):
        for look in watch.look(PICTURE, 3.0 + at / 2, [], standing_out(LIES)):
            assert look.posture is None
    assert 4 <= len(pose.asked) <= 8


def test_who_was_carried_out_of_the_picture_is_not_asked_about() -> None:
    pose = FakePose()
    watch = after_a_walk(pose)
    gone: Box = (0.50, 1.0, 0.56, 1.0)
    assert watch.look(PICTURE, 3.0, [(7, gone)], None) == ()
    assert pose.asked == []


def test_who_lies_gets_their_turn_beside_others_who_look_odd() -> None:
    watch = after_a_walk(FakePose())
    sitting = [(number, (0.1 * number, 0.1, 0.1 * number + 0.09, 0.15)) for number in (1, 2, 3, 4)]
    meter = DownMeter()
    for at in range(6, 18):
        looks = watch.look(PICTURE, at / 2, sitting, standing_out(LIES))
        assert len(looks) == 3
        meter.add(Glimpse(1, at / 2, (640, 480), (384, 288), None, 0.0, None, postures=looks))
    assert set(meter.found) == {1, 2, 3, 4, 7}


def glimpse(pts_s: float, *kinds: Kind | None, run: int = 1) -> Glimpse:
    """One in which tracks 1, 2, … were asked about; None is unsure."""
    looks = tuple(
        PostureLook(number, LIES, None if kind is None else Posture(kind, 90.0, 0.3, 0.9))
        for number, kind in enumerate(kinds, 1)
    )
    return Glimpse(run, pts_s, (640, 480), (384, 288), None, 0.0, None, postures=looks)


def down(*moments: Glimpse) -> list[tuple[int, str, float]]:
    meter = DownMeter()
    for one in moments:
        meter.add(one)
    return [(one.track_id, one.posture, one.seconds) for one in meter.found.values()]


def test_three_looks_in_a_row_are_needed_and_the_unsure_do_not_break_it() -> None:
    assert not down(glimpse(0, "lying"), glimpse(0.5, "lying"))
    assert down(glimpse(0, "lying"), glimpse(0.5, "lying"), glimpse(1.0, "lying")) == [(1, "lying", 1.0)]
    assert down(glimpse(0, "lying"), glimpse(0.5, "lying"), glimpse(0.8), glimpse(1.0, None), glimpse(1.5, "lying"))
    assert not down(glimpse(0, "lying"), glimpse(0.5, "upright"), glimpse(1.0, "lying"), glimpse(1.5, "lying"))
    assert not down(glimpse(0, "lying"), glimpse(0.5, "crouching"), glimpse(1.0, "lying"))
    assert down(*(glimpse(at / 2, "bent", "crouching") for at in range(4))) == [(2, "crouching", 1.5)]
    assert not down(*(glimpse(at / 2, "lying") for at in range(4)), glimpse(2.0, "upright")), "up again"
    assert not down(*(glimpse(at / 2, "lying") for at in range(4)), glimpse(4.0)), "not asked about any longer"
    assert not down(*(glimpse(at / 2, "lying") for at in range(4)), glimpse(2.0, run=2))


def test_what_people_did_in_the_normal_footage_is_told_later_and_why() -> None:
    moments = [glimpse(at / 2, "crouching") for at in range(5)]
    known = fit_postures(moments)
    assert known.longest_s == {"crouching": 2.0}
    assert (known.threshold_s("crouching"), known.threshold_s("lying")) == (4.0, 1.0)
    (why,) = known.why
    assert why.startswith("crouching is told from 4 s on: somebody did so for 2.0 s")
    assert fit_postures([glimpse(0.0, "upright")]).why == ()


SETTINGS = NormalitySettings(flow_width_px=320)
WALKER = Rectangle(200, 60.0, start_px=150)


class Standing(BrightThings):
    """Finds who stands, and loses who lies."""

    def detect(self, picture: Pixels) -> list[BrightThing]:
        return [one for one in super().detect(picture) if 3 * (one.box_norm[2] - one.box_norm[0]) < 0.6]


def falls() -> Iterable[Pixels]:
    walk = list(drawn((WALKER, Rectangle(20, 30.0)), 8.0))
    ground = next(iter(drawn((), 0.1)))
    for at, picture in enumerate(walk):
        if at < 40:
            yield picture
            continue
        lying, left = picture.copy(), round(WALKER.left_px(4.0, 640)) // 2
        lying[90:160] = ground[90:160]
        body = walk[40][100:148, left : left + 22]
        lying[126:148, left : left + 48] = cv2.rotate(body, cv2.ROTATE_90_CLOCKWISE)
        yield lying


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    things = (WALKER, Rectangle(20, 30.0))
    return fit(windows_of(drawn(things, 14.0)), SETTINGS, learned_at=now, detector=Standing(), pose=FakePose())


def lying(windows: Sequence[ObservedWindow]) -> list[float]:
    return [w.window.end_s for w in windows if any(m.name == "lying" for m in w.measurements)]


def test_who_falls_and_is_lost_by_the_detector_is_told_to_lie(calibration: Calibration) -> None:
    assert calibration.postures == KnownPostures()
    observer = EmbeddedObserver(SETTINGS, calibration, Standing(), pose=FakePose())
    glimpses, windows = [], []
    for window in windows_of(falls()):
        windows.append(observer.observe(window))
        glimpses.append(observer.glimpses)
    told = lying(windows)
    assert 5.0 <= told[0] <= 6.5
    one = next(m for m in windows[-1].measurements if m.name == "lying")
    assert one.score >= one.threshold
    assert one.box_norm is not None
    assert one.box_norm[2] - one.box_norm[0] > one.box_norm[3] - one.box_norm[1]
    again = EmbeddedObserver(SETTINGS, calibration, Standing())
    recalled = [again.recall(w.window, taken) for w, taken in zip(windows, glimpses, strict=True)]
    assert lying(recalled) == told, "what was taken in tells the same"


def test_without_a_pose_model_or_a_calibration_that_knows_of_it_nothing_is_told(calibration: Calibration) -> None:
    for known, pose in ((calibration, None), (calibration.model_copy(update={"postures": None}), FakePose())):
        observer = EmbeddedObserver(SETTINGS, known, Standing(), pose=pose)
        assert not lying([observer.observe(window) for window in windows_of(falls())])


def test_what_normal_footage_had_for_as_long_is_not_told(calibration: Calibration) -> None:
    known = replace_postures(calibration, KnownPostures(longest_s={"lying": 5.0}))
    observer = EmbeddedObserver(SETTINGS, known, Standing(), pose=FakePose())
    assert not lying([observer.observe(window) for window in windows_of(falls())])
    assert any("lying is told from 10 s on" in why for why in known.reservations)


def replace_postures(calibration: Calibration, known: KnownPostures) -> Calibration:
    return calibration.model_copy(update={"postures": known})
