"""Which frames and which places a vision-language model is shown."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest

from streamproc.config import VlmPerception
from streamproc.perception.regions import regions, shades
from streamproc.perception.selection import eventful, spread
from streamproc.perception.vlm import messages, show
from streamproc.types import Box, Frame, Measurement, ObservedWindow, Track, Window

WIDE, HIGH = 320, 240
GROUND = np.random.default_rng(1).integers(80, 110, (HIGH, WIDE, 3), np.uint8)
LOOKS = np.random.default_rng(2).integers(120, 220, (HIGH, WIDE, 3), np.uint8)


def scene(*things: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    """Patches (x, y, width, height) of looks of their own, on a ground."""
    picture = GROUND.copy()
    for x, y, w, h in things:
        picture[y : y + h, x : x + w] = LOOKS[:h, :w]
    return picture


def observed(
    pictures: list[npt.NDArray[np.uint8]],
    tracks: tuple[Track, ...] = (),
    measured: tuple[Measurement, ...] = (),
    step_s: float = 0.1,
) -> ObservedWindow:
    frames = tuple(
        Frame("gate", 1, i * step_s, datetime(2026, 1, 1, tzinfo=UTC), picture) for i, picture in enumerate(pictures)
    )
    return ObservedWindow(Window("gate", 1, 0, (frames,)), tracks, measured, 0.1)


def box(x: float, y: float, w: float, h: float) -> Box:
    return (x / WIDE, y / HIGH, (x + w) / WIDE, (y + h) / HIGH)


def settings(**changes: object) -> VlmPerception:
    return VlmPerception.model_validate(
        {"kind": "vlm", "base_url": "http://127.0.0.1:8000/v1", "model": "m"} | {"image_width_px": WIDE} | changes
    )


def times(one: ObservedWindow) -> list[float]:
    return [frame.pts_s for burst in one.window.bursts for frame in burst]


def greys(one: ObservedWindow) -> list[npt.NDArray[np.uint8]]:
    return shades([frame for burst in one.window.bursts for frame in burst])


WALK = [scene((20 + 6 * i, 60, 20, 40), (250, 150, 20, 40)) for i in range(10)]


def test_evenly_spread_frames_hold_both_ends() -> None:
    ten = [i * 0.1 for i in range(10)]
    assert spread(ten, 4) == (0, 3, 6, 9)
    assert spread(ten, 2) == (0, 9)
    assert spread(ten, 1) == (9,)
    assert spread(ten, 32) == tuple(range(10))
    assert spread([0.0], 4) == (0,)


def test_frames_gather_where_something_happens_and_the_rest_is_not_forgotten() -> None:
    still, there = scene(), scene((100, 60, 60, 120))
    one = observed([still] * 14 + [there, still, there] + [still] * 13)
    chosen = eventful(times(one), greys(one), 6)
    assert chosen[0] == 0
    assert chosen[-1] == 29
    assert len({14, 15, 16} & set(chosen)) == 2
    assert any(1 < i < 13 or 18 < i < 28 for i in chosen)
    assert not {14, 16} & set(spread(times(one), 6))


@pytest.mark.parametrize("change", ["nothing", "the light", "noise"])
def test_where_nothing_happens_frames_are_spread_evenly(change: str) -> None:
    noise = np.random.default_rng(3)
    pictures = []
    for i in range(10):
        picture = scene((100, 60, 60, 120)).astype(int)
        if change == "the light" and i >= 7:
            picture += 30
        if change == "noise":
            picture += noise.normal(0, 3, picture.shape).astype(int)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    one = observed(pictures)
    assert eventful(times(one), greys(one), 4) == (0, 3, 6, 9)


def test_one_frame_is_the_last_and_few_are_all() -> None:
    one = observed(WALK)
    assert eventful(times(one), greys(one), 1) == (9,)
    assert eventful(times(one), greys(one), 12) == tuple(range(10))


def test_what_moves_is_found_without_a_detector_and_followed_to_the_first_frame() -> None:
    one = observed(WALK)
    (walker,) = regions(one, greys(one), 3)
    assert walker.track_id is None
    assert walker.travel == pytest.approx(54 / 40, abs=0.2)
    for i, at in enumerate(walker.boxes):
        assert at is not None
        middle = (at[0] + at[2]) / 2 * WIDE
        assert middle == pytest.approx(30 + 6 * i, abs=5)
    assert walker.tube[0] * WIDE < 25
    assert walker.tube[2] * WIDE > 90


def test_what_came_farthest_for_its_size_is_first_and_what_stands_is_not_marked() -> None:
    pictures = [scene((20 + 4 * i, 120, 50, 100), (150 + 4 * i, 20, 12, 24), (250, 150, 20, 40)) for i in range(10)]
    tracks = tuple(
        Track(number, "person", 0.8, at, 3.0)
        for number, at in enumerate([box(56, 120, 50, 100), box(186, 20, 12, 24), box(250, 150, 20, 40)], start=1)
    )
    one = observed(pictures, tracks)
    assert [region.track_id for region in regions(one, greys(one), 3)] == [2, 1]
    assert [region.track_id for region in regions(one, greys(one), 1)] == [2]


def test_what_was_measured_beyond_normal_is_marked_first_even_where_it_stands() -> None:
    stands = Measurement("dwell", 60.0, "s", 10.0, 3.0, 1.2, box(250, 150, 20, 40))
    calm = Measurement("speed", 0.5, "times normal", 1.0, 0.3, 1.2, box(100, 10, 20, 20))
    one = observed(WALK, measured=(calm, stands))
    first, second = regions(one, greys(one), 3)
    assert first.boxes[-1] == stands.box_norm
    assert second.travel > 1.0


def test_a_person_is_marked_once() -> None:
    track = Track(4, "person", 0.8, box(74, 60, 20, 40), 3.0)
    fast = Measurement("speed", 3.0, "times normal", 1.0, 3.0, 1.2, box(72, 62, 22, 40), 4)
    one = observed(WALK, (track,), (fast,))
    assert [region.track_id for region in regions(one, greys(one), 3)] == [4]


def test_what_was_not_there_before_is_not_marked_there() -> None:
    one = observed([scene()] * 5 + [scene((100 + 6 * i, 60, 20, 40)) for i in range(5)])
    (comer,) = regions(one, greys(one), 3)
    assert comer.boxes[0] is None
    assert comer.boxes[-1] is not None


def test_a_request_holds_whole_views_then_close_ups_and_says_so() -> None:
    shown = show(observed(WALK), settings(frames_per_window=4, close_ups=1))
    assert (len(shown.whole), len(shown.close_ups), len(shown.regions)) == (3, 1, 1)
    assert shown.chosen[0] == 0
    assert shown.chosen[-1] == 9
    assert all((picture == (255, 0, 255)).all(2).any() for picture in shown.whole)
    assert not (shown.close_ups[0] == (255, 0, 255)).all(2).any()
    asked = messages(shown, settings())
    assert "first 3 pictures show 0.9 seconds" in str(asked[1]["content"])
    assert "outlines" in str(asked[0]["content"])


def test_without_marks_and_events_pictures_are_as_they_are() -> None:
    plain = settings(selection="uniform", marks=0, close_ups=0)
    shown = show(observed(WALK), plain)
    assert shown.chosen == (0, 3, 6, 9)
    assert all((picture == WALK[i]).all() for picture, i in zip(shown.whole, shown.chosen, strict=True))
    assert "outline" not in str(messages(shown, plain))


def test_nothing_is_enlarged_where_nothing_moves() -> None:
    shown = show(observed([scene((250, 150, 20, 40))] * 10), settings(close_ups=2))
    assert (len(shown.whole), len(shown.close_ups), len(shown.regions)) == (4, 0, 0)
    assert len(show(observed(WALK), settings(frames_per_window=1, close_ups=2)).close_ups) == 0


def test_a_single_frame_is_shown() -> None:
    shown = show(observed(WALK[:1]), settings())
    assert (len(shown.whole), shown.span_s) == (1, 0.0)
