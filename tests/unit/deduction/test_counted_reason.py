from __future__ import annotations

from streamproc.config import DeductionSettings
from streamproc.evaluation.judging import CaptionJudge
from streamproc.types import Rule, RuleSet


def test_a_rule_that_counts_people_is_told_with_their_number() -> None:
    rule = Rule("many", "human", "anomaly", "More than 3 people are here.", more_people_than=3)
    judge = CaptionJudge(RuleSet("set", "site", "gate", 1, "0" * 64, (rule,)), DeductionSettings())
    reason = judge.verdict("Two dogs run. There are six people in the hall.").reason
    assert 'Rule many "More than 3 people are here." is met by six people.' in reason
