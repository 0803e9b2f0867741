"""Sentences from tracks and measurements: right in number, in place, and no more than was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.config import Area
from streamproc.normality.kinds import UNITS
from streamproc.perception.captioner import NOTHING_SEEN
from streamproc.perception.grammar import conjugated, counted, plural
from streamproc.perception.places import place_of
from streamproc.perception.scene import SceneCaptioner
from streamproc.testing_footage import drawn, windows_of
from streamproc.types import BesidePerson, Box, Measurement, ObservedWindow, Part, Track

WINDOW = next(windows_of(drawn([], 1.0)))
LEFT: Box = (0.1, 0.4, 0.15, 0.6)
CENTRE: Box = (0.45, 0.4, 0.5, 0.6)
RIGHT: Box = (0.8, 0.4, 0.85, 0.6)


def speed(value: float, box: Box | None = None, track_id: int | None = None) -> Measurement:
    return Measurement("speed", value, UNITS["speed"], 1.0, value, 1.2, box, track_id)


def track(number: int, value: float | None, box: Box = LEFT, label: str = "person") -> Track:
    return Track(number, label, 0.8, box, 3.0, None if value is None else speed(value, box, number))


def seen(*tracks: Track, measured: tuple[Measurement, ...] = (), motion: float = 0.01) -> ObservedWindow:
    return ObservedWindow(WINDOW, tracks, measured, motion)


def said(observed: ObservedWindow, *zones: Area) -> list[str]:
    return [fact.text for fact in SceneCaptioner(zones).caption(observed).facts]


def test_people_are_counted_by_what_they_do_and_where() -> None:
    observed = seen(track(1, 0.5), track(2, 0.6), track(3, 0.02, CENTRE), track(4, 0.4, RIGHT))
    assert said(observed) == [
        "Two people walk on the left.",
        "One person stands in the centre.",
        "One person walks on the right.",
    ]


def test_people_come_first_and_among_them_who_is_too_fast() -> None:
    observed = seen(track(1, 0.0, RIGHT, "car"), track(2, 0.5), track(3, 0.4), track(4, 2.6, CENTRE))
    caption = SceneCaptioner().caption(observed)
    assert caption.text == (
        "One person hurries in the centre, 2.6 times as fast as is normal there. "
        "Two people walk on the left. One car stands on the right."
    )
    assert [fact.about for fact in caption.facts] == ["human", "human", "environment"]
    hurry = caption.facts[0]
    assert (hurry.subject, hurry.count, hurry.action, hurry.place) == ("person", 1, "hurries", "in the centre")
    assert hurry.measurement == observed.tracks[3].speed
    assert hurry.track_ids == (4,)


def test_a_group_is_as_fast_as_its_fastest() -> None:
    assert said(seen(track(1, 1.5), track(2, 2.04))) == [
        "Two people hurry on the left, up to 2.0 times as fast as is normal there."
    ]


def own(name: str, value: float, unit: str, times: float, track_id: int | None = 1) -> Measurement:
    return Measurement(name, value, unit, 1.0, times, 1.0, LEFT, track_id)


def test_who_goes_the_wrong_way_or_is_too_tall_is_told_beside_being_too_fast() -> None:
    wrong = own("direction", 3.2, "times as unusual as ways there are", 1.4)
    assert said(seen(track(1, 0.5), track(2, 0.5), measured=(wrong,))) == [
        "One person walks on the left, the wrong way, as hardly anything goes there.",
        "One person walks on the left.",
    ]
    tall = own("size", 2.04, "times as tall as is usual there", 3.0)
    (fact,) = SceneCaptioner().caption(seen(track(1, 2.6), measured=(wrong, speed(2.9, LEFT, 1), tall))).facts
    assert fact.text == (
        "One person hurries on the left, 2.0 times as tall as is usual there, 2.9 times as fast as is normal there, "
        "the wrong way, as hardly anything goes there."
    )
    assert fact.measurement == tall
    assert said(seen(measured=(own("direction", 3.2, "", 1.4, None),))) == [
        "Something moves on the left, the wrong way, as hardly anything goes there."
    ]


def test_who_lies_is_a_person_whether_or_not_the_detector_still_finds_them() -> None:
    lost = own("lying", 1.0, "s", 1.2, 7)
    (fact, other) = SceneCaptioner().caption(seen(track(1, 0.5, RIGHT), measured=(lost,))).facts
    assert other.text == (
        "One person lies on the ground on the left, as if fallen, for 1 second, longer than anybody in the normal "
        "footage."
    )
    assert (other.about, other.subject, other.action) == ("human", "person", "lies on the ground")
    assert fact.text == "One person walks on the right."
    found = own("crouching", 3.4, "s", 3.4, 1)
    assert said(seen(track(1, 0.01), measured=(found,))) == [
        "One person crouches on the left, for 3 seconds, longer than anybody in the normal footage."
    ]


def test_nobody_hurries_below_the_threshold() -> None:
    assert said(seen(track(1, 1.19), measured=(speed(1.19, LEFT, 1),))) == ["One person walks on the left."]


def test_the_scenes_measurement_is_told_of_the_track_that_carries_it() -> None:
    assert said(seen(track(1, 0.9), track(2, 0.9, RIGHT), measured=(speed(2.6, LEFT, 1),))) == [
        "One person hurries on the left, 2.6 times as fast as is normal there.",
        "One person walks on the right.",
    ]


@pytest.mark.parametrize("track_id", [None, 9])
def test_what_no_track_carries_is_something(track_id: int | None) -> None:
    caption = SceneCaptioner().caption(seen(track(1, 0.5, RIGHT), measured=(speed(2.6, LEFT, track_id),)))
    assert caption.text == (
        "One person walks on the right. Something moves on the left, 2.6 times as fast as is normal there."
    )
    assert caption.facts[1].subject == "something"
    assert caption.facts[1].measurement is not None


def test_without_a_measured_speed_nothing_is_said_of_how_they_move() -> None:
    observed = replace(seen(track(1, None), track(2, None)), not_judged=("speed: 1 frame/s, needs 5",))
    caption = SceneCaptioner().caption(observed)
    assert caption.text == "Two people are seen on the left."
    assert caption.facts[0].action == ""
    assert caption.degraded == ("speed: 1 frame/s, needs 5",)


@pytest.mark.parametrize(
    ("label", "value", "sentence"),
    [
        ("car", 0.5, "One car drives on the left."),
        ("car", 3.0, "One car drives on the left, 3.0 times as fast as is normal there."),
        ("bus", 0.0, "One bus stands on the left."),
        ("dog", 0.5, "One dog walks on the left."),
        ("dog", 2.0, "One dog runs on the left, 2.0 times as fast as is normal there."),
        ("bicycle", 0.5, "One bicycle moves on the left."),
        ("suitcase", 0.0, "One suitcase is seen on the left."),
    ],
)
def test_things_do_what_such_things_do(label: str, value: float, sentence: str) -> None:
    assert said(seen(track(1, value, label=label))) == [sentence]


def test_nothing_is_said_to_be_nothing() -> None:
    caption = SceneCaptioner().caption(seen(motion=0.0))
    assert (caption.text, caption.facts) == (NOTHING_SEEN, ())


def test_motion_without_anything_recognised_is_told() -> None:
    assert said(seen(motion=0.05)) == ["Something moves."]


def test_it_says_what_it_is() -> None:
    model = SceneCaptioner().caption(seen()).model
    assert (model.role, model.name, model.stand_in_for) == ("perception", "scene", "a vision-language model")


def test_zones_are_named_by_where_the_feet_are() -> None:
    yard = Area(name="loading_yard", polygon=((0.0, 0.5), (0.3, 0.5), (0.3, 1.0), (0.0, 1.0)))
    assert said(seen(track(1, 0.5), track(2, 0.5, RIGHT)), yard) == [
        "One person walks in the loading yard.",
        "One person walks on the right.",
    ]
    # The box reaches into the zone, the feet do not.
    assert place_of((0.28, 0.3, 0.36, 0.7), [yard]) == "on the left"


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0.9, 0.1, 0.95, 0.2), "on the right, far from the camera"),
        ((0.4, 0.5, 0.6, 0.95), "in the centre, near the camera"),
        (LEFT, "on the left"),
    ],
)
def test_places(box: Box, words: str) -> None:
    assert place_of(box, ()) == words


@pytest.mark.parametrize(
    ("noun", "many"),
    [("person", "people"), ("bus", "buses"), ("bench", "benches"), ("car", "cars"), ("sheep", "sheep")],
)
def test_plurals(noun: str, many: str) -> None:
    assert plural(noun) == many
    assert counted(1, noun) == f"One {noun}"
    assert counted(14, noun) == f"14 {many}"


@pytest.mark.parametrize(
    ("one", "many"), [("hurries", "hurry"), ("walks", "walk"), ("is seen", "are seen"), ("drives", "drive")]
)
def test_verbs(one: str, many: str) -> None:
    assert conjugated(one, 1) == one
    assert conjugated(one, 2) == many


boxes = st.tuples(*[st.floats(0, 1)] * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
tracks = st.lists(
    st.builds(track, st.integers(1, 9), st.none() | st.floats(0, 9), boxes, st.sampled_from(["person", "car", "dog"])),
    unique_by=lambda one: one.track_id,
)


@given(tracks)
def test_everybody_is_counted_once(objects: list[Track]) -> None:
    caption = SceneCaptioner().caption(seen(*objects))
    numbers = [number for fact in caption.facts for number in fact.track_ids]
    assert sorted(numbers) == sorted(one.track_id for one in objects)
    assert sum(fact.count for fact in caption.facts if fact.about == "human") == sum(
        one.label == "person" for one in objects
    )
    hurrying = {n for fact in caption.facts if fact.action == "hurries" for n in fact.track_ids}
    assert hurrying == {
        one.track_id for one in objects if one.label == "person" and one.speed and one.speed.score >= 1.2
    }


RIDER: Box = (0.11, 0.63, 0.16, 0.76)
BICYCLE: Box = (0.09, 0.70, 0.19, 0.78)


def test_who_moves_with_a_fast_bicycle_rides_it_and_does_not_hurry() -> None:
    bicycle = track(1, 2.57, BICYCLE, "bicycle")
    assert said(seen(track(2, 2.62, RIDER), bicycle)) == [
        "One person rides a bicycle on the left, 2.6 times as fast as is normal there.",
        "One bicycle moves on the left, 2.6 times as fast as is normal there.",
    ]
    # What of the two is measured to be odd changes from window to window.
    board = track(1, 2.14, BICYCLE, "skateboard")
    (rides, _) = said(seen(track(2, 1.19, RIDER), replace(board, speed=speed(1.7, BICYCLE, 1))))
    assert rides == "One person rides a skateboard on the left, 1.7 times as fast as is normal there."


@pytest.mark.parametrize(
    ("person", "thing"),
    [
        (track(2, 2.6, (0.18, 0.57, 0.24, 0.76)), track(1, 2.6, BICYCLE, "bicycle")),  # beside it
        (track(2, 2.6, RIDER), track(1, 0.6, BICYCLE, "bicycle")),  # past one that is slow
        (track(2, 2.6, RIDER), track(1, None, BICYCLE, "bicycle")),
        (track(2, 2.6, RIDER), track(1, 2.6, BICYCLE, "dog")),
    ],
)
def test_who_is_beside_or_passes_hurries(person: Track, thing: Track) -> None:
    assert said(seen(person, thing))[0].startswith("One person hurries on the left, 2.6 times")


def test_who_pushes_a_bicycle_walks() -> None:
    looks = Measurement("appearance", 1.4, "", 1.0, 1.6, 1.2, BICYCLE, 1)
    observed = seen(track(2, 0.7, RIDER), track(1, 0.7, BICYCLE, "bicycle"), measured=(looks,))
    assert said(observed)[0] == "One person walks on the left."


def test_what_has_parts_is_told_of_a_track_before_its_speed_alone() -> None:
    parts = (Part("glide", 1.3, "", 1.0, 0.6), Part("speed", 1.8, "", 1.0, 0.4))
    glides = replace(speed(1.5, LEFT, 1), parts=parts)
    assert said(seen(track(1, 1.9), measured=(glides,))) == [
        "One person glides on the left, as if cycling or skating, 1.8 times as fast as is normal there."
    ]


@pytest.mark.parametrize(
    ("beside_person", "something"),
    [
        ("alike", "Something the size of a person"),
        ("larger", "Something larger than a person"),
        ("smaller", "Something small"),
        (None, "Something"),
    ],
)
def test_what_no_track_carries_is_told_beside_people(beside_person: BesidePerson | None, something: str) -> None:
    loose = replace(speed(2.6, LEFT), beside_person=beside_person)
    (fact,) = SceneCaptioner().caption(seen(measured=(loose,))).facts
    assert fact.text == f"{something} moves on the left, 2.6 times as fast as is normal there."
    assert (fact.subject, fact.about) == ("something", "environment")


def test_where_only_looks_are_judged_nothing_is_said_of_motion() -> None:
    looks = Measurement("appearance", 1.4, "", 1.0, 1.6, 1.2, LEFT, 1, (Part("appearance", 1.4, "", 1.0, 1.0),))
    slow = ("speed: 1 frame/s, needs 5",)
    strange = "looking unlike anything seen there before."
    assert said(replace(seen(track(1, None), measured=(looks,)), not_judged=slow)) == [
        f"One person is seen on the left, {strange}"
    ]
    assert said(replace(seen(measured=(looks,)), not_judged=slow)) == [f"Something is seen on the left, {strange}"]
    assert said(seen(measured=(looks,))) == [f"Something moves on the left, {strange}"]


def test_what_stays_is_not_said_to_move() -> None:
    stays = Measurement("dwell", 23.4, "s", 11.0, 2.0, 1.0, LEFT, beside_person="smaller")
    (fact,) = SceneCaptioner().caption(seen(measured=(stays,))).facts
    assert fact.text == "Something small stays on the left, for 23 seconds, where nothing stays so long."
    assert fact.action == "stays"


def test_a_crowd_is_told_and_its_people_are_counted_once() -> None:
    together = Measurement("crowding", 6.8, "people together", 4.0, 2.0, 1.0, LEFT)
    caption = SceneCaptioner().caption(seen(track(1, 0.5), measured=(together,)))
    walks, crowd = caption.facts
    assert walks.text == "One person walks on the left."
    assert crowd.text == "A crowd is seen on the left, 7 people together, more than is normal there."
    assert (crowd.about, crowd.count, crowd.measurement) == ("environment", 1, together)
    everywhere = replace(together, unit="people", box_norm=None)
    assert said(seen(measured=(everywhere,))) == ["A crowd is seen, 7 people, more than is normal there."]


@pytest.mark.parametrize("reason", ["speed: 1 frame/s, needs 5", "speed: the picture is too dark"])
def test_what_only_stands_out_is_not_said_to_move(reason: str) -> None:
    assert said(replace(seen(motion=0.05), not_judged=(reason,))) == ["Something is seen."]
    assert said(replace(seen(motion=0.05), not_judged=("objects: there is no detector",))) == ["Something moves."]
