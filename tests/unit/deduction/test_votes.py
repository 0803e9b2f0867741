from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.deduction.evidence import Evidence, gather
from streamproc.deduction.llm import worth_asking
from streamproc.deduction.validity import checked, grounds
from streamproc.deduction.voters import keyword_vote, novelty_score, novelty_vote, semantic_vote
from streamproc.testing_deduction import caption, fact, keyword, observed, rule, semantic, speed
from streamproc.types import Judgement, Match, ObservedWindow, Part, Vote

RULES = {
    r.id: r
    for r in (
        rule("a-run", "anomaly"),
        rule("a-cart", "anomaly"),
        rule("n-jog", "normal"),
        rule("n-walk", "normal"),
        rule("off", "anomaly", enabled=False),
    )
}
RUNS = "A person runs."


def evidence(*matches: Match, window: ObservedWindow | None = None) -> Evidence:
    return gather(window or observed(), caption(fact(RUNS, "runs", tracks=[1])), matches, RULES)


def test_a_keyword_votes_and_cites() -> None:
    vote = keyword_vote(evidence(keyword("a-run", "runs"), keyword("n-walk", "person")), 1.0)
    assert (vote.verdict, vote.cites, vote.score) == ("anomaly", ("a-run",), 1.0)
    assert vote.reason == 'rule a-run is met by "runs"'
    normal = keyword_vote(evidence(keyword("n-walk", "person")), 1.0)
    assert (normal.verdict, normal.cites, normal.score) == ("normal", ("n-walk",), 0.0)
    assert keyword_vote(evidence(semantic("a-run", RUNS, 0.9)), 1.0).verdict == "unknown"


def test_meaning_votes_with_its_likeness_and_cites_the_closest_first() -> None:
    vote = semantic_vote(evidence(semantic("a-cart", RUNS, 0.7), semantic("a-run", RUNS, 0.9)), 0.5)
    assert (vote.verdict, vote.cites, vote.score) == ("anomaly", ("a-run", "a-cart"), 0.9)
    normal = semantic_vote(evidence(semantic("n-walk", RUNS, 0.9)), 0.5)
    assert (normal.verdict, normal.cites, normal.score) == ("normal", ("n-walk",), 0.0)


def test_an_answered_rule_is_a_vote_for_normal_that_cites_the_answer() -> None:
    vote = keyword_vote(evidence(keyword("a-run", "runs"), keyword("n-jog", "runs"), keyword("n-walk", "person")), 1.0)
    assert (vote.verdict, vote.cites) == ("normal", ("n-jog",))
    assert vote.reason == "rule n-jog calls normal what rule a-run is about"


def test_a_voter_whose_finding_was_answered_by_another_means_has_no_say() -> None:
    vote = semantic_vote(evidence(semantic("a-run", RUNS, 0.9), keyword("n-jog", "runs")), 0.5)
    assert (vote.verdict, vote.cites) == ("unknown", ())
    assert "n-jog calls normal" in vote.reason


def test_novelty_votes_by_the_threshold_calibrated_for_it() -> None:
    def vote(score: float) -> Vote:
        return novelty_vote(evidence(window=observed(measurements=[speed(score, threshold=0.7)])), 2.0)

    assert (vote(0.69).verdict, vote(0.7).verdict) == ("normal", "anomaly")
    assert vote(0.0).score == 0.0
    assert vote(-3.0).score == 0.0
    assert vote(0.7).score == pytest.approx(0.7)
    assert vote(1.4).score == vote(50.0).score == 1.0
    assert vote(2.0).reason == "speed 3.0 times normal speed (normal up to 1.3)"


def test_numbers_tell_a_value_from_its_limit_and_parts_what_they_come_to() -> None:
    parts = (
        Part("speed", 1.34, "times normal speed", 1.3, 0.6),
        Part("glide", 0.84, "of its motion even", 0.89, 0.4),
    )
    one = replace(speed(1.5, threshold=1.0), parts=parts)
    assert novelty_vote(evidence(window=observed(measurements=[one])), 2.0).reason == (
        "speed 1.34 times normal speed (normal up to 1.30), glide 0.8 of its motion even (normal up to 0.9), "
        "together 1.5 times the limit"
    )


@given(st.floats(-5, 20), st.floats(-5, 20), st.floats(0.01, 5))
def test_novelty_never_falls_and_steps_over_one_half_at_the_threshold(a: float, b: float, threshold: float) -> None:
    low, high = sorted((a, b))
    first, second = (novelty_score(speed(s, threshold=threshold)) for s in (low, high))
    assert 0 <= first <= second <= 1
    assert (first > 0.5) == (low >= threshold)


def test_novelty_cites_the_anomaly_rules_of_what_it_measured() -> None:
    window = observed(measurements=[speed(2.0)])
    assert novelty_vote(evidence(keyword("a-run", "runs"), window=window), 2.0).cites == ("a-run",)
    assert novelty_vote(evidence(window=window), 2.0).cites == ()


