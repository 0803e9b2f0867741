"""The picture of a calibration: what is where, and that it is there whatever the calibration lacks."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from streamproc.errors import ConfigError
from streamproc.normality.arrays import Packed
from streamproc.normality.calibration import Calibration
from streamproc.normality.crowding import CrowdingModel
from streamproc.normality.dwell import PLACES, DwellModel
from streamproc.normality.learned import LearnedScene
from streamproc.normality.picture import packed
from streamproc.normality.place import RowPlace
from streamproc.showing import panels
from streamproc.showing.page import drawn, write
from streamproc.showing.panels import examples_map, speed_map, stays_map, traffic_map

REAL = Calibration.load(Path(__file__).parents[2] / "integration" / "site" / "rules" / "two.normality.json")
TITLE_PX, WIDE_PX, HIGH_PX = 34, 600, 450


def changed(**changes: Any) -> Calibration:
    return REAL.model_copy(update={"background": packed(np.full((288, 384), 100, np.uint8)), **changes})


def inside(panel: Image.Image) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The map without title and legend."""
    return np.asarray(panel, np.float32)[TITLE_PX : TITLE_PX + HIGH_PX]


def scene(longest_s: dict[int, float], why_not: str = "") -> LearnedScene:
    field = tuple(longest_s.get(place, 0.0) for place in range(PLACES[0] * PLACES[1]))
    dwell = DwellModel(why_not=why_not) if why_not else DwellModel(longest_s=field, observed_s=30.0)
    return LearnedScene(view=None, dwell=dwell, crowding=CrowdingModel(why_not="nobody"))


def test_speed_changes_its_colour_down_the_picture_and_is_pale_where_nothing_moved() -> None:
    moved = np.zeros((18, 24), np.float16)
    moved[:, :12] = 0.5
    place = RowPlace(top_px_s=10.0, bottom_px_s=100.0, least_px_s=1.0)
    shown = inside(speed_map(changed(traffic=Packed.of(moved), place=place)))
    left, right = shown[:, 20:30].mean(axis=1), shown[:, 320:330].mean(axis=1)
    colour = np.ptp(left, axis=1)
    assert np.abs(left[20] - left[-20]).sum() > 100
    assert np.median(colour) > 1.5 * np.median(np.ptp(right, axis=1))


def test_lines_of_equal_speed_are_where_that_speed_is() -> None:
    place = RowPlace(top_px_s=0.0, bottom_px_s=60.0, least_px_s=1.0)
    shown = inside(speed_map(changed(place=place, picture_px=(384, 288), flow_px=(384, 288), traffic=None)))
    rows = np.flatnonzero(shown[:, 300].min(axis=1) > 230)
    assert len(rows) == 5
    assert rows == pytest.approx([HIGH_PX * at / 60 for at in (10, 20, 30, 40, 50)], abs=3)


def test_a_speed_that_is_the_same_everywhere_has_no_lines() -> None:
    place = RowPlace(top_px_s=50.0, bottom_px_s=50.0, least_px_s=1.0)
    assert np.ptp(inside(speed_map(changed(place=place, traffic=None))), axis=(0, 1)).max() == 0


def test_lines_have_round_numbers() -> None:
    assert panels._levels(5.2, 14.8) == [6, 8, 10, 12, 14]
    assert panels._levels(25, 221) == [40, 60, 80, 100, 120, 140, 160, 180, 200]
    assert panels._levels(7, 7) == []


def test_traffic_is_bright_where_things_move_and_the_ground_where_they_never_do() -> None:
    moved = np.zeros((18, 24), np.float16)
    moved[9, 3] = 0.4
    shown = inside(traffic_map(changed(traffic=Packed.of(moved))))
    at = (round(9.5 * HIGH_PX / 18), round(3.5 * WIDE_PX / 24))
    assert shown[at].mean() > 130
    assert shown[at[0], 400].tolist() == shown[20, 20].tolist() == [80.0] * 3  # 100, darkened


def test_stays_are_told_where_they_were() -> None:
    place = 2 * PLACES[0] + 10  # the third row's eleventh
    shown = inside(stays_map(changed(scene=scene({place: 12.0, PLACES[0] * PLACES[1] - 1: 6.0}))))
    assert np.ptp(shown[2 * HIGH_PX // 9 + 5, 10 * WIDE_PX // 12 + 5]) > 20
    assert np.ptp(shown[-5, -5]) > 20
    assert np.ptp(shown[HIGH_PX // 2, WIDE_PX // 2]) == 0


def test_examples_are_shown_the_most_frequent_first() -> None:
    assert REAL.examples is not None
    shown = np.asarray(examples_map(REAL), np.float32)
    first, last = REAL.examples.tiles[0], REAL.examples.tiles[11]
    assert shown[TITLE_PX + 5 : TITLE_PX + 55, 4:40].mean() == pytest.approx(first.mean(), abs=12)
    assert shown[TITLE_PX + 5 : TITLE_PX + 55, 555:588].mean() == pytest.approx(last.mean(), abs=12)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"memory": None, "examples": None, "traffic": None, "scene": None},
        {"scene": scene({}), "traffic": Packed.of(np.zeros((18, 24), np.float16))},
        {"scene": scene({}, why_not="only 3 s of normal footage show what stays; 20 s needed")},
        {"background": packed(np.full((640, 360), 90, np.uint8)), "flow_px": (360, 640), "picture_px": (1080, 1920)},
        {"background": packed(np.full((100, 400), 90, np.uint8)), "flow_px": (400, 100), "picture_px": (400, 100)},
        {"camera_id": "vorplatz-süd-门"},
    ],
)
def test_there_is_a_picture_whatever_the_calibration_lacks(changes: dict[str, Any]) -> None:
    image = drawn(REAL.model_copy(update=changes), "perhaps it is another camera's")
    assert 1700 < image.width < 2000
    assert 500 < image.height < 2600


def test_only_its_owner_can_read_it_and_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "new" / "gate.png"
    write(Image.new("RGB", (4, 4)), path)
    with Image.open(path) as picture:
        assert picture.size == (4, 4)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="cannot be written"):
        write(Image.new("RGB", (4, 4)), tmp_path)
