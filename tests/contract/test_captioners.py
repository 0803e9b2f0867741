"""What every captioner keeps to."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from streamproc.config import VlmPerception
from streamproc.modelserver import ModelServer
from streamproc.perception.captioner import NOTHING_SEEN, Captioner
from streamproc.perception.scene import SceneCaptioner
from streamproc.perception.vlm import VlmCaptioner
from streamproc.testing import FakeClock
from streamproc.testing_modelserver import FakeModelServer
from streamproc.types import Frame, Measurement, ObservedWindow, Track, Window

SIDE = 120
GROUND = np.random.default_rng(0).integers(80, 120, (SIDE, SIDE, 3), np.uint8)


def window(run: int, camera_id: str = "gate", frames: int = 4) -> Window:
    """A patch moves to the right."""
    pictures = []
    for i in range(frames):
        picture = GROUND.copy()
        picture[40:80, 10 + 8 * i : 30 + 8 * i] = 250
        pictures.append(Frame(camera_id, run, i / 5, datetime(2026, 1, 1, tzinfo=UTC), picture))
    return Window(camera_id, run, 3, (tuple(pictures),))


def speed(value: float, track_id: int) -> Measurement:
    return Measurement("speed", value, "times the normal speed here", 1.0, value, 1.2, None, track_id)


WALKER = Track(1, "person", 0.9, (0.3, 0.3, 0.45, 0.7), 4.0, speed(0.6, 1))
HURRIER = Track(2, "person", 0.8, (0.6, 0.3, 0.75, 0.7), 4.0, speed(2.5, 2))
CAR = Track(3, "car", 0.8, (0.1, 0.7, 0.3, 0.9), 9.0)
SCENES: dict[str, ObservedWindow] = {
    "empty": ObservedWindow(window(1), (), (), 0.0),
    "busy": ObservedWindow(window(2), (CAR, WALKER, HURRIER), (speed(2.5, 2),), 0.1),
    "a car": ObservedWindow(window(3), (CAR,), (), 0.1),
    "one picture": ObservedWindow(window(4, frames=1), (WALKER,), (), 0.0),
    "not judged": ObservedWindow(window(5), (WALKER,), (), 0.1, not_judged=("speed: 1 frame/s, needs 5",)),
}


def words(request: dict[str, Any]) -> str:
    """Things first and a repetition, as models write; nothing for a single picture; a mark that is none."""
    parts = request["messages"][-1]["content"]
    if len(parts) == 2:
        return '{"people": [], "things": []}'
    car = {"count": 1, "what": "Car ", "action": "", "place": "on the left", "sentence": "A car stands on the left"}
    walk = {"count": 2, "who": "person", "action": "Walks", "place": "", "sentence": " Two people walk  by. "}
    return json.dumps({"things": [car, car], "people": [walk | {"mark": 1}, walk | {"count": 0, "mark": 9}]})


@pytest.fixture(params=["scene", "vlm"], scope="module")
def captioner(request: pytest.FixtureRequest) -> Iterator[Captioner]:
    if request.param == "scene":
        yield SceneCaptioner()
        return
    with FakeModelServer(reply=words) as server:
        at = {"base_url": server.base_url, "model": "test-model", "image_width_px": 64, "deadline_s": 20}
        settings = VlmPerception.model_validate({"kind": "vlm"} | at)
        client = ModelServer(settings, FakeClock())
        yield VlmCaptioner(client, settings)
        client.close()


@pytest.fixture(params=SCENES)
def observed(request: pytest.FixtureRequest) -> ObservedWindow:
    return SCENES[request.param]


def test_a_caption_is_of_its_window(captioner: Captioner, observed: ObservedWindow) -> None:
    caption = captioner.caption(observed)
    at = observed.window
    assert (caption.camera_id, caption.run, caption.pts_s) == (at.camera_id, at.run, at.end_s)


def test_its_facts_texts_are_its_text(captioner: Captioner, observed: ObservedWindow) -> None:
    caption = captioner.caption(observed)
    assert caption.text == (" ".join(fact.text for fact in caption.facts) or NOTHING_SEEN)


def test_people_come_before_things(captioner: Captioner, observed: ObservedWindow) -> None:
    about = [fact.about for fact in captioner.caption(observed).facts]
    assert about == sorted(about, key=lambda one: one != "human")


def test_each_fact_is_one_sentence_said_once_of_something(captioner: Captioner, observed: ObservedWindow) -> None:
    facts = captioner.caption(observed).facts
    for fact in facts:
        assert fact.text == " ".join(fact.text.split())
        assert fact.text[-1] in ".!?"
        assert fact.count > 0
        assert fact.subject
        assert fact.subject == fact.subject.strip().lower()
        assert fact.action == fact.action.strip()
    assert len({fact.text for fact in facts}) == len(facts)


def test_facts_name_only_tracks_and_measurements_that_are_there(captioner: Captioner, observed: ObservedWindow) -> None:
    tracks = {track.track_id for track in observed.tracks}
    measured = [*observed.measurements, *(track.speed for track in observed.tracks)]
    for fact in captioner.caption(observed).facts:
        assert set(fact.track_ids) <= tracks
        assert fact.measurement is None or fact.measurement in measured


def test_people_and_things_are_told(captioner: Captioner) -> None:
    facts = captioner.caption(SCENES["busy"]).facts
    assert {fact.about for fact in facts} == {"human", "environment"}
    assert sum(fact.count for fact in facts if fact.about == "human") == 2


def test_it_says_which_model_spoke(captioner: Captioner, observed: ObservedWindow) -> None:
    model = captioner.caption(observed).model
    assert model.role == "perception"
    assert model.name
    assert model.revision
    # What a site is told: either this is a stand-in, or it is known by which words it was asked.
    assert (model.stand_in_for is None) == (model.prompt_sha256 is not None)


def test_the_same_window_is_put_into_the_same_words(captioner: Captioner, observed: ObservedWindow) -> None:
    assert captioner.caption(observed) == captioner.caption(observed)


def test_a_window_is_described_by_itself_whichever_came_before(captioner: Captioner) -> None:
    alone = [captioner.caption(one) for one in SCENES.values()]
    assert [captioner.caption(one) for one in reversed(SCENES.values())] == alone[::-1]


def test_threads_share_it(captioner: Captioner) -> None:
    several = list(SCENES.values()) * 4
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(captioner.caption, several))
    assert at_once == [captioner.caption(one) for one in several]


def test_pictures_are_left_as_they_are(captioner: Captioner, observed: ObservedWindow) -> None:
    frames = [frame for burst in observed.window.bursts for frame in burst]
    before = [np.array(frame.picture) for frame in frames]
    captioner.caption(observed)
    assert all((np.asarray(frame.picture) == pixels).all() for frame, pixels in zip(frames, before, strict=True))


def test_a_caption_can_be_sent_to_another_process(captioner: Captioner) -> None:
    caption = captioner.caption(SCENES["busy"])
    assert pickle.loads(pickle.dumps(caption)) == caption  # noqa: S301 - our own
