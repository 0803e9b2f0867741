"""The strongest moments of a recording, and the picture that shows them."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamproc.backtest.sheet import MOST_CLIPS, Sheet
from streamproc.backtest.strongest import PICTURE_PX, Strongest
from streamproc.errors import ConfigError
from streamproc.replay import Judged
from streamproc.testing_alerts import verdict_at
from streamproc.testing_deduction import speed
from streamproc.types import Frame, Measurement, ObservedWindow, Window

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)


def judged(at_s: float, score: float, smoothed: float = 1.0, *, alarm: bool = True, stands_out: float = 0.0) -> Judged:
    picture = np.full((120, 160, 3), 90, np.uint8)
    window = Window("gate", 1, 0, ((Frame("gate", 1, at_s, AT, picture),),))
    measurements: tuple[Measurement, ...] = (speed(stands_out, threshold=1.0),) if stands_out else ()
    verdict = replace(verdict_at(at_s, alarm=alarm), score=score, smoothed=smoothed)
    return Judged(ObservedWindow(window, (), measurements, 0.1), verdict, 0.5)


def best(*given: Judged) -> list[float]:
    strongest = Strongest()
    for one in given:
        strongest.add(one.observed.window.end_s, one)
    return [moment.at_s for moment in strongest.best()]


def test_six_moments_that_are_apart_in_time_order() -> None:
    given = [judged(i / 5, score=0.1 + i / 100) for i in range(50)]
    found = best(*given)
    assert len(found) == 6
    assert found[-1] == 9.8
    assert found == sorted(found)
    assert min(b - a for a, b in itertools.pairwise(found)) >= 1.0 - 1e-6


def test_of_two_that_are_near_the_stronger_is_shown() -> None:
    assert best(judged(0.9, 0.8), judged(1.1, 0.9), judged(2.1, 0.7)) == [1.1, 2.1]


def test_strong_is_what_is_so_itself_and_raised_an_alarm() -> None:
    strong, glitch, lingers = judged(0.5, 0.8, 0.8), judged(3.5, 1.0, 0.3), judged(6.5, 0.1, 0.9)
    rest = [judged(10.5 + i, 0.4, 0.4) for i in range(5)]
    assert best(lingers, glitch, *rest, strong) == [0.5, 10.5, 11.5, 12.5, 13.5, 14.5]
    assert best(judged(0.1, 1.0, 1.0, stands_out=1.0), judged(0.5, 1.0, 1.0, stands_out=2.0)) == [0.5]


def test_what_was_not_judged_is_no_moment() -> None:
    unheard = judged(0.5, 0.0, 0.0, alarm=False)
    verdict = unheard.verdict
    assert verdict is not None
    assert best(replace(unheard, verdict=None)) == []
    assert best(replace(unheard, verdict=replace(verdict, judgement="unknown", votes=()))) == []
    assert best(unheard) == [0.5]


def test_a_long_recording_keeps_few_pictures() -> None:
    strongest = Strongest()
    tracemalloc.start()
    for second in range(200):
        strongest.add(float(second), judged(float(second), (second * 7 % 200) / 200))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 30 * PICTURE_PX * 360 * 3
    assert next(moment.strength[0] for moment in strongest.best()) > 0.9


def test_a_row_a_clip_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    sheet = Sheet()
    for name in ("a.mp4", "b.mp4"):
        for second in range(3):
            sheet.add(Path(name), second + 0.5, judged(second + 0.5, 0.9, alarm=name == "a.mp4"))
    path = tmp_path / "out" / "sheet.png"
    sheet.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image)
    assert pixels.shape[1] > 6 * PICTURE_PX
    above, below = pixels[: len(pixels) // 2], pixels[len(pixels) // 2 :]
    box = (np.abs(above.astype(int) - (250, 176, 5)).max(axis=2) < 10).sum()
    alarms = box - (np.abs(below.astype(int) - (250, 176, 5)).max(axis=2) < 10).sum()
    assert alarms > 2000  # the chips and rules of alarms are in their colour
    assert not (pixels[60:200, 3 * PICTURE_PX + 60 :] == 90).all(axis=2).any()  # three moments, three pictures


def test_so_many_clips_are_shown_and_the_rest_are_counted(tmp_path: Path) -> None:
    sheet = Sheet()
    for number in range(MOST_CLIPS + 2):
        sheet.add(Path(f"{number}.mp4"), 0.5, Judged(judged(0.5, 0.9).observed, None, 0.5))
    sheet.write(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.height < (MOST_CLIPS + 2) * 40 + 20


def test_a_sheet_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        Sheet().write(tmp_path / "file" / "sheet.png")
