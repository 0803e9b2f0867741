from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from structlog.testing import capture_logs

from streamproc.errors import InferenceError
from streamproc.rules.matching import Matcher
from streamproc.rules.meaning import Floats
from streamproc.types import Caption, Fact, Match, ModelRef, Rule, RuleSet, When

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)  # a Monday
MODEL = ModelRef("perception", "fake", "1")
WALK = Rule("walk", "human", "normal", "People walk here.", ("walk",))
RUN = Rule("run", "human", "anomaly", "Someone runs here.", ("run", "hurry"))
VEST = Rule("vest", "human", "anomaly", "Someone works without a vest.")


class TopicEmbedder:
    """One direction a topic: sentences that name the same topic mean the same. Others share the last direction."""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Floats:
        self.embedded += texts
        topics = (("walk", "stroll"), ("run", "sprint", "jog"), ("vest",))
        rows = np.zeros((len(texts), 8), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[7] = 0.2
            for index, words in enumerate(topics):
                row[index] = float(any(word in text.lower() for word in words))
        # What the neutral sentences differ in must not be a topic.
        for index, row in enumerate(rows[:20] if len(texts) == 20 else ()):
            row[:] = 0
            row[4 + index % 3] = 1
        unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


class BrokenEmbedder(TopicEmbedder):
    def embed(self, texts: Sequence[str]) -> Floats:
        if any("sprint" in text for text in texts):
            raise InferenceError("the session is gone")
        return super().embed(texts)


def rule_set(*rules: Rule) -> RuleSet:
    return RuleSet("set", "site", "gate", 1, "0" * 64, rules)


def caption(*texts: str, place: str = "") -> Caption:
    facts = tuple(Fact("human", "person", 1, "", place, text) for text in texts)
    return Caption("gate", 0, 1.0, " ".join(texts), facts, MODEL)


def free(text: str) -> Caption:
    return Caption("gate", 0, 1.0, text, (), MODEL)


def matches(rules: Sequence[Rule], what: Caption, at: datetime = NOON, *, semantic: bool = False) -> list[Match]:
    return Matcher(rule_set(*rules), TopicEmbedder() if semantic else None, 0.6).match(what, at, "UTC")


def test_a_keyword_match_tells_the_captions_words() -> None:
    assert matches([WALK, RUN], caption("Two people are running fast.")) == [Match("run", "keyword", 1.0, "running")]


def test_free_text_is_taken_sentence_by_sentence() -> None:
    text = "There is no car.\nA man walks! He ran."
    free = Caption("gate", 0, 1.0, text, (), MODEL)
    assert [m.words for m in matches([WALK, RUN], free)] == ["walks", "ran"]


def test_a_rule_that_is_switched_off_is_not_met() -> None:
    off = Rule("run", "human", "anomaly", "Someone runs here.", ("run",), enabled=False)
    assert matches([off], caption("He runs."), semantic=True) == []


def test_a_rule_set_without_rules_is_met_by_nothing() -> None:
    assert matches([], caption("He runs."), semantic=True) == []


def test_a_sentence_meets_the_rule_it_is_most_like() -> None:
    found = matches([WALK, RUN], caption("A boy sprints.", "There is a tree."), semantic=True)
    assert [(m.rule_id, m.how, m.words) for m in found] == [("run", "semantic", "A boy sprints.")]
    assert found[0].score == pytest.approx(1.0)


def test_what_has_no_name_means_nobody() -> None:
    things = replace(RUN, id="machines", about="environment", text="A machine runs here.")
    nameless = replace(
        caption("Something the size of a person sprints."),
        facts=(Fact("environment", "something", 1, "", "", "Something the size of a person sprints."),),
    )
    likened = replace(nameless, facts=(replace(nameless.facts[0], text="Something moves, as if sprinting."),))
    for told, rules, met in (
        (nameless, [RUN], []),
        (nameless, [RUN, things], ["machines"]),
        (likened, [RUN], ["run"]),
        (caption("A chef sprints."), [RUN], ["run"]),
    ):
        assert [m.rule_id for m in matches(rules, told, semantic=True)] == met


def test_what_meets_a_rule_is_told_in_the_sets_order_and_the_same_words_once() -> None:
    found = matches([WALK, RUN], caption("He runs.", "She runs.", "People walk."), semantic=True)
    assert [(m.rule_id, m.how, m.words) for m in found] == [
        ("walk", "keyword", "walk"),
        ("walk", "semantic", "People walk."),
        ("run", "keyword", "runs"),
        ("run", "semantic", "He runs."),
        ("run", "semantic", "She runs."),
    ]


def test_every_sentence_and_every_keyword_that_meets_a_rule_is_told() -> None:
    found = matches([WALK, RUN], caption("One person runs.", "Two people run.", "A dog runs, and a cat hurries."))
    assert [m.words for m in found] == ["runs", "run", "hurries"]


@pytest.mark.parametrize("text", ["Nobody sprints.", "A man is not sprinting.", "There is no one who sprints."])
def test_a_denied_sentence_does_not_mean_what_it_denies(text: str) -> None:
    assert matches([WALK, RUN], caption(text), semantic=True) == []


def test_what_a_sentence_affirms_beside_a_denial_counts() -> None:
    found = matches([WALK, RUN], caption("Nobody strolls, but a boy sprints across."), semantic=True)
    assert [m.rule_id for m in found] == ["run"]


def test_a_rule_that_denies_is_held_against_denials_only() -> None:
    assert [m.rule_id for m in matches([VEST], caption("A worker with no vest."), semantic=True)] == ["vest"]
    assert matches([VEST], caption("A worker in a vest."), semantic=True) == []


def test_a_rule_that_forbids_is_held_against_what_it_forbids() -> None:
    quiet = Rule("quiet", "human", "anomaly", "Nobody runs.", forbids="Someone runs.")
    met = matches([WALK, quiet], caption("A boy sprints.", "Nobody sprints now."), semantic=True)
    assert [(m.rule_id, m.words) for m in met] == [("quiet", "A boy sprints.")]


def test_rules_are_embedded_once() -> None:
    embedder = TopicEmbedder()
    matcher = Matcher(rule_set(WALK, RUN), embedder, 0.6)
    before = len(embedder.embedded)
    matcher.match(caption("A boy sprints."), NOON, "UTC")
    assert embedder.embedded[before:] == ["A boy sprints."]


def test_a_sentence_that_comes_again_costs_nothing_and_hours_still_hold() -> None:
    embedder = TopicEmbedder()
    early = replace(RUN, keywords=(), when=When(hours="00:00-06:00"))
    matcher = Matcher(rule_set(WALK, early), embedder, 0.6)
    assert matcher.match(caption("A boy sprints."), NOON, "UTC") == []
    before = len(embedder.embedded)
    found = matcher.match(caption("A boy sprints."), NOON.replace(hour=3), "UTC")
    assert [m.rule_id for m in found] == ["run"]
    assert embedder.embedded[before:] == []


def test_a_keyword_is_found_by_any_of_its_words() -> None:
    rules = [replace(RUN, id=f"r{n}", keywords=(f"person with {thing}",)) for n, thing in enumerate(("bag", "bat"))]
    found = matches(rules, caption("With bat a person with bat walks.", "A person with a hat."))
    assert [(m.rule_id, m.words) for m in found] == [("r1", "person with bat")]


def test_a_failing_model_costs_only_what_it_would_have_found() -> None:
    matcher = Matcher(rule_set(WALK, RUN), BrokenEmbedder(), 0.6)
    with capture_logs() as logs:
        found = matcher.match(caption("A boy sprints and runs."), NOON, "UTC")
    assert [(m.rule_id, m.how) for m in found] == [("run", "keyword")]
    assert [entry["event"] for entry in logs] == ["semantic_matching_failed"]


def test_a_rule_for_a_zone_is_met_only_there() -> None:
    rule = Rule("run", "human", "anomaly", "Someone runs.", ("run",), when=When(zones=("loading-dock", "gate")))
    assert matches([rule], caption("Someone runs.", place="in the loading dock"))
    assert matches([rule], caption("Someone runs.", place="at gate"))
    assert not matches([rule], caption("Someone runs.", place="on the left"))
    assert not matches([rule], caption("Someone runs.", place="at gateway"))
    free = Caption("gate", 0, 1.0, "A man runs at the gate. A man walks.", (), MODEL)
    assert matches([rule], free)


def test_a_zone_whose_name_holds_anothers_is_told_from_it() -> None:
    rule = Rule("run", "human", "anomaly", "Someone runs.", ("run",), when=When(zones=("gate",)))
    matcher = Matcher(rule_set(rule), None, 0.6, zones=("gate", "back-gate"))
    assert not matcher.match(caption("Someone runs.", place="in the back gate"), NOON, "UTC")
    assert matcher.match(caption("Someone runs.", place="in the gate"), NOON, "UTC")


def test_hours_follow_the_cameras_clock() -> None:
    rule = Rule("run", "human", "anomaly", "Someone runs.", ("run",), when=When(hours="12:30-14:00", days=("mon",)))
    matcher = Matcher(rule_set(rule), None, 0.6)
    assert not matcher.match(caption("He runs."), NOON, "UTC")
    assert matcher.match(caption("He runs."), NOON, "Europe/Zurich")


def counting(more_than: int, *, when: When | None = None, weight: float = 1.0) -> Rule:
    text = "More people than usual are here."
    return Rule("many", "human", "anomaly", text, when=when, more_people_than=more_than, weight=weight)


def test_more_people_than_a_rule_says_meet_it() -> None:
    matcher = Matcher(rule_set(counting(3, weight=0.2)), None, 0.6)
    assert matcher.match(free("There are four people. Two of them walk."), NOON, "UTC") == [
        Match("many", "keyword", 0.2, "four people")
    ]
    assert matcher.match(free("There are three people. Four cars."), NOON, "UTC") == []


def test_a_rule_for_a_zone_counts_the_people_there() -> None:
    matcher = Matcher(rule_set(counting(2, when=When(zones=("counter",)))), None, 0.6, ["counter"])
    at = Fact("human", "person", 2, "stands", "at the counter", "Two people stand at the counter.")
    away = Fact("human", "person", 5, "walks", "by the door", "Five people walk by the door.")
    third = Fact("human", "person", 1, "walks", "at the counter", "A person walks at the counter.")
    assert matcher.match(Caption("gate", 0, 1.0, "", (at, away), MODEL), NOON, "UTC") == []
    there = matcher.match(Caption("gate", 0, 1.0, "", (at, away, third), MODEL), NOON, "UTC")
    assert [match.rule_id for match in there] == ["many"]


def test_a_rules_weight_is_that_of_its_matches() -> None:
    half = replace(RUN, weight=0.5)
    assert [match.score for match in matches([half], free("A man runs."))] == [0.5]
    by_meaning = [match.score for match in matches([half], free("A man sprints."), semantic=True)]
    assert by_meaning == [0.5 * match.score for match in matches([RUN], free("A man sprints."), semantic=True)] != []
