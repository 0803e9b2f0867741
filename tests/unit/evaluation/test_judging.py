from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from streamproc.config import DeductionSettings
from streamproc.evaluation.averaging import averaged
from streamproc.evaluation.judging import CaptionJudge
from streamproc.types import Rule, RuleSet, When

RIDES = Rule("bicycles", "environment", "anomaly", "A bicycle is ridden here.", ("bicycle",))
NORMAL = Rule("people-walk", "human", "normal", "People walk here.", ("walk",))


def rules(*some: Rule, alarm_score: float | None = None) -> RuleSet:
    return RuleSet("set", "site", "camera", 1, "0" * 64, some, alarm_score=alarm_score)


def test_a_keyword_that_stands_scores_what_it_scores_live() -> None:
    judge = CaptionJudge(rules(RIDES, NORMAL), DeductionSettings())

    assert judge.score("A man rides a bicycle.") > 0.5 > judge.score("A man walks.")
    assert judge.verdict("A man rides a bicycle.").cited_rules == (RIDES,)
    assert judge.score("Nobody rides a bicycle.") < 0.5


def test_a_caption_that_comes_again_is_judged_once_and_to_the_same_score() -> None:
    judge = CaptionJudge(rules(RIDES), DeductionSettings())
    texts = ["A man walks.", "A man rides a bicycle.", "A man walks.", "A man rides a bicycle."]

    scores = judge.smoothed(texts)

    assert scores == averaged([judge.score(text) for text in texts], 0.33)
    assert judge.judged == 2
    assert judge.fps is not None
    assert judge.fps > 0
    assert CaptionJudge(rules(RIDES), DeductionSettings()).smoothed(texts[:2]) == scores[:2]


def test_the_threshold_is_the_rule_sets_own_where_it_is_higher() -> None:
    assert CaptionJudge(rules(RIDES, alarm_score=0.7), DeductionSettings()).threshold == 0.7
    assert CaptionJudge(rules(RIDES, alarm_score=0.2), DeductionSettings()).threshold == 0.5
    assert CaptionJudge(rules(RIDES), DeductionSettings(alarm_score=0.6)).threshold == 0.6


def test_hours_are_held_against_a_weekday_at_noon() -> None:
    by_night = Rule("night", "environment", "anomaly", "A bicycle.", ("bicycle",), when=When(hours="22:00-06:00"))

    assert CaptionJudge(rules(by_night), DeductionSettings()).score("A bicycle.") == 0


class Same:
    """Finds all sentences that hold the same first letter alike."""

    def embed(self, texts: object) -> npt.NDArray[np.float32]:
        assert isinstance(texts, list | tuple)
        return np.stack([np.eye(128, dtype=np.float32)[ord(text[0])] for text in texts])


@pytest.mark.parametrize("semantic", [False, True])
def test_meaning_votes_only_with_an_embedder(semantic: bool) -> None:
    rule = Rule("fights", "human", "anomaly", "Zealots fight.")
    judge = CaptionJudge(rules(rule), DeductionSettings(), Same() if semantic else None)

    assert (judge.score("Zebras brawl.") > 0.5) is semantic
