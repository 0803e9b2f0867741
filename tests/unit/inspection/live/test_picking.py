"""Which crops are handed over: when they are due, the sharpest, of a track its sharpest few; and what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamproc.config import CameraSettings, InspectionSettings
from streamproc.inspection.live.picking import FORGET_S, Picker
from streamproc.testing_defects import checked, seen
from streamproc.types import Box, CropDropCause, Track

VALVE = {"name": "valve", "polygon": [[0.2, 0.2], [0.7, 0.2], [0.7, 0.7], [0.2, 0.7]]}
SHARP, DULL = checked(), checked(blur=True)


def picker(left_out: list[CropDropCause] | None = None, objects: tuple[str, ...] = (), **settings: Any) -> Picker:
    regions = [] if objects else [VALVE]
    camera = CameraSettings.model_validate(
        {"id": "gate", "main": "rtsp://x/1", "regions": regions, "inspected_objects": objects}
    )
    told = left_out if left_out is not None else []
    return Picker(camera, InspectionSettings.model_validate(settings), told.append)


def car(box: Box = (0.2, 0.2, 0.8, 0.8), track_id: int = 7, label: str = "car") -> Track:
    return Track(track_id, label, 0.9, box, 1.0)


def test_a_region_is_due_now_and_then_and_the_sharpest_picture_since_is_taken() -> None:
    picking = picker()
    assert picking.add(seen(0.0, [DULL])) == []
    assert picking.add(seen(0.4, [SHARP])) == []
    assert picking.add(seen(0.7, [DULL])) == []
    (crop,) = picking.add(seen(1.0, [DULL]))
    assert (crop.thing.key, crop.track_id, crop.frame.pts_s) == ("region valve", None, 0.4)
    assert crop.box_norm == (0.2, 0.2, 0.7, 0.7)
    assert picking.add(seen(1.5, [SHARP])) == []
    assert len(picking.add(seen(2.0, [SHARP]))) == 1


def test_of_a_burst_the_sharpest_is_taken() -> None:
    picking = picker()
    picking.add(seen(0.0, [DULL]))
    (crop,) = picking.add(seen(1.0, [SHARP, DULL]))
    assert crop.frame.pts_s == pytest.approx(0.9)


def test_a_region_that_a_person_covers_is_left_out_and_counted_once_a_look() -> None:
    told: list[CropDropCause] = []
    picking = picker(told)
    person = car((0.3, 0.0, 0.6, 0.9), label="person")
    for tenth in range(11):
        assert picking.add(seen(tenth / 10, tracks=[person])) == []
    assert told == ["covered"]
    assert len(picking.add(seen(2.0, tracks=[car((0.6, 0.6, 0.9, 0.9), label="person")]))) == 1


def test_what_is_not_a_person_covers_nothing() -> None:
    picking = picker()
    picking.add(seen(0.0))
    assert len(picking.add(seen(1.0, tracks=[car((0.3, 0.0, 0.6, 0.9))]))) == 1


def test_what_is_wholly_masked_or_too_small_is_not_looked_at() -> None:
    told: list[CropDropCause] = []
    masked = picker(told)
    for at_s in (0.0, 1.0):
        assert masked.add(seen(at_s, [np.zeros((120, 160, 3), np.uint8)])) == []
    small = picker(told, least_px=61)
    for at_s in (0.0, 1.0):
        assert small.add(seen(at_s)) == []
    assert told == ["masked", "small"]


def test_only_chosen_kinds_of_objects_are_looked_at() -> None:
    picking = picker(objects=("car",))
    for at_s in (0.0, 1.0):
        crops = picking.add(seen(at_s, tracks=[car(), car(track_id=8, label="dog")]))
    assert [(crop.thing.key, crop.track_id) for crop in crops] == [("object car", 7)]


def test_an_object_that_goes_on_beyond_the_picture_is_left_out() -> None:
    told: list[CropDropCause] = []
    picking = picker(told, objects=("car",))
    for at_s in (0.0, 1.0):
        assert picking.add(seen(at_s, tracks=[car((0.0, 0.2, 0.5, 0.8))])) == []
    assert told == ["cut_off"]


def test_of_a_track_only_crops_sharper_than_its_sharpest_few_are_looked_at_again() -> None:
    picking = picker(objects=("car",), looks=3)
    again = []
    for second in range(5):
        again += [crop.again for crop in picking.add(seen(float(second), tracks=[car()]))]
    assert again == [False, False, False, True]
    sharper = checked(level=250)
    assert [crop.again for crop in picking.add(seen(5.0, [sharper], [car()]))] == [False]
    assert [crop.again for crop in picking.add(seen(6.0, [SHARP], [car()]))] == [True]


def test_a_new_run_and_a_track_long_gone_begin_anew() -> None:
    picking = picker(objects=("car",), looks=3)
    for second in range(5):
        picking.add(seen(float(second), tracks=[car()]))
    picking.add(seen(5.0 + FORGET_S))
    picking.add(seen(6.0 + FORGET_S, tracks=[car()]))
    assert [crop.again for crop in picking.add(seen(7.0 + FORGET_S, tracks=[car()]))] == [False]
    assert picking.add(seen(0.5, tracks=[car()], run=2)) == []
    assert [crop.again for crop in picking.add(seen(1.5, tracks=[car()], run=2))] == [False]
