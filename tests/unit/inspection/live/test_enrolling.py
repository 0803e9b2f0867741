"""What is enrolled of normal footage: spread over it, enough of it, and nothing that stood before it."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.config import CameraSettings, InspectionSettings
from streamproc.inspection.live.crops import Thing
from streamproc.inspection.live.enrolling import Enrolling, Spread, seen_as
from streamproc.testing_defects import checked, seen
from streamproc.types import Track

VALVE = Thing("region", "valve")
SETTINGS = InspectionSettings.model_validate({"memory": {"shots": 8}})


def camera(left: float = 0.2, masks: bool = False) -> CameraSettings:
    corners = [[left, 0.2], [0.7, 0.2], [0.7, 0.7], [left, 0.7]]
    mask = [{"name": "window", "polygon": [[0, 0], [0.1, 0], [0.1, 0.1]]}] if masks else []
    return CameraSettings.model_validate(
        {
            "id": "gate",
            "main": "rtsp://x/1",
            "regions": [{"name": "valve", "polygon": corners}],
            "privacy_masks": mask,
            "inspected_objects": ["car"],
        }
    )


@pytest.mark.parametrize("came", [3, 8, 15, 16, 17, 100, 5000])
def test_what_is_kept_is_spread_over_all_that_came(came: int) -> None:
    spread = Spread(8)
    for number in range(came):
        spread.add(np.full((1, 1, 3), number % 256, np.uint8))
    chosen = spread.chosen
    assert len(chosen) == min(came, 8)
    if came == 100:
        levels = [int(one[0, 0, 0]) for one in chosen]
        assert levels == sorted(levels)
        assert levels[0] == 0
        assert levels[-1] >= 70


def test_a_region_is_enrolled_and_an_object_that_never_came_is_said() -> None:
    enrolling = Enrolling(camera(), (VALVE, Thing("object", "car")), SETTINGS)
    windows = [seen(float(second), [checked(level=100 + second)]) for second in range(20)]
    assert list(enrolling.through(iter(windows))) == windows
    assert {key: len(some) for key, some in enrolling.pictures.items()} == {"region valve": 8}
    assert {key: known.pictures for key, known in enrolling.known.items()} == {"region valve": 8}
    assert enrolling.notes == ("object car was looked at 0 times, 4 are needed: it is not inspected",)


def test_a_region_that_people_always_cover_is_not_enrolled_and_why() -> None:
    enrolling = Enrolling(camera(), (VALVE,), SETTINGS)
    person = Track(1, "person", 0.9, (0.2, 0.1, 0.6, 0.9), 1.0)
    for second in range(20):
        enrolling.add(seen(float(second), tracks=[person]))
    assert enrolling.pictures == {}
    assert enrolling.notes[0].endswith("4 are needed (people stood before it): it is not inspected")


def test_another_outline_or_mask_is_another_thing_to_see() -> None:
    told = {seen_as(camera(), VALVE), seen_as(camera(left=0.3), VALVE), seen_as(camera(masks=True), VALVE)}
    assert len(told) == 3
    car = Thing("object", "car")
    assert seen_as(camera(), car) == seen_as(camera(left=0.3), car)
