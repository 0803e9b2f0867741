from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from streamproc.perception import prompts
from streamproc.perception.pictures import close_up, data_uri, marked
from streamproc.perception.prompts import PersonEntry, Scene, ThingEntry
from streamproc.perception.regions import Region
from streamproc.perception.vlm import _facts
from streamproc.types import Frame


def frame(pts_s: float, width_px: int = 64, height_px: int = 48) -> Frame:
    picture = np.zeros((height_px, width_px, 3), np.uint8)
    picture[..., 0] = 200  # red in RGB
    return Frame("gate", 1, pts_s, datetime(2026, 1, 1, tzinfo=UTC), picture)


def test_wide_pictures_are_scaled_down_narrow_ones_kept_and_colours_stay() -> None:
    for width_px, expected in ((32, (24, 32)), (640, (48, 64))):
        head, _, data = data_uri(frame(0.0), width_px).partition(",")
        assert head == "data:image/jpeg;base64"
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        assert decoded.shape[:2] == expected
        blue, green, red = decoded.reshape(-1, 3).mean(0)
        assert red > 190
        assert blue < 10
        assert green < 10


def test_entries_become_facts_people_first_without_empty_or_repeated_ones() -> None:
    person = PersonEntry(count=2, who="Person ", action="Walks", place="on the left", sentence="Two people  walk")
    scene = Scene(
        people=[person, person, person.model_copy(update={"count": 0, "sentence": "Nobody is there."})],
        things=[
            ThingEntry(count=1, what="cart", action="", place="", sentence="A cart stands by the door."),
            ThingEntry(count=1, what="x", action="", place="", sentence=" "),
        ],
    )
    walk, cart = _facts(scene)
    assert (walk.about, walk.subject, walk.count, walk.action, walk.text) == (
        "human",
        "person",
        2,
        "walks",
        "Two people walk.",
    )
    assert (cart.about, cart.subject, cart.text) == ("environment", "cart", "A cart stands by the door.")


def test_an_entry_is_tied_to_the_track_that_its_mark_is_drawn_around() -> None:
    found = (Region(((0.0, 0.0, 0.1, 0.1),), 7, 1.0), Region(((0.5, 0.5, 0.6, 0.6),), None, 0.5))
    entries = [
        PersonEntry(count=1, who="person", action="rides", place="", sentence=f"Number {mark}.", mark=mark)
        for mark in (1, 2, 0, 3)
    ]
    facts = _facts(Scene(people=entries, things=[]), found)
    assert [fact.track_ids for fact in facts] == [(7,), (), (), ()]
    assert all(fact.measurement is None for fact in facts)  # what was measured is another witness


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("A person in box 1 rides a cart.", "A person rides a cart."),
        ("A person (mark 2) rides a cart.", "A person rides a cart."),
        ("A person within the outline number 3 rides.", "A person rides."),
        ("Someone stacks box 12 high.", "Someone stacks high."),
        ("A person carries a box by the gate.", "A person carries a box by the gate."),
        ("Benchmark 5 stands there.", "Benchmark 5 stands there."),
    ],
)
def test_what_is_said_of_the_outlines_themselves_is_left_out(said: str, kept: str) -> None:
    person = PersonEntry(count=1, who="person", action="", place="", sentence=said)
    assert _facts(Scene(people=[person], things=[]))[0].text == kept


def test_a_mark_surrounds_what_it_marks_on_a_copy() -> None:
    pixels = np.full((240, 320, 3), 90, np.uint8)
    pixels[100:140, 100:140] = 200
    copy = marked(pixels, {1: (100 / 320, 100 / 240, 140 / 320, 140 / 240)})
    assert (pixels[90:150, 90:150] != 255).all()
    assert (copy[100:140, 100:140] == 200).all()
    assert (copy[94, 100:140] == (255, 0, 255)).all()
    edge = marked(pixels, {2: (0.0, 0.0, 0.2, 0.2)})  # its number has no room above
    assert (edge == (0, 255, 255)).all(2).sum() > 100


def test_a_close_up_shows_the_whole_tube_enlarged_and_no_larger_than_asked() -> None:
    shown = Frame("gate", 1, 0.0, datetime(2026, 1, 1, tzinfo=UTC), np.zeros((240, 320, 3), np.uint8))
    on_host = np.asarray(shown.picture)
    on_host[10:30, 280:310] = 255
    cut = close_up(shown, (280 / 320, 10 / 240, 310 / 320, 30 / 240), 640)
    assert (
        cut.shape[0] == cut.shape[1] == pytest.approx(3 * 39, abs=3)
    )  # 30 px and 15 % on each side, three times as large
    assert (cut > 128).sum() / 3 == pytest.approx(9 * 20 * 30, rel=0.05)
    assert close_up(shown, (0.0, 0.0, 1.0, 1.0), 64).shape[:2] == (48, 64)


def test_the_prompt_is_hashed_and_names_no_benchmarks_anomaly() -> None:
    whole = "\0".join(
        (prompts.VERSION, prompts._SYSTEM, prompts._MARKS, prompts._FORM, prompts._USER, prompts._USER_CLOSE)
    )
    assert hashlib.sha256(whole.encode()).hexdigest() == prompts.SHA256
    assert prompts.system(marks=True) + prompts.user(3, 1, 1.0) == (
        prompts._SYSTEM
        + prompts._MARKS
        + prompts._FORM % {"mark": ', "mark"'}
        + prompts._USER_CLOSE.format(span="1.0 seconds", whole=3, close="The last one shows a")
    )
    for word in ("bicycle", "bike", "skate", "scooter", "run", "jump", "fight", "throw", "loiter", "fall", "chase"):
        assert word not in whole.lower()


def test_the_schema_lets_an_entry_name_only_marks_that_are_there() -> None:
    for name in ("PersonEntry", "ThingEntry"):
        entry = prompts.schema(2)["$defs"][name]
        assert entry["properties"]["mark"]["enum"] == [0, 1, 2]
        assert "mark" in entry["required"]
        assert "mark" not in prompts.schema(0)["$defs"][name]["properties"]
    assert Scene.model_json_schema()["$defs"]["PersonEntry"]["properties"]["mark"]["default"] == 0


def test_the_schema_has_an_end_and_the_reply_is_read_without_it() -> None:
    form = prompts.schema(1)
    assert {several["maxItems"] for several in form["properties"].values()} == {12}
    for entry in form["$defs"].values():
        for name, field in entry["properties"].items():
            assert name == "mark" or {"maxLength", "maximum"} & field.keys(), name
    assert "maxItems" not in str(Scene.model_json_schema())
    assert PersonEntry(count=1, who="w" * 50, action="", place="", sentence="s" * 300).sentence == "s" * 300
