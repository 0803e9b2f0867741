from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from streamproc.errors import ConfigError
from streamproc.rules.induction import Induction, StatisticalInducer
from streamproc.rules.keywords import compile_keyword, meets
from streamproc.rules.schema import RuleModel
from streamproc.rules.strength import Counted
from streamproc.rules.taxonomy import ANOMALIES, WEAK
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


def every(step: int, seconds: int, *facts: Fact, text: str | None = None) -> list[Caption]:
    """Ordinary footage; each ``step``-th of its first ``seconds`` captions tells of something else instead."""
    captions = ordinary()
    captions[:seconds:step] = [caption(float(second), *facts, text=text) for second in range(0, seconds, step)]
    return captions


def test_a_keyword_that_is_often_met_is_dropped_and_one_that_is_seldom_met_is_doubted() -> None:
    captions = every(10, 60, text="A child laughs.")
    captions[61] = caption(61.0, text="Nobody shouts.")
    captions[71] = caption(71.0, text="A man waves, past fallen leaves.")
    learned = induce(captions)
    gesture = rule(learned, "people-gesture")
    assert "laugh" not in gesture.keywords
    assert {"shout", "wave"} <= set(gesture.keywords)
    assert learned.dropped == (Counted("people-gesture", "laugh", 6),)
    assert learned.doubted == (Counted("people-gesture", "wave", 1),)


def test_of_several_clips_most_must_know_a_habit() -> None:
    def clips(running: int) -> list[Caption]:
        return [
            replace(caption(second, text="A man runs." if clip < running and not second % 3 else "Trees."), run=clip)
            for clip in range(3)
            for second in range(100)
        ]

    assert "run" in rule(induce(clips(1)), "people-hurry").keywords  # in 11 % of all captions
    assert "people-hurry" not in ids(induce(clips(2)))


def test_a_word_that_a_third_of_the_captions_meet_tells_nothing_even_if_all_are_in_one_clip() -> None:
    captions = [*ordinary(60), *(replace(caption(s, text="A child laughs."), run=1) for s in range(60))]
    captions += [replace(one, run=2) for one in ordinary(20)]
    assert "laugh" not in rule(induce(captions), "people-gesture").keywords


def test_synonyms_are_dropped_together_and_leave_the_text() -> None:
    learned = induce(every(10, 60, person(1, "walks"), thing("bicycle")))
    cycles = rule(learned, "cycles")
    assert {"bicycle", "bike"}.isdisjoint(cycles.keywords)
    assert "bicycle" not in cycles.text
    assert "scooter" in cycles.text
    assert cycles.support == Support(10, 10)


def test_what_a_third_of_the_footage_speaks_for_is_normal_and_in_no_anomaly_rule() -> None:
    captions = ordinary()
    captions[5:45:20] = [caption(float(s), person(1, "walks"), thing("bicycle")) for s in range(5, 45, 20)]
    captions[75] = caption(75.0, person(1, "walks"), thing("bicycle"))
    learned = induce(captions)
    assert rule(learned, "normal-seen-bicycle").support == Support(3, 10)
    assert {"bicycle", "bike"}.isdisjoint(rule(learned, "cycles").keywords)
    assert Counted("cycles", "bicycle", 3) in learned.dropped


def test_references_do_not_call_normal_what_the_footage_seldom_meets() -> None:
    captions = ordinary()
    captions[40] = caption(40.0, person(1, "walks"), thing("bicycle"))
    shown = [[captions[40]], [captions[0]], [captions[20]]]
    learned = StatisticalInducer().induce(captions, shown)
    assert "normal-seen-bicycle" not in ids(learned)
    assert "bicycle" in rule(learned, "cycles").keywords


def test_more_people_than_normal_footage_tells_of_are_a_weak_sign() -> None:
    many = rule(induce(ordinary()), "people-many")
    assert many.text == "More than 5 people are here at a time, which is rare."
    assert (many.more_people_than, many.weight, many.severity) == (5, WEAK, "info")
    assert many.support == Support(10, 10)
    assert "people-many" not in ids(induce([caption(second, thing("bench")) for second in range(20)]))


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
    captions = every(8, 100, text="A car and a dog wait; a man runs for the bus.")
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
