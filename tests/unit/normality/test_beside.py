"""What nothing recognised is told beside people, as far as its box can tell."""

from __future__ import annotations

import pytest

from streamproc.normality.beside import with_size
from streamproc.normality.size import ClassSize, Range, SizeModel
from streamproc.types import Box, Measurement

USUAL = Range(low=0.7, high=1.5)
PEOPLE = SizeModel(
    classes={
        "person": ClassSize(
            top=0.1, bottom=0.3, width=0.4, rows=(0.4, 0.9), ranges={"height": USUAL, "width": USUAL, "area": USUAL}
        )
    }
)
"""At row 0.5 a person is 0.2 high and 0.08 wide."""


def odd(box: Box | None, name: str = "speed", track_id: int | None = None) -> Measurement:
    return Measurement(name, 2.0, "", 1.0, 2.0, 1.0, box, track_id)


@pytest.mark.parametrize(
    ("box", "of_a_part", "of_the_whole"),
    [
        ((0.4, 0.3, 0.48, 0.5), "alike", "alike"),
        ((0.4, 0.3, 0.44, 0.5), "alike", "alike"),  # narrow, and as high as people are
        ((0.4, 0.1, 0.48, 0.5), "larger", "larger"),
        ((0.4, 0.4, 0.6, 0.5), "larger", "larger"),  # a cart is no higher
        ((0.4, 0.45, 0.42, 0.5), None, "smaller"),
        ((0.4, 0.05, 0.48, 0.2), None, None),  # where nobody walks
        ((0.0, 0.3, 0.08, 0.5), None, None),  # cut by the border
    ],
)
def test_a_box_tells_as_much_as_it_is_of_the_thing(box: Box, of_a_part: str | None, of_the_whole: str | None) -> None:
    assert with_size(odd(box), PEOPLE).beside_person == of_a_part
    assert with_size(odd(box, "dwell"), PEOPLE).beside_person == of_the_whole


def test_what_a_track_carries_has_a_name_of_its_own() -> None:
    assert with_size(odd((0.4, 0.3, 0.48, 0.5), track_id=3), PEOPLE).beside_person is None
    assert with_size(odd(None), PEOPLE).beside_person is None
    assert with_size(odd((0.4, 0.3, 0.48, 0.5)), SizeModel(why_not="too few")).beside_person is None
