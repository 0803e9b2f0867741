"""Whether a vote may count: it must cite rules that exist, are in force, were met, and say what the vote says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from streamproc.deduction.evidence import Evidence
from streamproc.types import Judgement, Match, Rule, Vote

Voter = Literal["keyword", "semantic", "novelty", "llm"]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What citations of a window's votes are held against."""

    rules: Mapping[str, Rule]
    by_keyword: frozenset[str]
    """Ids of the rules that the caption meets by keyword."""
    by_meaning: frozenset[str]
    settled: Mapping[str, str]
    """Anomaly rules that were met by keyword only where a normal rule answers them, to that rule's id: the site has
    spoken, and no model may overrule it."""
    novel: bool
    """Whether something measured is beyond its threshold."""

    def citable(self, verdict: Judgement) -> tuple[str, ...]:
        """Ids that a language model's vote for ``verdict`` may cite."""
        met = sorted(self.by_keyword | self.by_meaning)
        return tuple(cite for cite in met if self._fault_of("llm", verdict, cite) is None)

    def fault(self, voter: Voter, verdict: Judgement, cites: Collection[str]) -> str | None:
        """Why a vote with these citations is void; None if it is valid."""
        if verdict == "unknown":
            return None
        if not cites:
            return self._fault_of_none(voter, verdict)
        return next((fault for cite in cites if (fault := self._fault_of(voter, verdict, cite))), None)

    def _fault_of_none(self, voter: Voter, verdict: Judgement) -> str | None:
        if voter in ("keyword", "semantic"):
            return "cites no rule"
        if voter == "llm" and verdict == "anomaly" and not self.novel:
            return "cites no rule, and nothing measured is beyond normal"
        return None

    def _fault_of(self, voter: Voter, verdict: Judgement, cite: str) -> str | None:
        rule = self.rules.get(cite)
        if rule is None:
            return f"cites rule {cite[:63]!r}, which does not exist"
        if not rule.enabled:
            return f"cites rule {cite}, which is disabled"
        if rule.says != verdict:
            return f"votes {verdict} and cites rule {cite}, which says {rule.says}"
        met = {
            "keyword": self.by_keyword,
            "semantic": self.by_meaning,
            "llm": self.by_keyword | self.by_meaning,
            "novelty": self.rules.keys(),
        }[voter]
        if cite not in met:
            return f"cites rule {cite}, which does not match what is seen"
        if voter == "llm" and cite in self.settled:
            return f"cites rule {cite}, which rule {self.settled[cite]} answers"
        return None


def grounds(evidence: Evidence, matches: Sequence[Match], rules: Mapping[str, Rule]) -> Grounds:
    """What this window's votes are held against."""
    standing = {met.rule.id for met in evidence.anomalies if met.answered_by is None or met.match.how == "semantic"}
    settled = {
        met.rule.id: met.answered_by.id
        for met in evidence.anomalies
        if met.answered_by is not None and met.rule.id not in standing
    }
    return Grounds(
        rules=rules,
        by_keyword=frozenset(match.rule_id for match in matches if match.how == "keyword"),
        by_meaning=frozenset(match.rule_id for match in matches if match.how == "semantic"),
        settled=settled,
        novel=bool(evidence.novel()),
    )


def checked(vote: Vote, held_against: Grounds) -> Vote:
    """The vote, or the same vote void, with the reason, weighing nothing; it stays in the record."""
    fault = vote.void or held_against.fault(vote.voter, vote.verdict, vote.cites)
    return vote if fault is None else replace(vote, void=fault, weight=0.0)
