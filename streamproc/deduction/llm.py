"""The language model as a voter: several samples, each held to its citations, their majority the vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streamproc.config import LlmSettings
from streamproc.deduction.evidence import Evidence
from streamproc.deduction.prompts import SHA256, Opinion, messages, system_text
from streamproc.deduction.validity import Grounds
from streamproc.deduction.voters import UNKNOWN
from streamproc.errors import ReplyError
from streamproc.modelreply import quoted
from streamproc.modelserver import ModelServer
from streamproc.types import Judgement, ModelRef, RuleSet, Vote


def worth_asking(evidence: Evidence) -> bool:
    """Whether a window is one for the language model: something speaks for an anomaly.

    That is an anomaly rule that is met and not settled by a normal rule for the same words, a measurement beyond its
    threshold, or two rules of opposite meaning that fit one sentence. The model can only confirm or veto: a rule that
    nothing in the window meets cannot be cited, so a window without any such sign would be asked about in vain. How
    wide the net is cast is set by ``deduction.semantic_threshold``: lower, more is proposed by meaning, and asked.
    """
    doubtful = any(met.answered_by is None or met.match.how == "semantic" for met in evidence.anomalies)
    return doubtful or bool(evidence.novel())


class LlmVoter:
    """Asks a language model for its opinion of a window."""

    def __init__(self, server: ModelServer, settings: LlmSettings) -> None:
        self._server = server
        self._settings = settings
        self.model = ModelRef("deduction", settings.model, settings.revision, prompt_sha256=SHA256)

    @property
    def name(self) -> str:
        """Model and address in words, without credentials."""
        return self._server.name

    def vote(self, evidence: Evidence, rules: RuleSet, held_against: Grounds, weight: float) -> Vote:
        """The majority of the valid samples; a vote that is void if none is valid, unknown if none is readable.

        The score is the share of the valid, knowing samples that say anomaly.

        Raises:
            InferenceError: the server does not answer.
        """
        # Without randomness all samples are one; vLLM refuses to draw several then.
        n = self._settings.samples if self._settings.temperature > 0 else 1
        asked = messages(system_text(rules), evidence)
        replies = self._server.ask(asked, Opinion, n=n, temperature=self._settings.temperature)
        opinions = [reply for reply in replies if not isinstance(reply, ReplyError)]
        if not opinions:
            errors = [reply for reply in replies if isinstance(reply, ReplyError)]
            reason = f"no usable reply: {errors[0]}; it said: {quoted(errors[0].text) or 'nothing'}"
            return Vote("llm", "unknown", (), weight, UNKNOWN, reason)
        faults = [held_against.fault("llm", opinion.verdict, opinion.cites) for opinion in opinions]
        valid = [opinion for opinion, fault in zip(opinions, faults, strict=True) if fault is None]
        vote = _majority(valid or opinions, n, weight)
        if valid:
            return vote
        first_fault = next(fault for fault in faults if fault)
        return Vote("llm", vote.verdict, vote.cites, 0.0, vote.score, vote.reason, void=first_fault)


def _majority(opinions: Sequence[Opinion], asked: int, weight: float) -> Vote:
    counts = Counter(opinion.verdict for opinion in opinions)
    knowing = counts["anomaly"] + counts["normal"]
    verdict: Judgement = "unknown"
    if counts["anomaly"] != counts["normal"]:
        verdict = "anomaly" if counts["anomaly"] > counts["normal"] else "normal"
    agreeing = [opinion for opinion in opinions if opinion.verdict == verdict]
    cited = Counter(cite for opinion in agreeing for cite in dict.fromkeys(opinion.cites))
    cites = tuple(cite for cite, _ in cited.most_common()) if verdict != "unknown" else ()
    score = counts["anomaly"] / knowing if knowing and verdict != "unknown" else UNKNOWN
    said = quoted(agreeing[0].reason) if agreeing else "its samples disagree"
    return Vote("llm", verdict, cites, weight, score, f"{said} ({len(agreeing)} of {asked} samples)")
