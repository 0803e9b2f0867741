from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from streamproc.perception import prompts
from streamproc.perception.prompts import PersonEntry, Scene, ThingEntry
from streamproc.perception.vlm import _facts, data_uri, spread
from streamproc.types import Frame, Window


def frame(pts_s: float, width_px: int = 64, height_px: int = 48) -> Frame:
    picture = np.zeros((height_px, width_px, 3), np.uint8)
    picture[..., 0] = 200  # red in RGB
    return Frame("gate", 1, pts_s, datetime(2026, 1, 1, tzinfo=UTC), picture)


def window(times: tuple[tuple[float, ...], ...]) -> Window:
    return Window("gate", 1, 0, tuple(tuple(frame(t) for t in burst) for burst in times))


def test_pictures_are_spread_evenly_with_both_ends() -> None:
    ten = window(tuple((i * 0.2, i * 0.2 + 0.04) for i in range(5)))
    assert [f.pts_s for f in spread(ten, 4)] == pytest.approx([0.0, 0.24, 0.6, 0.84])
    assert [f.pts_s for f in spread(ten, 2)] == pytest.approx([0.0, 0.84])
    assert [f.pts_s for f in spread(ten, 1)] == pytest.approx([0.84])
    assert len(spread(ten, 32)) == 10
    assert len(spread(window(((0.0,),)), 4)) == 1


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


def test_the_prompt_is_hashed_and_names_no_benchmarks_anomaly() -> None:
    whole = "\0".join((prompts.VERSION, prompts.SYSTEM, prompts.USER))
    assert hashlib.sha256(whole.encode()).hexdigest() == prompts.SHA256
    for word in ("bicycle", "bike", "skate", "scooter", "run", "jump", "fight", "throw", "loiter", "fall", "chase"):
        assert word not in whole.lower()
