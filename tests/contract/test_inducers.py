"""What every inducer keeps to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamproc.config import LlmInduction
from streamproc.errors import ConfigError
from streamproc.modelserver import ModelServer
from streamproc.rules.inducer import Inducer
from streamproc.rules.induction import StatisticalInducer
from streamproc.rules.language import LanguageModelInducer
from streamproc.rules.learned import rule_set
from streamproc.rules.schema import RuleModel
from streamproc.testing import FakeClock
from streamproc.testing_modelserver import FakeModelServer
from streamproc.testing_rules import TopicEmbedder, captions_of, rule_lists

REPLY = rule_lists(
    ["People walk along the path.", "People stand."], ["Benches are there."], ["Someone runs.", "Someone falls."]
)
TEXTS = [f"{n} people walk along the path. One person stands by a bench." for n in range(60)]


@pytest.fixture(params=["statistical", "llm"])
def inducer(request: pytest.FixtureRequest) -> Iterator[Inducer]:
    if request.param == "statistical":
        yield StatisticalInducer()
        return
    with FakeModelServer(reply=REPLY) as server:
        settings = LlmInduction.model_validate({"kind": "llm", "base_url": server.base_url, "model": "test-model"})
        client = ModelServer(settings, FakeClock())
        yield LanguageModelInducer(client, TopicEmbedder("walk", "stand", "run", "fall", "bench"), settings)
        client.close()


def test_rules_are_valid_unique_and_in_order(inducer: Inducer) -> None:
    rules = inducer.induce(captions_of(TEXTS)).rules
    assert len({one.id for one in rules}) == len(rules)
    kinds = [(one.about != "human", one.says != "normal") for one in rules]
    assert kinds == sorted(kinds)
    for one in rules:
        RuleModel.model_validate(
            {"id": one.id, "about": one.about, "says": one.says, "text": one.text, "keywords": one.keywords}
        )


def test_normal_rules_and_contrast_are_learned_with_their_support(inducer: Inducer) -> None:
    rules = inducer.induce(captions_of(TEXTS)).rules
    walks = [one for one in rules if one.says == "normal" and "walk" in one.keywords]
    assert len(walks) == 1
    runs = [one for one in rules if one.says == "anomaly" and "run" in one.keywords]
    assert len(runs) == 1
    assert all(one.support is not None and 0 < one.support.k <= one.support.n <= 10 for one in rules if one.enabled)


def test_the_same_captions_give_the_same_rules(inducer: Inducer) -> None:
    assert inducer.induce(captions_of(TEXTS)) == inducer.induce(captions_of(TEXTS))


def test_what_all_footage_meets_is_no_keyword_of_an_anomaly(inducer: Inducer) -> None:
    learned = inducer.induce(captions_of([f"{text} A woman runs past." for text in TEXTS]))
    assert not any("run" in one.keywords for one in learned.rules if one.says == "anomaly")
    assert "run" in {one.keyword for one in learned.dropped}


def test_what_is_met_now_and_then_weighs_less(inducer: Inducer) -> None:
    learned = inducer.induce(captions_of([*TEXTS[:58], *(f"{text} A woman runs past." for text in TEXTS[58:])]))
    rules = rule_set(learned, "site", "gate").rules
    weighs = [
        w
        for one in rules
        if one.says == "anomaly"
        for k, w in zip(one.keywords, one.strengths, strict=True)
        if k == "run"
    ]
    assert len(weighs) == 1
    assert 0 < weighs[0] < 1
    assert all(0 <= weight <= 1 for one in rules for weight in one.strengths)


def test_normal_is_read_from_the_references_that_are_given(inducer: Inducer) -> None:
    captions = captions_of(TEXTS)
    learned = inducer.induce(captions, [captions[:1], captions[1:2], captions[2:3]])
    assert {one.support.n for one in learned.rules if one.says == "normal" and one.support} == {3}
    assert learned.captions == len(captions)


def test_few_captions_are_refused(inducer: Inducer) -> None:
    with pytest.raises(ConfigError, match="gave 3 captions"):
        inducer.induce(captions_of(TEXTS[:3]))
