"""What about something is unlike normal footage, in words."""

from __future__ import annotations

import pytest

from streamproc.perception.measured import fast, oddly, unlike
from streamproc.types import Measurement, Part


def measured(**parts: tuple[float, float]) -> Measurement:
    """By part its value and its share of the score."""
    told = tuple(Part(name, value, "", 1.0, share) for name, (value, share) in parts.items())
    return Measurement(told[0].name, told[0].value, "", 1.0, 2.0, 1.0, parts=told)


@pytest.mark.parametrize(
    ("measurement", "label", "action", "words"),
    [
        (measured(speed=(2.04, 0.9)), "person", "hurries", "2.0 times as fast as is normal there"),
        (measured(speed=(2.0, 0.9)), "dog", "runs", "2.0 times as fast as is normal there"),
        (
            measured(glide=(1.3, 0.6), speed=(1.8, 0.4)),
            "person",
            "glides",
            "as if cycling or skating, 1.8 times as fast as is normal there",
        ),
        (measured(glide=(1.3, 0.8), speed=(0.9, 0.2)), "person", "glides", "as if cycling or skating"),
        (measured(appearance=(1.2, 1.0)), "person", "walks", "looking unlike anything seen there before"),
        (measured(speed=(1.0, 0.9)), "person", "walks", "unlike what is normal there"),
        (measured(glide=(0.9, 0.6), speed=(1.8, 0.4)), "person", "hurries", "1.8 times as fast as is normal there"),
        (measured(speed=(2.0, 0.8), glide=(1.1, 0.2)), "person", "hurries", "2.0 times as fast as is normal there"),
    ],
)
def test_parts_are_told_that_bring_much_of_the_score(
    measurement: Measurement, label: str, action: str, words: str
) -> None:
    assert oddly(label, "walks", measurement) == action
    assert unlike(measurement, action, 1) == words


def test_cars_drive_however_evenly() -> None:
    assert oddly("car", "drives", measured(glide=(1.5, 0.6), speed=(2.0, 0.4))) == "drives"


def test_several_are_as_fast_as_the_fastest() -> None:
    assert unlike(measured(speed=(2.0, 1.0)), "hurries", 3) == "up to 2.0 times as fast as is normal there"


def test_one_thing_measured_is_told_without_parts() -> None:
    assert fast(Measurement("speed", 1.5, "", 1.0, 2.0, 1.0))
    assert not fast(Measurement("speed", 1.0, "", 1.0, 2.0, 1.0))
    stays = Measurement("dwell", 17.4, "s", 10.0, 1.7, 1.0)
    assert unlike(stays, "moves", 1) == "for 17 seconds, where nothing stays so long"
