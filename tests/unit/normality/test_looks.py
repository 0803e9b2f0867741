"""Where pictures come too seldom for motion, looks alone are judged, by what two in a row agree on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from streamproc.config import NormalitySettings
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit
from streamproc.normality.observer import EmbeddedObserver
from streamproc.testing_footage import BrightThing, BrightThings, Pixels, Rectangle, drawn, windows_of
from streamproc.types import ObservedWindow

SETTINGS = NormalitySettings(flow_width_px=320)
WALKERS = (Rectangle(100, 40.0), Rectangle(200, 55.0, start_px=300), Rectangle(340, 70.0, start_px=150))


class Feels(BrightThings):
    """Tells the detector's boxes, and of each place its mean colour."""

    def look(self, picture: Pixels) -> tuple[list[BrightThing], npt.NDArray[np.float32]]:
        small = cv2.resize(picture, (40, 30), interpolation=cv2.INTER_AREA).astype(np.float32)
        return self.detect(picture), np.asarray(small, np.float32)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    windows = [w for run in range(2) for w in windows_of(drawn(WALKERS, 20.0, start_s=9.0 * run), run=run + 1)]
    return fit(windows, SETTINGS, learned_at=datetime(2026, 11, 21, tzinfo=UTC), detector=Feels())


def red(pictures: Iterable[Pixels], first: int, end: int) -> Iterable[Pixels]:
    """What is bright is red in the pictures from ``first`` to ``end``."""
    for index, picture in enumerate(pictures):
        if first <= index < end:
            picture[..., 1:][picture[..., 1] > 150] = 20
        yield picture


def seen(calibration: Calibration, pictures: Iterable[Pixels]) -> list[ObservedWindow]:
    observer = EmbeddedObserver(SETTINGS, calibration, Feels())
    return [observer.observe(window) for window in windows_of(pictures, fps=1.0)]


def odd(windows: list[ObservedWindow]) -> list[int]:
    return [i for i, window in enumerate(windows) if any(m.score >= m.threshold for m in window.measurements)]


def test_what_looks_like_nothing_before_is_told_at_a_picture_a_second(calibration: Calibration) -> None:
    assert calibration.looks is not None
    windows = seen(calibration, red(drawn(WALKERS, 12.0, fps=1.0, start_s=40), 4, 8))
    assert all(window.not_judged[0] == "speed: 1 frame/s, needs 5" for window in windows[1:])
    found = odd(windows)
    assert found, "two pictures in a row"
    assert set(found) <= {5, 6, 7}
    (measured,) = windows[found[0]].measurements
    assert (measured.name, measured.threshold) == ("appearance", calibration.looks.threshold)
    assert measured.box_norm is not None
    assert all(track.speed is None for track in windows[found[0]].tracks)


def test_a_single_picture_and_more_of_the_same_are_quiet(calibration: Calibration) -> None:
    assert odd(seen(calibration, red(drawn(WALKERS, 8.0, fps=1.0, start_s=40), 4, 5))) == []
    assert odd(seen(calibration, drawn(WALKERS, 20.0, fps=1.0, start_s=60))) == []


def test_without_a_level_of_their_own_looks_are_not_judged(calibration: Calibration) -> None:
    without = calibration.model_copy(update={"looks": None})
    assert not any(window.measurements for window in seen(without, red(drawn(WALKERS, 8.0, fps=1.0), 2, 8))[1:])


def test_looks_that_were_learned_with_another_detector_are_said_not_to_be_measured(calibration: Calibration) -> None:
    detector = Feels()
    detector.revision = "2"
    observer = EmbeddedObserver(SETTINGS, calibration, detector)
    window = [observer.observe(one) for one in windows_of(drawn(WALKERS, 2.0))][-1]
    assert window.not_judged == ("appearance: learned with another detector; learn anew with `streamproc induce`",)
    assert window.measurements, "speed is judged all the same"
    ours = EmbeddedObserver(SETTINGS, calibration, Feels())
    assert [ours.observe(one) for one in windows_of(drawn(WALKERS, 2.0))][-1].not_judged == ()
