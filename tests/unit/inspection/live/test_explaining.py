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
from streamproc.inspection.live.explaining import MOST_WAITING, Explaining
from streamproc.inspection.live.findings import Key, Told
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock
from streamproc.testing_modelserver import Fail, FakeModelServer, Hang

VALVE: Key = ("gate", "region valve", None)
SAID = {"there": "yes", "what": "A dent.", "why": "", "prevention": "Pad it."}


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer(reply=json.dumps(SAID)) as server:
        yield server


@pytest.fixture
def explaining(fake: FakeModelServer) -> Iterator[Explaining]:
    settings = ExplainSettings(base_url=fake.base_url, model="test-model", retries=0, deadline_s=20)
    server = ModelServer(settings, SystemClock())
    yield Explaining(Explainer(server, settings, make_route(PictureRoute())), server.close)
    server.close()


@contextmanager
def working(explaining: Explaining) -> Iterator[None]:
    def work() -> None:
        with pytest.raises(ChannelClosed):
            explaining.work()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    explaining.close()
    thread.join(10)
    assert not thread.is_alive()


def ask(explaining: Explaining, key: Key = VALVE, score: float = 0.8) -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[1, 1] = 1
    explaining.ask(key, "valve", np.full((48, 48, 3), 90, np.uint8), score, heat)


def answered(explaining: Explaining, key: Key = VALVE) -> Told:
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
    assert told.text == 'The model test-model, shown this: "A dent." To prevent it: "Pad it."'
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
        assert answered(explaining).text == f"The model test-model, shown this: {words}"


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
    assert told == Told("", missing="no explanation: 32 other defects wait for one")


def test_the_end_waits_for_no_answer(fake: FakeModelServer, explaining: Explaining) -> None:
    fake.always = Hang()
    ask(explaining)
    with working(explaining):
        assert fake.asked.acquire(timeout=10)
    ask(explaining)
    assert explaining.told(VALVE) is None
