"""Induction with a language model, end to end over a server that speaks the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from streamproc.config import LlmInduction
from streamproc.errors import ConfigError, InferenceError
from streamproc.modelserver import ModelServer
from streamproc.rules.induction import Contradiction, Induction
from streamproc.rules.language import LanguageModelInducer
from streamproc.rules.prompts import SHA256
from streamproc.rules.strength import Counted
from streamproc.testing import FakeClock
from streamproc.testing_modelserver import Fail, FakeModelServer
from streamproc.testing_rules import TopicEmbedder, captions_of, rule_lists
from streamproc.types import ModelRef, Rule, Support

TEXTS = [f"{number} people walk along the path. There is a bench." for number in range(200)]


@contextmanager
def inducing(reply: Callable[[dict[str, Any]], str] | str, **changes: Any) -> Iterator[LanguageModelInducer]:
    with FakeModelServer(reply=reply) as server:
        settings = LlmInduction.model_validate(
            {
                "kind": "llm",
                "base_url": server.base_url,
                "model": "test-model",
                "revision": "abc",
                "retries": 0,
                **changes,
            }
        )
        client = ModelServer(settings, FakeClock())
        try:
            yield LanguageModelInducer(client, TopicEmbedder("walk", "bicycle rid", "bench"), settings)
        finally:
            client.close()


def induce(reply: Callable[[dict[str, Any]], str] | str, texts: list[str] = TEXTS, **changes: Any) -> Induction:
    with inducing(reply, **changes) as inducer:
        return inducer.induce(captions_of(texts))


def rule(induction: Induction, rule_id: str) -> Rule:
    return next(one for one in induction.rules if one.id == rule_id)


def test_rules_have_their_votes_their_keywords_and_what_wrote_them() -> None:
    learned = induce(
        rule_lists(["People walk along the path."], ["Benches are there."], ["Someone rides a bicycle on the path."])
    )
    assert [one.id for one in learned.rules] == ["normal-walk", "anomaly-ride-bicycle", "normal-bench"]
    assert rule(learned, "normal-walk") == Rule(
        "normal-walk", "human", "normal", "People walk along the path.", ("walk",), "info", Support(10, 10)
    )
    ride = rule(learned, "anomaly-ride-bicycle")
    assert (ride.says, ride.keywords, ride.severity, ride.enabled) == ("anomaly", ("ride", "bicycle"), "warning", True)
    assert learned.models == (
        ModelRef("perception", "words", "1"),
        ModelRef("induction", "test-model", "abc", prompt_sha256=SHA256),
    )
    assert learned.captions == 200
    assert learned.how.startswith("rules by test-model for 10 batches of 1 reference captions; votes counted")


def test_a_made_up_rule_is_proposed_and_not_in_force() -> None:
    made_up = iter(["Someone juggles."])

    def reply(_: dict[str, Any]) -> str:
        return rule_lists(["People walk along the path."], [], ["Someone rides a bicycle.", *made_up])

    learned = induce(reply)
    juggle = rule(learned, "anomaly-juggle")
    assert (juggle.enabled, juggle.support) == (False, Support(1, 10))
    assert rule(learned, "anomaly-ride-bicycle").enabled


def test_keywords_that_normal_footage_meets_are_dropped_or_doubted_with_the_count() -> None:
    said = [f"{text} A man rides past." if n < 4 else text for n, text in enumerate(TEXTS)]
    said = [f"{text} A woman carries a sack." if n >= 150 else text for n, text in enumerate(said)]
    learned = induce(rule_lists(["People walk."], [], ["Someone rides a bicycle.", "Someone carries a weapon."]), said)
    assert learned.doubted == (Counted("anomaly-ride-bicycle", "ride", 4),)
    assert learned.dropped == (Counted("anomaly-carry-weapon", "carry", 50),)
    assert rule(learned, "anomaly-ride-bicycle").keywords == ("ride", "bicycle")
    assert rule(learned, "anomaly-carry-weapon").keywords == ("weapon",)


def test_words_about_things_do_not_count_against_what_people_do() -> None:
    said = [f"{text} The leaves fall." for text in TEXTS]
    learned = induce(rule_lists(["People walk."], [], ["Someone falls."]), said)
    assert rule(learned, "anomaly-fall").keywords == ("fall",)
    assert learned.dropped == ()


def test_a_rule_that_footage_takes_the_last_keyword_from_is_dropped_and_listed() -> None:
    learned = induce(rule_lists([], [], ["Someone walks."]))
    assert learned.rules == ()
    assert learned.contradicted == (Contradiction("Someone walks.", "normal footage often meets all of its keywords"),)
    assert learned.dropped == (Counted("anomaly-walk", "walk", 200),)


def test_words_of_supported_normal_rules_are_no_keywords() -> None:
    learned = induce(rule_lists(["People ride past."], [], ["Someone rides a llama."]), TEXTS)
    assert rule(learned, "anomaly-ride-llama").keywords == ("llama",)


def test_contradictions_are_listed() -> None:
    learned = induce(rule_lists(["People ride bicycles."], [], ["Someone rides a bicycle."]))
    assert learned.contradicted == (Contradiction("Someone rides a bicycle.", "People ride bicycles."),)


def test_unusable_batches_are_told_and_do_not_count() -> None:
    seen: list[str] = []

    def reply(request: dict[str, Any]) -> str:
        content = request["messages"][-1]["content"]
        seen.append(content)
        return "not JSON" if content == seen[0] else rule_lists(["People walk."])

    learned = induce(reply, max_in_flight=1)
    assert rule(learned, "normal-walk").support == Support(9, 9)
    assert "1 of them answered unusably" in learned.how


def test_the_same_captions_and_seed_ask_the_same() -> None:
    asked: list[list[str]] = []
    for seed in (3, 3, 4):
        contents: list[str] = []

        def reply(request: dict[str, Any], into: list[str] = contents) -> str:
            into.append(request["messages"][-1]["content"])
            return rule_lists(["People walk."])

        induce(reply, seed=seed, choice="random", batches=3, references=2, max_in_flight=1)
        asked.append(contents)
    assert len(asked[0]) == 3
    assert asked[0] == asked[1] != asked[2]


def test_references_that_are_given_are_the_ones_asked_about() -> None:
    contents: list[str] = []

    def reply(request: dict[str, Any]) -> str:
        contents.append(request["messages"][-1]["content"])
        return rule_lists(["People walk."])

    captions = captions_of(TEXTS)
    with inducing(reply) as inducer:
        learned = inducer.induce(captions, [captions[:1], captions[7:8]])
    assert [("0 people" in one, "7 people" in one) for one in sorted(contents)] == [(True, False), (False, True)]
    assert rule(learned, "normal-walk").support == Support(2, 2)


def test_too_few_captions_and_a_server_that_fails_are_said() -> None:
    with pytest.raises(ConfigError, match="gave 9 captions"):
        induce(rule_lists(), TEXTS[:9])
    with FakeModelServer(always=Fail(503, "loading")) as server:
        settings = LlmInduction.model_validate(
            {"kind": "llm", "base_url": server.base_url, "model": "test-model", "retries": 0}
        )
        client = ModelServer(settings, FakeClock())
        try:
            with pytest.raises(InferenceError, match=r"test-model at .*(loading|is down)"):
                LanguageModelInducer(client, TopicEmbedder("walk"), settings).induce(captions_of(TEXTS))
        finally:
            client.close()


def test_ids_stay_apart_where_the_same_words_tell_several_rules() -> None:
    learned = induce(rule_lists([], [], ["Someone rides a bicycle.", "Someone rides without a bicycle."]))
    assert [one.id for one in learned.rules] == ["anomaly-ride-bicycle", "anomaly-ride"]
