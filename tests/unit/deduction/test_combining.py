from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streamproc.config import VoterWeights
from streamproc.deduction.combining import combined, weighed
from streamproc.types import Vote

W = VoterWeights()
KEYWORD = Vote("keyword", "anomaly", ("a",), W.keyword, 1.0, "")
WEAK = Vote("semantic", "anomaly", ("a",), W.semantic, 0.7, "")
CLOSE = Vote("semantic", "anomaly", ("a",), W.semantic, 1.0, "")
BEYOND = Vote("novelty", "anomaly", (), W.novelty, 0.7, "")
FAR_BEYOND = replace(BEYOND, score=1.0)
LLM = Vote("llm", "anomaly", ("a",), W.llm, 1.0, "")
VETO = Vote("llm", "normal", ("n",), W.llm, 0.0, "")
CONTENT = (
    Vote("keyword", "normal", ("n",), W.keyword, 0.0, ""),
    Vote("semantic", "normal", ("n",), W.semantic, 0.0, ""),
    Vote("novelty", "normal", (), W.novelty, 0.0, ""),
)
SILENT = tuple(replace(vote, verdict="unknown", score=0.5) for vote in CONTENT)
ALARM = 0.5


def score(*votes: Vote, others: tuple[Vote, ...] = CONTENT) -> float:
    said = {vote.voter for vote in votes}
    return combined(weighed(vote) for vote in (*votes, *(o for o in others if o.voter not in said)))


def test_what_may_alarm_alone_and_what_may_not() -> None:
    for others in (CONTENT, SILENT, ()):
        assert score(KEYWORD, others=others) > ALARM
        assert score(BEYOND, others=others) > ALARM
        assert score(LLM, others=others) > ALARM
        assert score(CLOSE, others=others) > ALARM
        assert score(WEAK, others=others) < ALARM
    assert score(others=CONTENT) == score(others=SILENT) == score(others=()) == 0.0


def test_a_model_vetoes_one_witness_and_not_two_strong_ones() -> None:
    assert score(KEYWORD, VETO) < ALARM
    assert score(FAR_BEYOND, VETO) < ALARM
    assert score(FAR_BEYOND, KEYWORD, VETO) > ALARM


def test_a_weak_likeness_is_confirmed_by_a_model_or_a_measurement() -> None:
    assert score(WEAK, replace(LLM, score=2 / 3)) > ALARM
    assert score(WEAK, BEYOND) > ALARM


def test_void_and_unknown_votes_weigh_nothing_and_stay() -> None:
    assert weighed(replace(KEYWORD, void="cites nothing")).weight == 0.0
    assert weighed(replace(LLM, verdict="unknown")).weight == 0.0
    assert weighed(VETO).weight == W.llm
    assert score(replace(KEYWORD, void="x"), BEYOND, others=()) == score(BEYOND, others=())


votes = st.lists(
    st.builds(
        Vote,
        voter=st.sampled_from(["keyword", "semantic", "novelty", "llm"]),
        verdict=st.sampled_from(["anomaly", "normal", "unknown"]),
        cites=st.just(()),
        weight=st.floats(0, 10),
        score=st.floats(0, 1),
        reason=st.just(""),
        void=st.sampled_from([None, None, "why"]),
    ),
    max_size=6,
)


@given(votes, st.floats(0, 10), st.floats(0, 1), st.floats(0, 1))
def test_the_score_never_falls_when_an_anomaly_vote_rises(
    others: list[Vote], weight: float, a: float, b: float
) -> None:
    low, high = sorted((a, b))
    fixed = [weighed(vote) for vote in others]

    def with_score(value: float) -> float:
        return combined([*fixed, weighed(Vote("keyword", "anomaly", ("a",), weight, value, ""))])

    assert 0 <= with_score(low) <= with_score(high) <= 1


@given(votes)
def test_what_weighs_nothing_changes_nothing(others: list[Vote]) -> None:
    weighted = [weighed(vote) for vote in others]
    assert combined(weighted) == combined(v for v in weighted if v.weight > 0)
