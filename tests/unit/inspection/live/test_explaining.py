"""Defects in words: asked beside everything, told with what follows, and what is missing is said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from streamproc.config import ExplainSettings
from streamproc.errors import ChannelClosed
from streamproc.inspection.answers.explainer import Explainer
from streamproc.inspection.answers.routes import make_route
from streamproc.inspection.answers.settings import PictureRoute
from streamproc.inspection.live.explaining import MOST_OVER, MOST_WAITING, Explaining, _Asked
from streamproc.inspection.live.findings import Key
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock
from streamproc.testing_modelserver import Fail, FakeModelServer, Hang
from streamproc.types import Explained

VALVE: Key = ("gate", "region valve", None)
PIPE: Key = ("gate", "region pipe", None)
SAID = {"there": "yes", "what": "A dent.", "why": "", "prevention": "Pad it."}


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer(reply=json.dumps(SAID)) as server:
        yield server


@pytest.fixture
def explaining(fake: FakeModelServer) -> Iterator[Explaining]:
    settings = ExplainSettings(base_url=fake.base_url, model="test-model", retries=0, deadline_s=20)
    server = ModelServer(settings, SystemClock())
    yield Explaining(Explainer(server, settings, make_route(PictureRoute())), server.close, again_s=0)
    server.close()


@contextmanager
def working(explaining: Explaining) -> Iterator[None]:
    def work() -> None:
        with pytest.raises(ChannelClosed):
            explaining.work()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        explaining.close()
        thread.join(10)
    assert not thread.is_alive()


def ask(explaining: Explaining, key: Key = VALVE, score: float = 0.8) -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[1, 1] = 1
    explaining.ask(key, "valve", np.full((48, 48, 3), 90, np.uint8), score, heat)


def answered(explaining: Explaining, key: Key = VALVE) -> Explained:
    assert explaining._waiting.settle(key[0], 20)
    told = explaining.told(key)
    assert told is not None
    return told


def test_a_defect_is_explained_in_the_models_own_words(fake: FakeModelServer, explaining: Explaining) -> None:
    assert explaining.told(VALVE) is None
    ask(explaining)
    assert explaining.told(VALVE) is None
    with working(explaining):
        told = answered(explaining)
    assert told.text == 'The model test-model, shown a valve: "A dent." To prevent it: "Pad it."'
    assert told.model is not None
    assert (told.model.role, told.model.name, told.missing) == ("explanation", "test-model", "")
    text = fake.requests[0]["messages"][1]["content"][-1]["text"]
    assert "shows a valve" in text
    assert "highly suspicious" in text


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"there": "no", "what": "All is well."}, "nothing is wrong with it."),
        ({"there": "yes", "what": "", "prevention": ""}, "something is wrong with it."),
    ],
)
def test_a_model_that_sees_nothing_or_cannot_say_what_is_told_as_it_is(
    fake: FakeModelServer, explaining: Explaining, said: dict[str, str], words: str
) -> None:
    fake.reply = json.dumps(SAID | said)
    ask(explaining)
    with working(explaining):
        assert answered(explaining).text == f"The model test-model, shown a valve: {words}"


def test_without_an_answer_it_is_said_why(fake: FakeModelServer, explaining: Explaining) -> None:
    fake.always = Fail(400, "not a multimodal model")
    ask(explaining)
    with working(explaining):
        told = answered(explaining)
    assert (told.text, told.model) == ("", None)
    assert told.missing.startswith("no explanation: route picture: ")
    assert "not a multimodal model" in told.missing


def test_what_is_forgotten_is_not_asked_about(fake: FakeModelServer, explaining: Explaining) -> None:
    car: Key = ("gate", "object car", 7)
    ask(explaining)
    ask(explaining, car)
    explaining.forget(VALVE)
    with working(explaining):
        answered(explaining, car)
    assert len(fake.requests) == 1
    assert explaining.told(VALVE) is None


def test_where_too_many_wait_one_more_goes_without(explaining: Explaining) -> None:
    for number in range(MOST_WAITING + 1):
        ask(explaining, ("gate", "object car", number))
    assert explaining.told(("gate", "object car", 0)) is None
    told = explaining.told(("gate", "object car", MOST_WAITING))
    assert told == Explained("", missing="no explanation: 32 other defects wait for one")


def test_the_end_waits_for_no_answer(fake: FakeModelServer, explaining: Explaining) -> None:
    fake.always = Hang()
    ask(explaining)
    with working(explaining):
        assert fake.asked.acquire(timeout=10)
    ask(explaining)
    assert explaining.told(VALVE) is None


def test_a_request_that_failed_is_made_once_more(fake: FakeModelServer, explaining: Explaining) -> None:
    fake.script.append(Fail(500, "out of memory"))
    ask(explaining)
    with working(explaining):
        assert '"A dent."' in answered(explaining).text
    assert len(fake.requests) == 2


def test_it_is_made_no_third_time_and_one_that_was_refused_no_second(
    fake: FakeModelServer, explaining: Explaining
) -> None:
    fake.script.extend([Fail(500, "out of memory")] * 3)
    ask(explaining)
    with working(explaining):
        assert "out of memory" in answered(explaining).missing
        assert len(fake.requests) == 2
        fake.script.clear()
        fake.always = Fail(413, "too large")
        ask(explaining)
        answered(explaining)
    assert len(fake.requests) == 3


def test_between_the_two_it_is_said_why_there_is_none_and_the_end_waits_for_neither(fake: FakeModelServer) -> None:
    fake.always = Fail(500, "out of memory")
    settings = ExplainSettings(base_url=fake.base_url, model="test-model", retries=0, deadline_s=20)
    server = ModelServer(settings, SystemClock())
    slow = Explaining(Explainer(server, settings, make_route(PictureRoute())), server.close, again_s=1000)
    paused = threading.Event()
    tell = slow._tell

    def telling(asked: _Asked, told: Explained) -> None:
        tell(asked, told)
        paused.set()

    slow._tell = telling  # type: ignore[method-assign]
    ask(slow)
    with working(slow):
        assert paused.wait(10)
        (told,) = slow.take("gate")
    assert "out of memory" in told.missing


def holding(fake: FakeModelServer) -> tuple[threading.Event, threading.Event]:
    """It is set once the model is asked; it answers once the other is."""
    asked, answer = threading.Event(), threading.Event()

    def reply(_: object) -> str:
        asked.set()
        return json.dumps(SAID) if answer.wait(10) else ""

    fake.reply = reply
    return asked, answer


def test_what_was_said_of_a_thing_that_is_over_is_there_for_its_incidents_end(
    fake: FakeModelServer, explaining: Explaining
) -> None:
    asked, answer = holding(fake)
    ask(explaining)
    with working(explaining):
        assert asked.wait(10)
        explaining.forget(VALVE)  # while it is being asked about
        answer.set()
        assert explaining._waiting.settle("gate", 20)
        assert explaining.take("yard") == ()
        (told,) = explaining.take("gate")
        assert '"A dent."' in told.text
        assert explaining.take("gate") == ()  # another incident's


def test_an_answer_that_comes_after_its_incidents_end_is_told_of_no_other(
    fake: FakeModelServer, explaining: Explaining
) -> None:
    asked, answer = holding(fake)
    ask(explaining)
    with working(explaining):
        assert asked.wait(10)
        explaining.forget(VALVE)
        assert explaining.take("gate") == ()  # it is resolved
        ask(explaining, PIPE)
        answer.set()
        assert explaining._waiting.settle("gate", 20)
        assert len(fake.requests) == 2
        explaining.forget(PIPE)
        assert len(explaining.take("gate")) == 1


def test_a_late_answer_is_not_that_of_the_same_things_next_defect(explaining: Explaining) -> None:
    ask(explaining)
    before = explaining._asked[VALVE]
    explaining.forget(VALVE)
    explaining.take("gate")
    ask(explaining)
    explaining._tell(before, Explained("Of before."))
    assert explaining.told(VALVE) is None
    assert explaining.take("gate") == ()


def test_what_was_said_of_a_thing_stays_where_another_fails_before_the_incidents_end(explaining: Explaining) -> None:
    ask(explaining)
    explaining._tell(explaining._asked[VALVE], Explained("Of the valve."))
    explaining.forget(VALVE)
    ask(explaining, PIPE)
    assert [one.text for one in explaining.take("gate")] == ["Of the valve."]


def test_a_defect_that_outlasts_its_incident_is_told_of_in_the_next(explaining: Explaining) -> None:
    ask(explaining)
    still = explaining._asked[VALVE]
    assert explaining.take("gate") == ()
    explaining._tell(still, Explained("Of the valve."))
    explaining.forget(VALVE)
    assert [one.text for one in explaining.take("gate")] == ["Of the valve."]


def test_only_the_last_few_that_are_over_are_remembered(explaining: Explaining) -> None:
    cars: list[Key] = [("gate", "object car", number) for number in range(MOST_OVER + 1)]
    ask(explaining)  # goes on
    for key in cars:
        ask(explaining, key)
        explaining._tell(explaining._asked[key], Explained(f"Of {key[2]}."))
        explaining.forget(key)
    explaining._tell(explaining._asked[VALVE], Explained("Of the valve."))
    assert [one.text for one in explaining.take("gate")] == [*(f"Of {key[2]}." for key in cars[1:]), "Of the valve."]