def test_what_was_not_judged_is_not_normal() -> None:
    assert novelty_vote(evidence(), 2.0).verdict == "unknown"
    blind = novelty_vote(evidence(window=observed(not_judged=["speed: 1 frame/s, needs 5"])), 2.0)
    assert (blind.verdict, blind.reason) == ("unknown", "not judged: speed: 1 frame/s, needs 5")
    partly = observed(measurements=[speed(0.1)], not_judged=["dwell: no background yet"])
    assert novelty_vote(evidence(window=partly), 2.0).verdict == "unknown"
    beyond = observed(measurements=[speed(2.0)], not_judged=["dwell: no background yet"])
    assert novelty_vote(evidence(window=beyond), 2.0).verdict == "anomaly"


def test_an_answered_measurement_is_a_vote_for_normal() -> None:
    measured = speed(2.0)
    said = caption(fact("A person hurries.", "hurries", tracks=[1], measurement=measured))
    found = gather(observed(measurements=[measured]), said, [keyword("n-jog", "hurries")], RULES)
    vote = novelty_vote(found, 2.0)
    assert (vote.verdict, vote.cites, vote.score) == ("normal", ("n-jog",), 0.0)
    assert vote.reason.endswith("which rule n-jog calls normal")


# ---- validity

MATCHES = (keyword("a-run", "runs"), semantic("n-walk", RUNS, 0.8), keyword("off", "runs"))


@pytest.mark.parametrize(
    ("voter", "verdict", "cites", "void"),
    [
        ("keyword", "anomaly", ("a-run",), None),
        ("semantic", "normal", ("n-walk",), None),
        ("llm", "anomaly", ("a-run",), None),
        ("llm", "normal", ("n-walk",), None),
        ("llm", "normal", (), None),
        ("llm", "unknown", ("nonsense",), None),
        ("novelty", "anomaly", (), None),
        ("keyword", "anomaly", ("a-9",), "cites rule 'a-9', which does not exist"),
        ("llm", "anomaly", ("a-run", "a-9"), "cites rule 'a-9', which does not exist"),
        ("llm", "anomaly", ("x" * 999,), f"cites rule '{'x' * 63}', which does not exist"),
        ("keyword", "anomaly", ("off",), "cites rule off, which is disabled"),
        ("keyword", "normal", ("n-walk",), "cites rule n-walk, which does not match what is seen"),
        ("semantic", "anomaly", ("a-run",), "cites rule a-run, which does not match what is seen"),
        ("llm", "anomaly", ("a-cart",), "cites rule a-cart, which does not match what is seen"),
        ("llm", "normal", ("a-run",), "votes normal and cites rule a-run, which says anomaly"),
        ("novelty", "anomaly", ("n-walk",), "votes anomaly and cites rule n-walk, which says normal"),
        ("keyword", "anomaly", (), "cites no rule"),
        ("llm", "anomaly", (), "cites no rule, and nothing measured is beyond normal"),
    ],
)
def test_a_vote_counts_only_on_grounds_that_hold(
    voter: str, verdict: Judgement, cites: tuple[str, ...], void: str | None
) -> None:
    found = evidence(*MATCHES)
    vote = Vote(voter, verdict, cites, 2.0, 0.9, "because")  # type: ignore[arg-type]
    result = checked(vote, grounds(found, MATCHES, RULES))
    assert result.void == void
    assert result.weight == (2.0 if void is None else 0.0)
    assert (result.verdict, result.cites, result.reason) == (verdict, cites, "because")


def test_a_model_may_cite_nothing_for_what_was_measured() -> None:
    found = evidence(window=observed(measurements=[speed(2.0)]))
    assert checked(Vote("llm", "anomaly", (), 2.0, 1.0, ""), grounds(found, (), RULES)).void is None


def test_a_model_may_not_overrule_what_the_site_settled() -> None:
    matches = (keyword("a-run", "runs"), keyword("n-jog", "runs"))
    held = grounds(evidence(*matches), matches, RULES)
    assert (
        checked(Vote("llm", "anomaly", ("a-run",), 2.0, 1.0, ""), held).void
        == "cites rule a-run, which rule n-jog answers"
    )
    doubtful = (semantic("a-run", RUNS, 0.7), semantic("n-walk", RUNS, 0.8))
    held = grounds(evidence(*doubtful), doubtful, RULES)
    assert checked(Vote("llm", "anomaly", ("a-run",), 2.0, 1.0, ""), held).void is None


# ---- whom to ask


def test_a_model_is_asked_only_where_something_speaks_for_an_anomaly() -> None:
    assert not worth_asking(evidence())
    assert not worth_asking(evidence(keyword("n-walk", "person"), semantic("n-walk", RUNS, 0.9)))
    assert not worth_asking(evidence(keyword("a-run", "runs"), keyword("n-jog", "runs")))
    assert not worth_asking(evidence(window=observed(measurements=[speed(0.6)])))
    assert worth_asking(evidence(keyword("a-run", "runs")))
    assert worth_asking(evidence(semantic("a-run", RUNS, 0.61)))
    assert worth_asking(evidence(semantic("a-run", RUNS, 0.7), semantic("n-walk", RUNS, 0.8)))
    assert worth_asking(evidence(window=observed(measurements=[speed(0.7)])))
