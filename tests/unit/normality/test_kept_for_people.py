"""What a calibration keeps for people to look at, from the footage to the file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from streamproc.config import NormalitySettings
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit, fit_recorded
from streamproc.normality.recording import Recorded, record
from streamproc.testing_footage import BrightThing, BrightThings, Pixels, Rectangle, drawn, windows_of

SETTINGS = NormalitySettings(flow_width_px=320)
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
WALKERS = (Rectangle(100, 40.0), Rectangle(200, 55.0, start_px=300), Rectangle(340, 70.0, start_px=150))


class Feels(BrightThings):
    """Feels the picture's own colours."""

    def look(self, picture: Pixels) -> tuple[Sequence[BrightThing], npt.NDArray[np.float32] | None]:
        small = cv2.resize(picture, (80, 60), interpolation=cv2.INTER_AREA)
        return self.detect(picture), np.asarray(small, np.float32)


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return record(windows_of(drawn(WALKERS, 14.0)), SETTINGS, Feels())


@pytest.fixture(scope="module")
def calibration(recorded: Recorded) -> Calibration:
    return fit_recorded(recorded, SETTINGS, learned_at=NOW)


def test_looks_are_kept_with_the_picture_they_were_at(recorded: Recorded) -> None:
    looks = [one.look for window in recorded.windows for one in window if one.look is not None]
    assert len(recorded.looks) == len(looks) > 20
    for kept in recorded.looks[1:]:
        rows, columns = np.divmod(kept.texture.cells, kept.texture.grid[1])
        there = kept.grey[rows * 4 + 2, columns * 4 + 2].astype(np.float32)
        felt = kept.texture.features.astype(np.float32).mean(axis=1)
        assert np.abs(there - felt).mean() < 12


def test_examples_show_what_moved_and_not_the_ground(calibration: Calibration, recorded: Recorded) -> None:
    assert calibration.memory is not None
    assert calibration.examples is not None
    assert 20 <= len(calibration.examples.tiles) <= 60
    assert np.mean([tile.max() for tile in calibration.examples.tiles]) > recorded.background.max() + 30


def test_traffic_is_where_the_walkers_went(calibration: Calibration) -> None:
    assert calibration.traffic is not None
    down = calibration.traffic.array.max(axis=1)
    walked = down > 0.02
    # They are 96 high of 480, from 100, 200 and 340 on; what is between them and below was never entered.
    assert walked[[5, 9, 14]].all()
    assert not walked[[0, 1, 17]].any()


def test_without_a_detector_that_feels_there_are_no_examples() -> None:
    calibration = fit(windows_of(drawn(WALKERS, 12.0)), SETTINGS, learned_at=NOW, detector=BrightThings())
    assert calibration.examples is None
    assert calibration.traffic is not None
