"""What an induction learned, as a rule set in force: before it is written, to judge footage by it."""

from __future__ import annotations

from dataclasses import replace

from streamproc.rules.induction import Induction
from streamproc.rules.strength import strength
from streamproc.types import RuleSet


def rule_set(induction: Induction, site: str, camera: str, alarm_score: float | None = None) -> RuleSet:
    """The rules as the file would have them once it is loaded: doubted keywords weigh less."""
    weighs = {(one.rule_id, one.keyword): strength(one.captions, induction.captions) for one in induction.doubted}
    rules = tuple(
        replace(rule, strengths=tuple(weighs.get((rule.id, word), 1.0) for word in rule.keywords))
        for rule in induction.rules
    )
    return RuleSet("induced", site, camera, 1, "0" * 64, rules, alarm_score=alarm_score)
