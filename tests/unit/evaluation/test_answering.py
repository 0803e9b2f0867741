from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streamproc.config import DeductionSettings, LlmSettings, VoterWeights
from streamproc.deduction.llm import LlmVoter
from streamproc.errors import ConfigError
from streamproc.evaluation.answering import ByLikeness, ByRules, rules_of
from streamproc.evaluation.items import Choices, Item, Items, Place
from streamproc.modelserver import ModelServer
from streamproc.rules.induction import StatisticalInducer
from streamproc.testing import FakeClock
from streamproc.testing_deduction import rule, rule_set
from streamproc.testing_modelserver import Fail, FakeModelServer
from streamproc.testing_rules import TopicEmbedder

PLACE = Place(id="gate", place="a gate", rules=Path("gate.yaml"))
EMBEDDER = TopicEmbedder("fire burn flame", "fight punch", "fall stumble")
ITEM = Item(
    id="one",
    site="gate",
    caption="A bin burns at the gate.",
    choices=Choices(a="People fight.", b="Someone has a fall.", c="All is calm.", d="There is a fire."),
    normal="c",
    answer="d",
)
RULES = rule_set(
    replace(rule("fires", "anomaly", "A flame is seen.", about="environment"), keywords=("burn",)),
    replace(rule("fights", "anomaly", "People punch each other.", severity="error"), keywords=("fight",)),
)


def by_rules() -> ByRules:
    return ByRules({"gate": RULES}, EMBEDDER, DeductionSettings())


def said(caption: str) -> tuple[bool, str]:
    answer = by_rules().answer(ITEM.model_copy(update={"caption": caption}), PLACE)
    return answer.alarm, answer.choice


def test_the_reasoning_is_the_choice_most_like_the_rule_that_an_alert_would_put_first() -> None:
    assert said("A bin burns at the gate.") == (True, "d")
    assert said("Two men fight.") == (True, "a")
    assert said("Two men fight. A bin burns.") == (True, "a"), "the graver one leads"


def test_where_nothing_speaks_for_an_anomaly_the_choice_is_the_normal_one() -> None:
    assert said("A man walks.") == (False, "c")


def test_a_suspicion_too_weak_to_alarm_is_a_reasoning_all_the_same() -> None:
    quiet = DeductionSettings(weights=VoterWeights(keyword=0.1, semantic=0.0))
    answer = ByRules({"gate": RULES}, EMBEDDER, quiet).answer(ITEM, PLACE)
    assert (answer.alarm, answer.choice) == (False, "d")


def test_the_choices_have_no_part_in_the_verdict() -> None:
    others = Choices(a="x", b="y", c="z", d="w")
    answers = [by_rules().answer(one, PLACE) for one in (ITEM, ITEM.model_copy(update={"choices": others}))]
    assert answers[0].alarm is answers[1].alarm is True
    assert answers[0].why == answers[1].why


def test_each_item_is_decided_by_itself() -> None:
    answerer = by_rules()
    calm = ITEM.model_copy(update={"caption": "A man walks."})
    alone = answerer.answer(calm, PLACE)
    answerer.answer(ITEM, PLACE)
    assert answerer.answer(calm, PLACE) == alone


def test_a_language_model_is_asked_where_there_is_doubt_and_told_where_it_does_not_answer() -> None:
    with FakeModelServer(always=Fail(500)) as server:
        settings = LlmSettings(base_url=server.base_url, model="test-model", deadline_s=5, retries=0)
        client = ModelServer(settings, FakeClock())
        try:
            answerer = ByRules({"gate": RULES}, EMBEDDER, DeductionSettings(), LlmVoter(client, settings))
            doubted = answerer.answer(ITEM, PLACE)
            calm = answerer.answer(ITEM.model_copy(update={"caption": "A man walks."}), PLACE)
        finally:
            client.close()
    assert (doubted.asked, doubted.alarm) == (True, True)
    assert ["language model left out" in note for note in doubted.degraded] == [True]
    assert (calm.asked, calm.degraded) == (False, ())


def test_likeness_takes_the_wording_that_is_nearest() -> None:
    answer = ByLikeness(EMBEDDER).answer(ITEM.model_copy(update={"caption": "A man stumbles."}), PLACE)
    assert (answer.alarm, answer.choice) == (True, "b")
    assert ByLikeness(EMBEDDER).models == ()


def test_rules_are_induced_from_a_places_own_captions_or_loaded(tmp_path: Path) -> None:
    normal = tuple(f"A man rides a bicycle, {n}." for n in range(10))
    places = (
        Place(id="path", place="a path", normal=normal),
        Place(id="yard", place="a yard", normal=tuple(f"A man waits, {n}." for n in range(10))),
    )
    asked = ITEM.model_copy(update={"site": "path"})
    rules, told = rules_of(
        Items(schema_version=1, name="made", sites=places, items=(asked,)), StatisticalInducer(), EMBEDDER
    )
    assert "people-ride" in {one.id for one in rules["yard"].rules}
    assert "people-ride" not in {one.id for one in rules["path"].rules}
    assert told == "induced from 10 normal captions a place: statistics of captions, 10 batches"

    path = tmp_path / "gate.yaml"
    path.write_text("schema_version: 1\nsite: s\ncamera: gate\nversion: 1\nrules: []\n")
    loaded = Place(id="gate", place="a gate", rules=path)
    items = Items(schema_version=1, name="made", sites=(loaded,), items=(ITEM,))
    assert rules_of(items, StatisticalInducer(), EMBEDDER)[0]["gate"].camera == "gate"
    path.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        rules_of(items, StatisticalInducer(), EMBEDDER)
