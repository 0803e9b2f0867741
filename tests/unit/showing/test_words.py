"""A calibration in words: the numbers that it holds, and why something is not judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamproc.normality.calibration import Calibration, Clip
from streamproc.normality.crowding import Count, CrowdingModel
from streamproc.normality.direction import PLACES as WAYS
from streamproc.normality.direction import DirectionModel
from streamproc.normality.down import KnownPostures
from streamproc.normality.dwell import PLACES, DwellModel
from streamproc.normality.earned import Earned
from streamproc.normality.heading import KnownDirections
from streamproc.normality.learned import LearnedScene
from streamproc.normality.novelty import KindScale
from streamproc.normality.place import RowPlace
from streamproc.normality.size import ClassSize, Range, SizeModel
from streamproc.normality.stature import KnownSizes
from streamproc.showing.words import as_dict, sections

REAL = Calibration.load(Path(__file__).parents[2] / "integration" / "site" / "rules" / "two.normality.json")
SCENE = LearnedScene(
    view=None,
    dwell=DwellModel(longest_s=(8.0,) + (0.0,) * (PLACES[0] * PLACES[1] - 1), observed_s=35.0),
    crowding=CrowdingModel(
        people=Count(median=3, normal=6, threshold=11), densest=Count(median=2, normal=4, threshold=8)
    ),
)


def told(**changes: Any) -> dict[str, str]:
    calibration = REAL.model_copy(update={"scene": SCENE, **changes})
    return {heading: "\n".join(lines) for heading, lines in sections(calibration)}


def test_everything_has_its_numbers() -> None:
    lines = told(
        place=RowPlace(top_px_s=12.0, bottom_px_s=60.0, least_px_s=3.0),
        picture_px=(768, 576),
        flow_px=(384, 288),
        kinds={"speed": KindScale(median=0.5, p99=1.5, one_hour_level=0.8)},
        observed_s=7200.0,
    )
    assert lines["camera"] == "two"
    assert "7200 s observed (2.00 h)" in lines["learned"]
    assert REAL.learned_at in lines["learned"]
    assert f"from a score of {REAL.novelty.threshold:.2f} on" in lines["alarm"]
    assert str(REAL.false_alarms) in lines["alarm"]
    # 0.8 of the way from the median to the 99th percentile.
    assert lines["speed"].startswith(
        "median 0.50, 99th percentile 1.50, once an hour 1.30 times the place's normal speed"
    )
    assert lines["speed"].endswith("counts in full")
    assert lines["normal speed"] == "up to 24 px/s at the upper edge of the picture, 120 px/s at the lower edge"
    assert lines["memory"].startswith("300 prototypes of ")
    assert lines["stays"] == "up to 8 s, in 35 s; told from 10 to 16 s on"
    assert (
        lines["people"] == "at once: 3 mostly, up to 6; told from 11 on\nat one spot: 2 mostly, up to 4; told from 8 on"
    )


def test_a_kind_that_was_turned_down_says_why() -> None:
    kind = KindScale(median=0.5, p99=1.5, weight=0.4, one_hour_level=3.8, why="glide counts 0.40: it came far above")
    assert told(kinds={"glide": kind})["glide"].endswith("; counts 0.40\nglide counts 0.40: it came far above")


def test_what_is_not_judged_says_why() -> None:
    scene = LearnedScene(
        view=None, dwell=DwellModel(why_not="only 9 s of footage"), crowding=CrowdingModel(why_not="nobody there")
    )
    lines = told(memory=None, scene=scene)
    assert lines["memory"] == "none: what things look like is not judged"
    assert lines["stays"] == "not judged: only 9 s of footage"
    assert lines["people"] == "not judged: nobody there"
    assert told(scene=None)["stays"] == told(scene=None)["people"] == "not learned"


def test_a_doubt_comes_first_and_many_clips_are_few_words() -> None:
    assert sections(REAL, "it is another's")[1] == ("doubt", ("it is another's",))
    assert "doubt" not in told()
    clips = tuple(Clip(name=f"{n}.mp4", sha256="0" * 64, duration_s=10.0) for n in range(9))
    assert "from 9 clips of 90 s: 0.mp4 to 8.mp4" in told(clips=clips)["learned"]
    assert "from no named clip" in told(clips=())["learned"]


def test_programs_are_told_the_same() -> None:
    body = as_dict(REAL.model_copy(update={"scene": SCENE}), "a doubt")
    assert body["camera_id"] == "two"
    assert body["doubt"] == "a doubt"
    assert body["novelty"]["threshold"] == REAL.novelty.threshold
    assert set(body["kinds"]) == {"speed", "glide", "appearance"}
    assert body["memory"]["prototypes"] == 300
    assert 0 < body["traffic_most"] <= 1
    assert body["examples"] == 60
    assert body["stays"]["longest_s"] == 8.0
    assert body["crowding"]["people"]["threshold"] == 11
    bare = as_dict(REAL.model_copy(update={"scene": None, "memory": None, "examples": None, "traffic": None}))
    assert [bare[key] for key in ("stays", "crowding", "memory", "traffic_most", "examples")] == [None] * 4 + [0]


EARNED = Earned(threshold=1.0, held_out_max=0.4, one_hour_level=0.9)
RIGHTWARDS = DirectionModel(passages=((8.0,) + (0.0,) * 7,) * 3 + ((),) * (WAYS[0] * WAYS[1] - 3))
PERSON = ClassSize(top=0.0, bottom=0.5, width=0.3, rows=(0.2, 0.8), ranges={"height": Range(low=0.7, high=1.5)})


def test_directions_and_sizes_are_told_with_what_they_speak_from() -> None:
    lines = told(
        directions=KnownDirections(model=RIGHTWARDS, earned=EARNED),
        sizes=KnownSizes(model=SizeModel(classes={"person": PERSON}), earned=EARNED),
    )
    assert lines["direction"] == "known at 3 of 108 places; told where a way is 2.7 times as unusual as ways there are"
    assert lines["size"] == (
        "person: usual height 25% of the picture's in the middle of where they stand; told below 0.7 and above 1.5 "
        "times the usual"
    )


def test_directions_and_sizes_that_are_not_told_say_why() -> None:
    silent = EARNED.model_copy(update={"silent": True, "why": "size is not told: giants"})
    lines = told(
        directions=KnownDirections(model=DirectionModel(why_not="too few passages")),
        sizes=KnownSizes(model=SizeModel(classes={"person": PERSON}), earned=silent),
    )
    assert lines["direction"] == "not judged: too few passages"
    assert lines["size"] == "not judged: size is not told: giants"
    late = EARNED.model_copy(update={"why": "told late"})
    known = KnownDirections(model=RIGHTWARDS, earned=late)
    assert told(directions=known)["direction"].endswith("\ntold late")
    older = told(directions=None, sizes=None)
    assert (older["direction"], older["size"]) == ("not learned", "not learned")
    shown = as_dict(REAL.model_copy(update={"directions": known, "sizes": None}))
    assert shown["directions"]["places"] == 3
    assert shown["sizes"] is None


def test_who_lay_or_crouched_is_told_with_how_long() -> None:
    lines = told(postures=KnownPostures(longest_s={"crouching": 2.04}))
    assert lines["posture"] == "lying: nobody; told from 1 s on\ncrouching: for up to 2.0 s; told from 4 s on"
    assert told(postures=None)["posture"] == "not learned: there was no pose model"
    assert as_dict(REAL.model_copy(update={"postures": KnownPostures()}))["postures"]["lying"]["told_from_s"] == 1.0
