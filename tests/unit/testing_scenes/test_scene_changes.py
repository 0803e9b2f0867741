"""Footage changed as a whole: its length, its size and what the change claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
import pytest

from streamproc.testing_footage import Pixels, Rectangle, drawn
from streamproc.testing_scenes import lens, light, pace, weather

Change = Callable[[Sequence[Pixels]], Iterable[Pixels]]
CHANGES: dict[str, Change] = {
    "backwards": pace.backwards,
    "times": lambda p: light.times(p, 0.7),
    "dims": light.dims,
    "switched": light.switched,
    "night": light.night,
    "headlights": light.headlights,
    "clouds": light.clouds,
    "neon": light.neon,
    "rain": weather.rain,
    "snow": weather.snow,
    "noisy": lens.noisy,
    "compressed": lens.compressed,
    "shaken": lens.shaken,
    "swaying": lens.swaying,
    "re-aimed": lambda p: lens.re_aimed(p, at=5),
    "covered": lambda p: lens.covered(p, at=5, until=25),
    "defocused": lambda p: lens.defocused(p, at=5),
}


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    return list(drawn([Rectangle(150, 90.0)], 3.0))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_the_form_alters_something_and_is_the_same_each_time(name: str, pictures: list[Pixels]) -> None:
    before = [picture.copy() for picture in pictures]
    changed = list(CHANGES[name](pictures * 8 if name in ("dims", "switched") else pictures))
    assert [p.shape for p in changed] == [(240, 320, 3)] * len(changed)
    assert all(p.dtype == np.uint8 for p in changed)
    assert len(changed) in (len(pictures), 8 * len(pictures))
    assert any(not np.array_equal(new, old) for new, old in zip(changed, pictures * 8, strict=False))
    again = list(CHANGES[name](pictures * 8 if name in ("dims", "switched") else pictures))
    assert all(np.array_equal(one, two) for one, two in zip(changed, again, strict=True))
    assert all(np.array_equal(one, two) for one, two in zip(before, pictures, strict=True)), "the footage was altered"


def test_pace_keeps_what_it_promises(pictures: list[Pixels]) -> None:
    def numbers(made: Iterable[Pixels]) -> list[int]:
        return [next(at for at, one in enumerate(pictures) if one is picture) for picture in made]

    assert numbers(pace.backwards(pictures)) == list(range(29, -1, -1))
    assert numbers(pace.looped(pictures, 2)) == [*range(30), *range(30)]
    assert numbers(pace.cut(pictures, piece=4, gap=6)) == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    assert numbers(pace.faster(pictures, 3)) == list(range(0, 30, 3))


def test_dropped_pictures_leave_the_others_their_times(pictures: list[Pixels]) -> None:
    many = pictures * 20
    scene = pace.dropped(many, share=0.3)
    kept = list(scene.pictures)
    assert scene.times_s is not None
    assert len(kept) == len(scene.times_s)
    assert 0.15 < 1 - len(kept) / len(many) < 0.4
    assert all(many[round(at * 10)] is picture for at, picture in zip(scene.times_s, kept, strict=True))


def test_light_is_what_it_is_called(pictures: list[Pixels]) -> None:
    mean = float(np.mean(pictures[0]))
    assert float(np.mean(next(light.times(pictures, 0.7)))) == pytest.approx(0.7 * mean, abs=1)
    out = list(light.switched(pictures, at=(10, 20), gain=0.5))
    levels = [float(np.mean(picture)) / mean for picture in out]
    assert levels[9] > 0.9 > 0.6 > levels[10]
    assert levels[19] < 0.6 < 0.9 < levels[20]
    dark = list(light.night(pictures))
    assert float(np.mean(dark[3])) < 0.35 * mean
    assert float(np.std(dark[3].astype(float) - dark[4])) > 5, "night is noisy"


def test_headlights_sweep_over_the_ground_from_left_to_right(pictures: list[Pixels]) -> None:
    made = list(light.headlights(pictures * 2, sweep=30, pause=10))
    glow = [cv2.GaussianBlur(p[..., 0].astype(np.float32), (0, 0), 15) for p in made]
    brightest = [int(np.argmax(g.max(axis=0))) for g in glow]
    assert brightest[10] < brightest[15] < brightest[20]
    assert float(glow[15].max()) > 2 * float(glow[35].max())


def test_the_camera_changes_when_it_is_told_to(pictures: list[Pixels]) -> None:
    aimed = list(lens.re_aimed(pictures, at=10, shift=0.1, degrees=0, zoom=1))
    assert np.array_equal(aimed[9], pictures[9])
    still = np.abs(aimed[20][30:100, 40:250].astype(int) - pictures[20][30 - 19 : 100 - 19, 40 - 32 : 250 - 32])
    assert float(np.mean(still)) < 3, "moved by a tenth of the width, and .6 of that down"
    covered = list(lens.covered(pictures, at=5, until=25))
    assert np.array_equal(covered[5], pictures[5])
    assert float(covered[15].max()) < 30
    assert np.array_equal(covered[25], pictures[25])

    def sharp(picture: Pixels) -> float:
        return float(cv2.Laplacian(picture[..., 1], cv2.CV_32F).var())

    blurred = list(lens.defocused(pictures, at=5))
    assert sharp(blurred[5]) > 0.99 * sharp(pictures[5])
    assert sharp(blurred[20]) < 0.05 * sharp(pictures[20])


def test_shaking_is_as_strong_as_it_is_called(pictures: list[Pixels]) -> None:
    shaken = list(lens.shaken(pictures[:1] * 30, sigma_px=2.0))
    found = [cv2.phaseCorrelate(*(p[..., 1].astype(np.float32) for p in (shaken[0], one)))[0][0] for one in shaken[1:]]
    assert 1.0 < float(np.std(found)) < 3.5


@pytest.mark.parametrize(("height", "size"), [(120, (120, 160)), (1080, (1080, 1440))])
def test_other_sizes_keep_the_shape(height: int, size: tuple[int, int], pictures: list[Pixels]) -> None:
    assert next(lens.scaled(pictures, height)).shape == (*size, 3)


def test_compression_loses_detail_and_no_picture(pictures: list[Pixels]) -> None:
    made = list(lens.compressed(pictures * 7))
    assert len(made) == 210
    lost = [float(np.mean(np.abs(one.astype(int) - two))) for one, two in zip(made, pictures * 7, strict=True)]
    assert 1.5 < float(np.median(lost)) < 15


def test_grey_has_no_colour_and_rain_none_of_its_own(pictures: list[Pixels]) -> None:
    coloured = [np.dstack([p[..., 0], p[..., 1] // 2, p[..., 2] // 3]) for p in pictures]
    grey = next(lens.grey(coloured))
    assert np.ptp(grey.astype(int), axis=2).max() == 0
    streaks = [np.abs(a.astype(int) - b) for a, b in zip(weather.rain(pictures[:1] * 2), pictures[:1] * 2, strict=True)]
    assert float(np.mean(streaks[0] != streaks[1])) > 0.005, "other streaks in each picture"
