from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from streamproc.errors import ConfigError
from streamproc.rules.induction import Counted, Induction, StatisticalInducer
from streamproc.rules.keywords import compile_keyword, meets
from streamproc.rules.schema import RuleModel
from streamproc.rules.taxonomy import ANOMALIES
from streamproc.types import Caption, Fact, ModelRef, Rule, Support

MODEL = ModelRef("perception", "scene", "1")


def person(count: int, action: str) -> Fact:
    return Fact("human", "person", count, action, "", f"{count} people {action}.")


def thing(name: str, count: int = 1) -> Fact:
    return Fact("environment", name, count, "", "", f"{name} x{count}.")


def caption(second: float, *facts: Fact, text: str | None = None) -> Caption:
    return Caption("gate", 0, second, text or " ".join(fact.text for fact in facts), facts, MODEL)


def induce(captions: Sequence[Caption]) -> Induction:
    return StatisticalInducer().induce(captions)


def rule(induction: Induction, rule_id: str) -> Rule:
    return next(rule for rule in induction.rules if rule.id == rule_id)


def ids(induction: Induction) -> list[str]:
    return [rule.id for rule in induction.rules]


def ordinary(seconds: int = 100) -> list[Caption]:
    """People walk all the time, up to four; someone stands in the first half; a bench in one caption of ten."""
    return [
        caption(
            second,
            person(2 + second % 2, "walks"),
            person(1, "walks"),
            *([person(1, "stands")] if second < seconds // 2 else []),
            *([thing("bench")] if second % 10 == 0 else []),
        )
        for second in range(seconds)
    ]


def test_normal_rules_are_counted_over_batches() -> None:
    learned = induce(ordinary())
    walk = rule(learned, "normal-people-walk")
    assert (walk.about, walk.says, walk.severity) == ("human", "normal", "info")
    assert walk.text == "People walk here, up to 4 at a time."
    assert walk.keywords == ("walk",)
    assert walk.support == Support(10, 10)
    assert rule(learned, "normal-people-stand").support == Support(5, 10)
    assert rule(learned, "normal-seen-bench").text == "Benches are seen here, one at a time."


def test_what_is_met_in_few_batches_is_not_called_normal() -> None:
    captions = [*ordinary(), *(caption(100 + s, person(1, "sits")) for s in range(3))]
    assert "normal-people-sit" not in ids(induce(captions))


def test_anomaly_rules_come_by_contrast_with_their_support() -> None:
    learned = induce(ordinary())
    hurry = rule(learned, "people-hurry")
    assert hurry.says == "anomaly"
    assert hurry.support == Support(10, 10)
    assert meets(hurry.keywords, "Three people hurry.") == "hurry"
    assert set(ids(learned)) >= {category.id for category in ANOMALIES}
    assert learned.dropped == ()


def test_a_keyword_that_normal_footage_often_meets_is_dropped_and_one_that_it_seldom_meets_is_doubted() -> None:
    captions = ordinary()
    captions[50:56] = [caption(float(second), text="A child dashes off.") for second in range(50, 56)]
    captions[60] = caption(60.0, text="Nobody sprints.")
    captions[70] = caption(70.0, text="A man runs, past fallen leaves.")
    learned = induce(captions)
    hurry = rule(learned, "people-hurry")
    assert "dash" not in hurry.keywords
    assert {"sprint", "run"} <= set(hurry.keywords)
    assert hurry.support == Support(9, 10)
    assert learned.dropped == (Counted("people-hurry", "dash", 6),)
    assert learned.doubted == (Counted("people-hurry", "run", 1),)


def test_synonyms_are_dropped_together_and_leave_the_text() -> None:
    captions = ordinary()
    captions[:6] = [caption(float(second), person(1, "walks"), thing("bicycle")) for second in range(6)]
    learned = induce(captions)
    cycles = rule(learned, "cycles")
    assert {"bicycle", "bike"}.isdisjoint(cycles.keywords)
    assert "bicycle" not in cycles.text
    assert "scooter" in cycles.text
    assert cycles.support == Support(10, 10)


def test_a_category_that_is_normal_here_has_no_rule() -> None:
    captions = [caption(s, text="A person runs and hurries.") for s in range(40)]
    assert "people-hurry" not in ids(induce(captions))


def test_free_text_is_counted_too() -> None:
    text = "Two people are walking near the stairs. There is no bench. There are trees and a dog."
    learned = induce([caption(s, text=text) for s in range(20)])
    assert {"normal-people-walk", "normal-seen-tree", "normal-seen-dog"} <= set(ids(learned))
    assert "normal-seen-bench" not in ids(learned)
    assert rule(learned, "normal-people-walk").text == "People walk here."
    assert "dog" not in rule(learned, "animals").keywords


def test_too_little_footage_is_the_operators_mistake() -> None:
    with pytest.raises(ConfigError, match="gave 9 captions, and at least 10 are needed"):
        induce(ordinary(9))


def test_the_same_footage_gives_the_same_rules() -> None:
    assert induce(ordinary()) == induce(ordinary())


def test_no_anomaly_keyword_fires_often_on_the_footage_it_was_learned_from() -> None:
    captions = [*ordinary(), *(caption(s, text="A car and a dog wait; a man runs for the bus.") for s in range(9))]
    learned = induce(captions)
    keywords = [keyword for rule in learned.rules if rule.says == "anomaly" for keyword in rule.keywords]
    assert [k for k in keywords for c in captions if meets([k], c.text)] == []


def test_rules_are_valid_unique_and_in_their_sections() -> None:
    learned = induce(ordinary())
    assert len(set(ids(learned))) == len(learned.rules)
    sections = [(rule.about != "human", rule.says != "normal") for rule in learned.rules]
    assert sections == sorted(sections)
    for one in learned.rules:
        fields = {"id": one.id, "about": one.about, "says": one.says, "text": one.text, "keywords": one.keywords}
        assert RuleModel.model_validate(fields).noun().text == one.text
    assert learned.models == (MODEL,)
    assert learned.captions == 100


def test_the_taxonomy_is_well_formed() -> None:
    assert len({category.id for category in ANOMALIES}) == len(ANOMALIES)
    for category in ANOMALIES:
        words = [word for synonyms in category.words for word in synonyms]
        assert len(set(words)) == len(words)
        assert set(category.names) <= set(words)
        assert ("{things}" in category.text) is bool(category.names)
        assert all(compile_keyword(word).parts and re.fullmatch("[a-z ]+", word) for word in words)
