"""A camera's windows to verdicts: evidence, votes, their validity, one score, smoothed, with its reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import structlog

from streamproc.config import Area, DeductionSettings
from streamproc.deduction.combining import combined, weighed
from streamproc.deduction.evidence import Evidence, gather
from streamproc.deduction.llm import LlmVoter, worth_asking
from streamproc.deduction.pointing import objects, zone
from streamproc.deduction.reasons import reason
from streamproc.deduction.recent import Recent
from streamproc.deduction.smoothing import CausalMean
from streamproc.deduction.validity import Grounds, checked, grounds
from streamproc.deduction.voters import UNKNOWN, keyword_vote, novelty_vote, semantic_vote
from streamproc.errors import InferenceError, NotSent, NotSentCause
from streamproc.severity import RANK
from streamproc.types import (
    Caption,
    Judgement,
    Match,
    ModelRef,
    ObservedWindow,
    Rule,
    RuleSet,
    Severity,
    Verdict,
    Vote,
    Window,
)

log = structlog.get_logger(__name__)

NOTHING = "normal"
"""Category of a verdict that finds nothing."""


class Deducer:
    """Decides about one camera's windows, in order; remembers its past scores. For one thread at a time."""

    def __init__(
        self,
        settings: DeductionSettings,
        llm: LlmVoter | None = None,
        *,
        zones: Sequence[Area] = (),
        models: Sequence[ModelRef] = (),
        stale_after_s: float = math.inf,
        on_not_sent: Callable[[NotSentCause], None] = lambda _: None,
    ) -> None:
        """``zones`` are the camera's; ``models`` had a part in every window.

        The language model is not asked about a window whose last picture came more than ``stale_after_s`` ago;
        ``on_not_sent`` hears of each that it was not asked about.
        """
        self._settings = settings
        self._llm = llm
        self._zones = tuple(zones)
        self._models = tuple(models)
        self._stale_after_s = stale_after_s
        self._on_not_sent = on_not_sent
        self._smoothing = CausalMean(settings.smoothing_s)
        self._recent = Recent()
        self._index: tuple[RuleSet | None, dict[str, Rule]] = (None, {})
        self._holding: tuple[int, str, Severity] | None = None
        self._heard: Vote | None = None
        """What the language model said of the last caption; None where it was not asked or not heard."""

    def decide(
        self,
        observed: ObservedWindow,
        caption: Caption,
        matches: Sequence[Match],
        rules: RuleSet,
        *,
        reused: bool = False,
    ) -> Verdict:
        """The verdict on the camera's next window. A language model that is down is left out and named.

        ``reused``: the caption is the one before's; what the language model said of that holds.
        """
        window = observed.window
        if not reused:
            self._heard = None
        by_id = self._by_id(rules)
        evidence = gather(observed, caption, matches, by_id, [area.name for area in self._zones])
        held_against = grounds(evidence, matches, by_id)
        weights = self._settings.weights
        votes = [
            keyword_vote(evidence, weights.keyword),
            semantic_vote(evidence, weights.semantic),
            novelty_vote(evidence, weights.novelty),
        ]
        degraded = list(dict.fromkeys((*caption.degraded, *observed.not_judged)))
        models = [*self._models, caption.model]
        if self._llm is not None and worth_asking(evidence):
            models.append(self._llm.model)
            votes.append(self._heard or self._ask(self._llm, evidence, rules, held_against, degraded, window))
        votes = [weighed(checked(vote, held_against)) for vote in votes]

        score = combined(votes)
        smoothed = self._smoothing.update(window.run, window.end_s, score, window.end_s - window.start_s)
        # The rules bring the score that their normal footage came near: it changes with them.
        threshold = max(self._settings.alarm_score, rules.alarm_score or 0.0)
        alarm = smoothed >= threshold
        judgement = "anomaly" if score >= threshold else _calm(votes)
        self._remember(window.run, judgement, smoothed / threshold if threshold else 1.0, evidence)
        # While an alarm only lingers, what is normal again is no reason for it.
        cited = () if alarm and judgement == "normal" else leading(judgement, votes, by_id)
        category, severity = self._named(window.run, alarm, judgement, cited, evidence)
        pointed_at = objects(observed, evidence)
        return Verdict(
            camera_id=window.camera_id,
            run=window.run,
            pts_s=window.end_s,
            captured_at=window.captured_at,
            kind="behaviour",
            judgement=judgement,
            score=score,
            smoothed=smoothed,
            alarm=alarm,
            category=category,
            severity=severity,
            cited_rules=cited,
            votes=tuple(votes),
            captions=(caption,),
            measurements=observed.measurements,
            reason=reason(judgement, alarm, cited, evidence, votes),
            rule_set=rules,
            models=tuple(models),
            objects=pointed_at,
            zone=zone(pointed_at, evidence, self._zones),
            degraded=tuple(degraded),
        )

    def _ask(
        self,
        llm: LlmVoter,
        evidence: Evidence,
        rules: RuleSet,
        held_against: Grounds,
        degraded: list[str],
        window: Window,
    ) -> Vote:
        weight = self._settings.weights.llm
        try:
            if (age_s := llm.age_s(window)) > self._stale_after_s:
                raise NotSent(f"the window is {age_s:.1f} s old; {self._stale_after_s:g} s are permitted", "stale")
            self._heard = llm.vote(evidence, rules, held_against, weight, self._recent.words(window.run))
            return self._heard
        except InferenceError as error:
            if isinstance(error, NotSent):
                self._on_not_sent(error.cause)
            # Said once as a warning by the client when the server goes down; here for each window.
            log.info("language_model_left_out", camera=window.camera_id, error=str(error))
            degraded.append(f"language model left out: {error}")
            return Vote("llm", "unknown", (), weight, UNKNOWN, f"not heard: {error}")

    def _remember(self, run: int, judgement: Judgement, share: float, evidence: Evidence) -> None:
        self._recent.add(
            run,
            anomaly=judgement == "anomaly",
            share=share,
            rules=[met.rule.id for met in (*evidence.standing(), *evidence.normals)],
            beyond=[one.measurement.name for one in evidence.novel()],
        )

    def _named(
        self, run: int, alarm: bool, judgement: Judgement, cited: Sequence[Rule], evidence: Evidence
    ) -> tuple[str, Severity]:
        """Category and severity; while an alarm only lingers, those it was raised with."""
        if judgement == "anomaly":
            novel = evidence.novel()
            name = cited[0].id if cited else novel[0].measurement.name if novel else NOTHING
            severity: Severity = cited[0].severity if cited else "warning"
            self._holding = (run, name, severity)
            return name, severity
        if alarm and self._holding is not None and self._holding[0] == run:
            return self._holding[1], self._holding[2]
        return NOTHING, "info"

    def _by_id(self, rules: RuleSet) -> Mapping[str, Rule]:
        if self._index[0] is not rules:
            self._index = (rules, {rule.id: rule for rule in rules.rules})
        return self._index[1]


def _calm(votes: Sequence[Vote]) -> Judgement:
    return "normal" if any(vote.void is None and vote.verdict != "unknown" for vote in votes) else "unknown"


def leading(judgement: Judgement, votes: Sequence[Vote], rules: Mapping[str, Rule]) -> tuple[Rule, ...]:
    """Rules that valid votes for the judgement cite: the most severe first, then those most is said for."""
    said_for: dict[str, float] = {}
    for vote in votes:
        if vote.void is None and vote.verdict == judgement:
            for cite in vote.cites:
                said_for[cite] = said_for.get(cite, 0.0) + vote.weight * max(vote.score, 1 - vote.score)
    rank = RANK if judgement == "anomaly" else dict.fromkeys(RANK, 0)
    ids = sorted(said_for, key=lambda cite: (-rank[rules[cite].severity], -said_for[cite], cite))
    return tuple(rules[cite] for cite in ids)
