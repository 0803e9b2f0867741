"""Motion in px/s, whatever the frame rate; and what cannot be measured is said."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from streamproc.normality.background import Background
from streamproc.normality.flow import FlowMeter, Motion
from streamproc.normality.speed import measure_speed
from streamproc.testing_footage import Pixels, Rectangle, drawn, windows_of
from streamproc.types import Frame

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WALKER = Rectangle(top_px=200, speed_px_s=80.0)
FLOW_PER_PICTURE = 320 / 640


def knowing_the_ground() -> FlowMeter:
    meter = FlowMeter(320)
    meter.add(Frame("c", 0, 0.0, NOW, next(drawn([], 0.1))))
    meter.begin_run()
    return meter


def measured(pictures: list[Pixels], fps: float) -> list[Motion]:
    meter = knowing_the_ground()
    return [meter.add(Frame("c", 1, index / fps, NOW, picture)) for index, picture in enumerate(pictures)]


def speed_of(motion: Motion) -> float:
    sample = measure_speed(motion, 1)
    assert sample is not None
    return float(np.median(sample.speeds))


@pytest.mark.parametrize("fps", [6.0, 10.0, 25.0, 30.0])
def test_speed_is_in_pixels_a_second_at_any_frame_rate(fps: float) -> None:
    windows = list(windows_of(drawn([WALKER], 2.0, fps=fps), fps=fps))
    meter = knowing_the_ground()
    motions = [meter.add(frame) for window in windows for burst in window.bursts for frame in burst]
    speeds = [speed_of(motion) for motion in motions[len(motions) // 2 :]]
    assert np.median(speeds) == pytest.approx(80.0 * FLOW_PER_PICTURE, rel=0.2)


def test_dropped_frames_are_not_speed() -> None:
    pictures = list(drawn([WALKER], 2.0))
    meter = knowing_the_ground()
    kept = [index for index in range(20) if index not in (13, 16)]
    motions = [meter.add(Frame("c", 1, index / 10, NOW, pictures[index])) for index in kept]
    assert max(speed_of(motion) for motion in motions[8:]) < 1.3 * 80.0 * FLOW_PER_PICTURE


def shaken(pictures: list[Pixels], reach_px: float) -> list[Pixels]:
    rng = np.random.default_rng(3)
    moved = []
    for picture in pictures:
        dx, dy = rng.normal(0.0, reach_px, 2)
        matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        moved.append(
            np.asarray(cv2.warpAffine(picture, matrix, (320, 240), borderMode=cv2.BORDER_REFLECT_101), np.uint8)
        )
    return moved


def test_a_shaking_camera_is_not_speed_and_says_how_it_moved() -> None:
    still = measured(list(drawn([WALKER], 1.5)), 10.0)
    motions = measured(shaken(list(drawn([WALKER], 1.5)), 2.0), 10.0)
    for motion in motions[5:]:
        sample = measure_speed(motion, 1)
        assert sample is not None
        fastest = float(np.percentile(sample.speeds, 95))
        assert fastest < 1.2 * 80.0 * FLOW_PER_PICTURE
        assert motion.camera is not None
    moved = [np.hypot(one.camera.across, one.camera.down) for one in motions[5:] if one.camera]
    assert np.median(moved) > 15.0
    assert all(one.camera is not None and np.hypot(one.camera.across, one.camera.down) < 1.0 for one in still[5:])


def test_noise_is_no_shake() -> None:
    rng = np.random.default_rng(4)
    pictures = [
        np.clip(picture * 0.3 + rng.normal(0.0, 9.0, picture.shape), 0, 255).astype(np.uint8)
        for picture in drawn([WALKER], 1.5)
    ]
    cameras = [motion.camera for motion in measured(pictures, 10.0)[5:] if motion.camera]
    assert cameras
    assert all(camera.far == 0.0 < camera.rest for camera in cameras)


def test_velocity_points_where_things_go() -> None:
    motion = measured(list(drawn([WALKER], 1.5)), 10.0)[-1]
    assert motion.velocity is not None
    across, down = motion.velocity[motion.foreground].mean(axis=0)
    assert across > 25
    assert abs(down) < 0.15 * across


def test_the_first_frame_has_no_velocity_and_needs_no_excuse() -> None:
    first = measured(list(drawn([WALKER], 0.1)), 10.0)[0]
    assert (first.velocity, first.why_not) == (None, None)


@pytest.mark.parametrize(("fps", "words"), [(1.0, "1 frame/s, needs 5"), (2.5, "2.5 frames/s, needs 5")])
def test_too_few_frames_are_said(fps: float, words: str) -> None:
    last = measured(list(drawn([WALKER], 3.0, fps=fps)), fps)[-1]
    assert last.velocity is None
    assert last.why_not == words


def test_five_frames_a_second_are_enough() -> None:
    assert measured(list(drawn([WALKER], 1.0, fps=5.0)), 5.0)[-1].velocity is not None


@pytest.mark.parametrize(("fps", "told"), [(10.0, True), (6.0, False)])
def test_how_limbs_swing_is_told_over_a_tenth_of_a_second_alone(fps: float, told: bool) -> None:
    sample = measure_speed(measured(list(drawn([WALKER], 1.0, fps=fps)), fps)[-1], 1)
    assert sample is not None
    assert len(sample.cells)
    assert (sample.spreads is not None) == told


def test_a_dark_picture_is_said() -> None:
    last = measured(list(drawn([WALKER], 1.0, gain=0.08)), 10.0)[-1]
    assert last.velocity is None
    assert last.why_not == "the picture is too dark"


def test_broken_timestamps_are_said() -> None:
    pictures = list(drawn([WALKER], 0.2))
    meter = FlowMeter(320)
    meter.add(Frame("c", 1, 1.0, NOW, pictures[0]))
    assert meter.add(Frame("c", 1, 1.001, NOW, pictures[1])).why_not == "the camera's timestamps do not advance"


def test_another_scene_is_not_motion() -> None:
    pictures = list(drawn([WALKER], 1.0))
    pictures[8:] = [255 - picture for picture in pictures[8:]]
    motions = measured(pictures, 10.0)
    assert motions[8].why_not == "the whole picture changed"
    assert motions[8].moved == 0.0
    assert motions[9].velocity is not None


def test_nothing_before_a_cut_is_compared_with() -> None:
    # Two frames a burst at 25 frames/s: but for the cut, the second one's best neighbour is of the burst before.
    meter = knowing_the_ground()
    pictures = list(drawn([WALKER], 0.4, fps=25.0))
    for index in (0, 1, 5):
        picture = pictures[index] if index < 5 else 255 - pictures[index]
        meter.add(Frame("c", 1, index / 25, NOW, picture))
    after = meter.add(Frame("c", 1, 6 / 25, NOW, 255 - pictures[6]))
    assert after.velocity is not None
    assert np.hypot(*after.velocity.mean(axis=(0, 1))) < 5


def test_a_run_begins_without_a_frame_before() -> None:
    meter = FlowMeter(320)
    pictures = list(drawn([WALKER], 0.2))
    meter.add(Frame("c", 1, 0.0, NOW, pictures[0]))
    meter.begin_run()
    first = meter.add(Frame("c", 2, 0.1, NOW, pictures[1]))
    assert (first.velocity, first.why_not, first.elapsed_s) == (None, None, 0.0)


def test_what_becomes_known_while_it_runs_is_the_ground_of_the_next_run() -> None:
    ground, dark = np.full((60, 80), 120.0, np.float32), np.full((60, 80), 120.0, np.float32)
    dark[20:40, 30:50] = 40.0
    background = Background()
    background.foreground(dark, 0.1)  # begins while something stands there
    assert not background.foreground(dark, 0.1).any()
    background.know(ground)
    background.begin_run()
    assert not background.foreground(ground, 0.1).any(), "it has gone, and leaves no hole"
    assert background.foreground(dark, 0.1)[25:35, 35:45].all()


def test_who_stood_long_before_what_is_known_leaves_no_hole() -> None:
    ground = next(drawn([], 0.1))[..., 0].astype(np.float32)
    somebody = ground.copy()
    somebody[60:90, 50:70] += 40
    begun, watched = Background(ground), Background()
    watched.know(ground)
    for background in (begun, watched):
        for _ in range(150):
            background.foreground(somebody, 0.1)
    assert begun.foreground(ground, 0.1)[62:88, 52:68].all(), "what is only begun with is forgotten in time"
    assert not watched.foreground(ground, 0.1).any()
    somebody[60:90, 50:70] -= 80
    assert watched.foreground(somebody, 0.1)[62:88, 52:68].all(), "what is neither known nor was there"


@pytest.mark.parametrize("light", ["sinks", "falls in from the side", "shadow"])
def test_in_another_light_what_was_known_hides_nothing(light: str) -> None:
    """Whatever its brightness: as bright as the place once was, too."""
    ground = next(drawn([], 0.1))[..., 0].astype(np.float32)
    across = np.linspace(0.6, 1.25, ground.shape[1], dtype=np.float32)
    if light == "shadow":
        across = np.where(np.arange(ground.shape[1]) < ground.shape[1] // 4, 0.65, 1.0).astype(np.float32)
    evening = ground * (0.6 if light == "sinks" else across)
    background = Background()
    background.know(ground)
    for _ in range(600):
        background.foreground(evening, 0.1)
    assert not background.renewed
    for left in range(10, 60, 10):
        for brighter in (-60.0, -45.0, 30.0, 35.0, 50.0, 60.0, 75.0):
            picture = evening.copy()
            picture[60:90, left : left + 20] += brighter
            # Looked at by a copy, so that what is tried does not join the background of what follows.
            found = copy.deepcopy(background).foreground(picture, 0.1)
            assert found[62:88, left + 2 : left + 18].all(), (left, brighter)


def test_exposure_is_not_foreground() -> None:
    ground = next(drawn([], 0.1))[..., 0].astype(np.float32)
    background = Background()
    background.foreground(ground, 0.1)
    assert background.foreground(ground * 0.85, 0.1).mean() < 0.001
    assert not background.renewed
    ground[60:90, 50:70] += 60
    found = background.foreground(ground * 0.85, 0.1)
    assert not background.renewed
    assert found[62:88, 52:68].all()
    assert found.mean() < 0.02


def test_what_cannot_get_any_brighter_does_not_stand_out() -> None:
    ground = next(drawn([], 0.1))[..., 0].astype(np.float32)
    ground[60:90, 50:70] = 240.0
    background = Background()
    background.foreground(ground, 0.1)
    assert background.foreground(np.minimum(ground * 1.5, 255.0), 0.1).mean() < 0.001


def test_what_a_shaking_camera_shows_beside_its_place_does_not_stand_out() -> None:
    ground = next(drawn([], 0.1))[..., 0].astype(np.float32)
    ground[60:90, 50:70] += 60
    moved = np.roll(ground, 2, axis=1)
    moved[150:190, 200:220] += 90
    background = Background()
    background.foreground(ground, 0.1)
    assert background.foreground(moved, 0.1)[60:90, 45:75].any()
    found = background.foreground(moved, 0.1, slack_px=2)
    assert not found[60:90, 45:75].any()
    assert found[154:186, 204:216].mean() > 0.9


def test_once_a_camera_shook_the_ground_is_looked_for_a_little_around_its_place() -> None:
    def standing_out(reach_px: float) -> float:
        picture = next(drawn([], 0.1))
        picture[:, ::20] = picture[:, 1::20] = 240
        meter = FlowMeter(320)
        meter.add(Frame("c", 1, 0.0, NOW, picture))
        shares = [
            meter.add(Frame("c", 1, (1 + index) / 10, NOW, one)).foreground.mean()
            for index, one in enumerate(shaken([picture] * 30, reach_px))
        ]
        return float(np.mean(shares[10:]))

    assert standing_out(0.0) < 0.001
    assert standing_out(1.5) < 0.03, "a tenth of the picture otherwise"


def test_while_it_shakes_the_background_follows_as_ever() -> None:
    ground = next(drawn([], 0.1))[..., 0].astype(np.float32)
    ground[60:90, 50:70] += 60
    background = Background()
    background.foreground(ground, 0.1)
    moved = np.roll(ground, 2, axis=1)
    for _ in range(150):
        assert not background.foreground(moved, 0.1, slack_px=2)[:, 4:].any()
    assert not background.foreground(moved, 0.1)[:, 4:].any()


def test_what_stays_becomes_background_and_what_passes_does_not() -> None:
    ground = next(drawn([], 0.1))[..., 0].astype(np.float32)
    thing = ground.copy()
    thing[60:90, 50:70] += 40
    background = Background()
    background.foreground(ground, 0.1)
    assert background.foreground(thing, 0.1).any()
    assert not background.foreground(ground, 0.1).any()
    for _ in range(100):
        found = background.foreground(thing, 0.1)
    assert not found.any()


def test_where_nothing_moves_no_place_has_a_speed() -> None:
    sample = measure_speed(measured(list(drawn([], 0.5)), 10.0)[-1], 1)
    assert sample is not None
    assert len(sample.cells) == len(sample.vectors) == 0
