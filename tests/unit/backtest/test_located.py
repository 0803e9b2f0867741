"""Whether the place that is named lies on what is masked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamproc.backtest.labels import Recording
from streamproc.backtest.located import ALERT, Located, Locating, on_mask
from streamproc.errors import ConfigError
from streamproc.replay import Judged
from streamproc.testing_alerts import verdict_at
from streamproc.testing_deduction import observed, speed
from streamproc.types import Box, DetectedObject, Measurement

RECORDING = Recording(Path("a.mp4"), tuple(i / 10 for i in range(100)))
ON: Box = (0.5, 0.5, 0.7, 0.7)
OFF: Box = (0.1, 0.1, 0.2, 0.2)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Frame 20 has a mask: what lies between 100 and 140 px of 200, across and down."""
    mask = np.zeros((200, 200), np.uint8)
    mask[100:140, 100:140] = 255
    (tmp_path / "a").mkdir()
    Image.fromarray(mask).save(tmp_path / "a" / "020.png")
    return tmp_path


def test_the_centre_may_lie_a_little_beside_the_mask() -> None:
    mask = np.zeros((200, 200), bool)
    mask[100:140, 100:140] = True
    assert on_mask(ON, mask) == (True, True)
    assert on_mask(OFF, mask) == (False, False)
    assert on_mask((0.40, 0.5, 0.52, 0.6), mask) == (True, True)  # its centre 8 px to the left of it
    assert on_mask((0.38, 0.5, 0.52, 0.6), mask) == (False, True)
    assert on_mask((0.46, 0.5, 0.47, 0.6), mask) == (True, False)
    assert on_mask((0.99, 0.99, 1.0, 1.0), mask) == (False, False)


def judged(*measurements: Measurement, alarm: bool = True, objects: tuple[Box, ...] = ()) -> Judged:
    verdict = replace(
        verdict_at(2.0, alarm=alarm), objects=tuple(DetectedObject("person", box, 0.9) for box in objects)
    )
    return Judged(observed(2.0, measurements=measurements), verdict, 0.5)


def test_an_alert_is_where_its_first_object_is_else_where_most_stands_out(masks: Path) -> None:
    locating = Locating(masks)
    locating.heed(RECORDING, 2.0, judged(objects=(ON, OFF)))
    locating.heed(RECORDING, 2.0, judged(objects=(OFF, ON)))
    locating.heed(RECORDING, 2.0, judged(speed(0.9, box_norm=OFF), speed(1.2, box_norm=ON)))
    locating.heed(RECORDING, 2.0, judged(speed(0.9, box_norm=None)))
    assert locating.found[ALERT] == Located(pictures=4, centre=2, overlap=2, unplaced=1)
    assert locating.found["speed"] == Located(pictures=2, centre=1, overlap=1, unplaced=1)
    assert str(locating.found[ALERT]) == (
        "centre on the object (or 8 px beside it) in 50.0% of 4 pictures, box touches it in 50.0%, none named in 1"
    )


def test_only_pictures_in_alarm_that_have_a_mask_count(masks: Path) -> None:
    locating = Locating(masks)
    locating.heed(RECORDING, 2.0, judged(speed(0.6, box_norm=ON), alarm=False, objects=(ON,)))
    locating.heed(RECORDING, 2.1, judged(speed(0.9, box_norm=ON), objects=(ON,)))
    locating.heed(RECORDING, 2.0, Judged(observed(2.0, measurements=[speed(0.9, box_norm=ON)]), None, 0.5))
    assert locating.found == {ALERT: Located(), "speed": Located(1, 1, 1, 0)}
    assert str(locating.found[ALERT]) == "no picture in alarm has a mask"


def test_mistakes_are_told(masks: Path) -> None:
    with pytest.raises(ConfigError, match=r"--masks .* is no folder"):
        Locating(masks / "no")
    (masks / "a" / "021.png").write_text("no picture")
    with pytest.raises(ConfigError, match=r"021\.png cannot be read as a mask"):
        Locating(masks).heed(RECORDING, 2.1, judged(objects=(ON,)))
