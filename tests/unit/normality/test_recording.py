"""Footage is taken in up to an end, by its own time, whether or not anything can be measured in it."""

from __future__ import annotations

import numpy as np
import pytest
from structlog.testing import capture_logs

from streamproc.config import NormalitySettings
from streamproc.normality import recording
from streamproc.normality.recording import record
from streamproc.testing_footage import windows_of

SETTINGS = NormalitySettings(flow_width_px=160)


def test_a_night_in_which_nothing_can_be_measured_comes_to_its_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_S", 3.0)
    night = [np.zeros((48, 64, 3), np.uint8)] * 30
    told: list[float] = []
    windows = [*windows_of(night), *windows_of(night, run=2)]
    with capture_logs() as logs:
        recorded = record(windows, SETTINGS, None, progress=told.append)
    assert not any(glimpse.sample for window in recorded.windows for glimpse in window)
    assert told[-1] == pytest.approx(3.8, abs=0.05), "2.9 s of the first, the first second of the second"
    assert len(recorded.windows) == len(told) < len(windows)
    assert [log["event"] for log in logs] == ["calibration_full"]
