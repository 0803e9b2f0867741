"""The camera's own motion is taken out, however many people move; and what cannot be taken out is said."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamproc.normality.shake import Shake, Shift, Sway, background_shift, most_rest, steadied


def scene(
    across: float = 0.0, down: float = 0.0, walked: float = 0.0
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    rng = np.random.default_rng(5)
    ground = cv2.GaussianBlur(rng.integers(0, 256, (288, 384)).astype(np.float32), (0, 0), 3)
    ground = (ground - ground.min()) * (255 / np.ptp(ground))
    left = 100 + walked
    person = cv2.warpAffine(ground[::-1], np.array([[1, 0, left], [0, 1, 0]], np.float32), (384, 288))
    ground[100:180, 100 + round(walked) : 150 + round(walked)] = person[
        100:180, 100 + round(walked) : 150 + round(walked)
    ]
    matrix = np.array([[1, 0, across], [0, 1, down]], np.float32)
    return np.asarray(cv2.warpAffine(ground, matrix, (384, 288), borderMode=cv2.BORDER_REFLECT), np.uint8)


def mask(walked: float) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    found = np.zeros((288, 384), np.bool_)
    found[100:180, 100 + round(walked) : 150 + round(walked)] = True
    return found


@pytest.mark.parametrize(("across", "down"), [(0.0, 0.0), (0.6, -0.4), (-2.0, 1.5), (3.6, 3.6)])
def test_a_shaken_picture_gives_its_shift_and_the_walker_keeps_her_speed(across: float, down: float) -> None:
    meter = cv2.DISOpticalFlow.create(cv2.DISOpticalFlow_PRESET_FAST)
    flow = -meter.calc(scene(across, down, walked=3.0), scene(), None)
    shift = background_shift(flow, mask(3.0))
    assert shift is not None
    assert (shift.across, shift.down) == pytest.approx((across, down), abs=0.15)
    still = -meter.calc(scene(walked=3.0), scene(), None)
    walker, as_it_was = (each[120:160, 115:140].mean(axis=(0, 1)) for each in (steadied(flow, shift), still))
    assert walker == pytest.approx(as_it_was, abs=0.2)
    assert as_it_was[0] > 2.0
    assert shift.rest < 1.0


def test_a_crowd_is_not_the_camera() -> None:
    flow = np.zeros((288, 384, 2), np.float32)
    crowd = np.ones((288, 384), np.bool_)
    crowd[:, :100] = False
    flow[crowd] = (20.0, 0.0)
    shift = background_shift(flow, crowd)
    assert shift == Shift(0.0, 0.0, 0.0)
    crowd[:, :90] = True
    assert background_shift(flow, np.ones_like(crowd)) is None


def test_what_cannot_be_taken_out_is_what_is_left() -> None:
    y, x = np.mgrid[0:288, 0:384].astype(np.float32)
    turned = np.stack([-(y - 144), x - 192], axis=-1) * np.float32(0.1)
    shift = background_shift(turned, np.zeros((288, 384), np.bool_))
    assert shift is not None
    assert shift.rest == pytest.approx(22.0, rel=0.1)


def test_too_much_shake_is_said_while_it_lasts() -> None:
    shake = Shake(most_px_s=most_rest(np.full((10, 10), 60.0, np.float32)))
    calm, wild = Shift(30.0, -5.0, 9.0), Shift(3.0, 1.0, 60.0)
    assert [shake.add(calm, 0.1) for _ in range(20)] == [None] * 20
    assert shake.add(wild, 0.1) is None, "a single jerk"
    said = [shake.add(wild, 0.1) for _ in range(20)]
    assert said[-1] == "the camera shakes too much"
    assert shake.add(None, 0.1) == said[-1], "nothing is known of this moment"
    assert [shake.add(calm, 0.1) for _ in range(40)][-1] is None
    shake.reset()
    assert shake.add(calm, 0.0) is None


def test_where_a_camera_is_lately_beside_its_place() -> None:
    sway = Sway()
    assert sway.slack_px == 0
    for step in (2.0, -2.0) * 5:
        sway.add(step, 0.0, 0.1)
    assert sway.slack_px == 2
    sway.add(3.0, 0.0, 0.1)
    assert sway.slack_px == 3
    for _ in range(50):
        sway.add(0.0, 0.0, 0.1)
    assert sway.slack_px == 2, "it stands elsewhere"
    for _ in range(200):
        sway.add(0.0, 0.0, 0.1)
    assert sway.slack_px == 0, "that is its place now"
    sway.add(50.0, 0.0, 0.1)
    assert sway.slack_px == 4, "another view is not explained away"
    sway.reset()
    assert sway.slack_px == 0


def test_once_it_was_moved_nothing_is_judged_until_the_view_had_time_to_tell() -> None:
    shake = Shake(most_px_s=100.0, far_px=10.0)
    assert [shake.add(Shift(60.0 * way, 0.0, 9.0), 0.1) for way in (1, -1) * 5] == [None] * 10, "it shakes"
    said = [shake.add(Shift(30.0, 30.0, 9.0), 0.1) for _ in range(3)]
    assert said == [None, None, "the camera was moved a moment ago"]
    still = [shake.add(Shift(0.0, 0.0, 9.0), 0.1) for _ in range(150)]
    assert still[40] is not None
    assert still[-1] is None
    shake.add(Shift(300.0, 0.0, 9.0), 0.1)
    shake.reset()
    assert shake.why_not is None
