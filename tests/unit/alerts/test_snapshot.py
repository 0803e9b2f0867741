"""The annotated picture: what its labels and its bar say."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from streamproc.alerts.snapshot import Annotation, draw
from streamproc.types import Box, DetectedObject, Measurement, Part

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)
BOX = (0.4, 0.4, 0.5, 0.6)
BLACK = np.zeros((540, 960, 3), np.uint8)


def measured(score: float, threshold: float = 0.7, value: float = 2.9) -> Measurement:
    return Measurement("speed", value, "times the normal speed here", 1.0, score, threshold, BOX, 1)


def person(measurement: Measurement | None = None, text: str = "", box: Box = BOX) -> DetectedObject:
    return DetectedObject("person", box, 0.9, text, measurement=measurement)


def drawn(*objects: DetectedObject, measurements: tuple[Measurement, ...] = ()) -> npt.NDArray[np.bool_]:
    """Where the picture is in the colour of a warning."""
    note = Annotation("Someone hurries.", "gate", AT, "UTC", "warning", (), measurements, objects)
    with Image.open(io.BytesIO(draw(BLACK, note))) as image:
        pixels = np.asarray(image).astype(int)
    found: npt.NDArray[np.bool_] = np.abs(pixels - (250, 176, 5)).max(axis=2) < 40
    return found


def label_px(*objects: DetectedObject) -> int:
    """How wide the label above the box is."""
    chip = drawn(*objects)[196:210]
    return int(chip.any(axis=0).sum())


def test_a_box_is_labelled_with_what_was_measured_of_it() -> None:
    bare, told = label_px(person()), label_px(person(measured(2.0), text="a sentence that is too long for a label"))
    assert told > bare + 30
    assert label_px(person(measured(2.0, value=12.34))) == pytest.approx(told + 9, abs=4)  # "12.3x"


def test_of_several_parts_the_speed_is_told_and_a_stay_in_seconds() -> None:
    speed = measured(2.0, value=2.9)
    parts = (Part("glide", 12.34, "", 1.0, 0.6), Part("speed", 2.9, "", 1.0, 0.4))
    glides = replace(speed, name="glide", value=12.34, parts=parts)
    assert label_px(person(glides)) == label_px(person(speed)) != label_px(person(measured(2.0, value=12.34)))
    stays = Measurement("dwell", 12.0, "s", 10.0, 1.2, 1.0)
    assert label_px(person(stays)) == pytest.approx(label_px(person(speed)), abs=8)  # "12 s", not "1.2x"


def test_without_a_measurement_a_short_text_is_the_label() -> None:
    assert label_px(person(text="hurries by")) > label_px(person())
    assert label_px(person(text="hurries by the gate, " * 3)) == label_px(person())


def test_labels_do_not_hide_one_another() -> None:
    alone = drawn(person())
    assert not alone[328:345].any()
    beside = drawn(person(), person(box=(0.41, 0.4, 0.5, 0.6)))
    assert beside[328:345].any()


def bar_px(score: float, threshold: float) -> int:
    """How long the bar is."""
    strip = drawn(measurements=(Measurement("speed", 2.9, "x", 1.0, score, threshold),))[580:]
    return int(strip[20:].sum(axis=1).max())


def test_the_bar_shows_the_score_against_its_threshold_on_one_scale() -> None:
    once, twice, thrice = (bar_px(times * 0.7, 0.7) for times in (1, 2, 3))
    assert twice == pytest.approx(2 * once, abs=8)
    assert thrice == pytest.approx(3 * once, abs=12)
    assert bar_px(3.0, 1.5) == pytest.approx(twice, abs=3)


def test_a_score_below_its_threshold_is_not_in_the_alarms_colour_and_a_huge_one_fills_the_bar() -> None:
    assert bar_px(0.69, 0.7) == 0
    assert bar_px(50.0, 0.7) == bar_px(5 * 0.7, 0.7)


def test_a_label_hides_no_other_box_where_there_is_room() -> None:
    rider: Box = (0.4, 0.3, 0.44, 0.42)
    bicycle: Box = (0.38, 0.42, 0.46, 0.5)
    seen = drawn(person(box=bicycle), person(box=rider))
    assert seen[272:292, 366:400].mean() > 0.5  # below the bicycle
    assert not seen[205:224, 400:415].any()  # not above it, on the rider


def test_no_box_runs_through_a_label() -> None:
    alone = drawn(person())
    crossed = drawn(person(), person(box=(0.41, 0.3, 0.42, 0.95)))  # there is no room below either
    assert (alone[196:214, 384:430] == crossed[196:214, 384:430]).mean() > 0.97  # JPEG
