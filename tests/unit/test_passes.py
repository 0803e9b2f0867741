"""The passes that learning makes: a model that fails now and then costs windows, one that fails always ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamproc import passes
from streamproc.errors import ConfigError, InferenceError, ReplyError
from streamproc.passes import Learning
from streamproc.rules.induction import Induction
from streamproc.site import load_site
from streamproc.testing import FakeClock
from streamproc.testing_deduction import observed
from streamproc.testing_wiring import HURRIES, WALKS, FakeBackends, write_site
from streamproc.types import ObservedWindow, Rule

Says = Callable[[ObservedWindow], str | Exception]


@pytest.fixture
def learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Says], Learning]:
    def make(says: Says) -> Learning:
        monkeypatch.setattr(passes, "Backends", lambda *_: FakeBackends(says))
        loaded = load_site(write_site(tmp_path))
        return Learning(loaded, loaded.camera("gate"), [], FakeClock())

    return make


def windows(count: int) -> Iterator[ObservedWindow]:
    return (observed(1.0 + number) for number in range(count))


def test_windows_that_the_model_fails_on_are_left_out_in_their_place(learning: Callable[[Says], Learning]) -> None:
    learner = learning(lambda one: ReplyError("not JSON", "?") if one.window.end_s in (2.0, 4.0) else WALKS)
    captions = learner.captions(windows(12))
    assert [caption is None for caption in captions] == [number in (1, 3) for number in range(12)]
    assert learner.lost == 2
    induction = learner.induce(captions)
    assert induction.captions == 10
    assert [rule.id for rule in induction.rules if rule.says == "normal"] == ["normal-people-walk"]


def test_a_model_that_fails_on_more_than_a_tenth_ends_it(learning: Callable[[Says], Learning]) -> None:
    learner = learning(lambda one: InferenceError("503") if one.window.end_s % 5 == 0 else WALKS)
    with pytest.raises(InferenceError, match="503"):
        learner.captions(windows(1000))
    assert learner.lost == 4


def test_a_few_words_are_too_few_to_learn_from(learning: Callable[[Says], Learning]) -> None:
    learner = learning(lambda _: WALKS)
    with pytest.raises(ConfigError, match="gave 3 captions"):
        learner.induce([*learner.captions(windows(3)), None])


def test_footage_is_scored_by_the_rules_window_after_window(learning: Callable[[Says], Learning]) -> None:
    said: list[str | Exception] = [WALKS, HURRIES, ReplyError("not JSON", "?"), HURRIES]
    says = iter(said)
    learner = learning(lambda _: next(says))
    rule = Rule("people-hurry", "human", "anomaly", "Somebody hurries.", ("hurry",))
    scores = learner.scores(Induction("by hand", (rule,), (), (), 0, ()), windows(4))
    assert len(scores) == 3
    assert scores[0] < scores[1] < scores[2]


def test_a_server_is_asked_whether_it_can_before_anything_is_read(learning: Callable[[Says], Learning]) -> None:
    class Server:
        def check(self) -> None:
            raise ConfigError("does not serve vlm")

    learner = learning(lambda _: WALKS)
    learner.require_model_server()  # there is none
    backends: Any = learner._backends
    backends.servers["deduction"] = Server()
    learner.require_model_server()  # it has no part in learning
    backends.servers["perception"] = Server()
    with pytest.raises(ConfigError, match="does not serve vlm"):
        learner.require_model_server()
    del backends.servers["perception"]
    backends.writer = Server()
    with pytest.raises(ConfigError, match="does not serve vlm"):
        learner.require_model_server()
    learner.close()
    assert backends.closed
