"""The language model as a voter: several samples, each held to its citations, together one vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from openai.types.chat import ChatCompletionMessageParam

from streamproc.config import LlmSettings
from streamproc.deduction.certainty import certainty
from streamproc.deduction.evidence import Evidence
from streamproc.deduction.narrowing import schema
from streamproc.deduction.prompts import SHA256, Opinion, messages, system_text
from streamproc.deduction.reflection import conversation, doubt
from streamproc.deduction.validity import Grounds
from streamproc.deduction.voters import UNKNOWN
from streamproc.errors import InferenceError, ReplyError
from streamproc.modelreply import quoted
from streamproc.modelserver import ModelServer
from streamproc.types import Judgement, ModelRef, RuleSet, Vote, Window


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

    def age_s(self, window: Window) -> float:
        """Seconds since the window's last picture came."""
        return (self._server.clock.now() - window.captured_at).total_seconds()

    def vote(self, evidence: Evidence, rules: RuleSet, held_against: Grounds, weight: float, before: str) -> Vote:
        """The majority of the valid samples; a vote that is void if none is valid, unknown if none is readable.

        The score is the share of the valid, knowing samples that say anomaly, each counted with the probabilities that
        the model gave its verdict, where the server tells them. ``before`` says what the camera's last windows came
        to. Where the vote contradicts what the other voters are sure of, the model is asked once more, within the same
        deadline; no answer to that leaves the vote as it is.

        Raises:
            InferenceError: the server does not answer.
        """
        clock = self._server.clock
        began_s = clock.monotonic()
        # Without randomness all samples are one; vLLM refuses to draw several then.
        n = self._settings.samples if self._settings.temperature > 0 else 1
        asked = messages(system_text(rules), evidence, before)
        form = schema(held_against)
        replies = self._ask(asked, form, n, self._settings.temperature, None)
        vote, said = _heard(replies, n, held_against, weight)
        about = doubt(vote, evidence) if self._settings.reflect and vote.void is None else None
        if about is None or said is None:
            return vote
        took_s = clock.monotonic() - began_s
        left_s = self._settings.deadline_s - took_s
        if left_s < took_s:
            return replace(vote, reflected="late")
        try:
            replies = self._ask(conversation(asked, said, about), form, 1, 0.0, left_s)
        except InferenceError:
            return replace(vote, reflected="unheard")
        second, again = _heard(replies, 1, held_against, weight)
        if again is None or second.void is not None:
            return replace(vote, reflected="unheard")
        second = replace(second, reason=f"asked again: {second.reason}")
        return replace(second, reflected="kept" if second.verdict == vote.verdict else "changed")

    def _ask(
        self,
        asked: Sequence[ChatCompletionMessageParam],
        form: Mapping[str, object],
        n: int,
        temperature: float,
        within_s: float | None,
    ) -> tuple[Opinion | ReplyError, ...]:
        return self._server.ask(
            asked,
            Opinion,
            n=n,
            temperature=temperature,
            logprobs=self._settings.logprobs,
            within_s=within_s,
            schema=form,
        )


def _heard(
    replies: Sequence[Opinion | ReplyError], asked: int, held_against: Grounds, weight: float
) -> tuple[Vote, Opinion | None]:
    """The vote, and the first of the replies that say what it says."""
    opinions = [reply for reply in replies if not isinstance(reply, ReplyError)]
    if not opinions:
        errors = [reply for reply in replies if isinstance(reply, ReplyError)]
        reason = f"no usable reply: {errors[0]}; it said: {quoted(errors[0].text) or 'nothing'}"
        return Vote("llm", "unknown", (), weight, UNKNOWN, reason), None
    faults = [held_against.fault("llm", opinion.verdict, opinion.cites) for opinion in opinions]
    valid = [opinion for opinion, fault in zip(opinions, faults, strict=True) if fault is None]
    vote, said = _majority(valid or opinions, asked, weight)
    if not valid:
        vote = replace(vote, weight=0.0, void=next(fault for fault in faults if fault))
    return vote, said


def _majority(opinions: Sequence[Opinion], asked: int, weight: float) -> tuple[Vote, Opinion | None]:
    shares = [certainty(opinion.verdict, opinion.tokens) for opinion in opinions]
    anomaly, normal = (sum(share[verdict] for share in shares) for verdict in ("anomaly", "normal"))
    verdict: Judgement = "unknown"
    if anomaly != normal:
        verdict = "anomaly" if anomaly > normal else "normal"
    agreeing = [opinion for opinion in opinions if opinion.verdict == verdict]
    if not agreeing or verdict == "unknown":
        unknowing = [opinion for opinion in opinions if opinion.verdict == "unknown"]
        said = quoted(unknowing[0].reason) if unknowing else "its samples disagree"
        words = f"{said} ({len(unknowing)} of {asked} samples)"
        return Vote("llm", "unknown", (), weight, UNKNOWN, words), unknowing[0] if unknowing else None
    cited = Counter(cite for opinion in agreeing for cite in dict.fromkeys(opinion.cites))
    score = anomaly / (anomaly + normal)
    told = f", anomaly {score:.0%} likely" if any(opinion.tokens for opinion in agreeing) else ""
    words = f"{quoted(agreeing[0].reason)} ({len(agreeing)} of {asked} samples{told})"
    return Vote("llm", verdict, tuple(cite for cite, _ in cited.most_common()), weight, score, words), agreeing[0]
