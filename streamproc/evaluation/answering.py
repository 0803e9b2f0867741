"""Our own deduction as an answerer of the doubly-right test.

It is not shown the choices. What it is judged by comes from its verdict alone: the alarm is the detection, and the
reasoning is the choice that is most like the rule it leans on. So a right answer means that the rule named the thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamproc.captions_induction import induce_from_captions
from streamproc.config import DeductionSettings
from streamproc.deduction.deducer import Deducer, leading
from streamproc.deduction.llm import LlmVoter
from streamproc.deduction.voters import UNKNOWN
from streamproc.evaluation.items import LETTERS, Item, Items, Letter, Place
from streamproc.evaluation.judging import AT, UNSEEN, written
from streamproc.rules.inducer import Inducer
from streamproc.rules.matching import Matcher
from streamproc.rules.meaning import Embedder, Meanings
from streamproc.rules.schema import load_rules
from streamproc.types import ModelRef, RuleSet, Vote


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of an item; the two are said apart, so that each may be wrong alone."""

    alarm: bool
    """The detection."""
    choice: Letter
    """The reasoning."""
    why: str
    asked: bool = False
    """Whether a language or vision model was asked."""
    degraded: tuple[str, ...] = ()
    """What was left out, in words: a language model that did not answer."""


class Answerer(Protocol):
    """A way of answering."""

    models: tuple[ModelRef, ...]
    """Those that have a part in it."""

    def answer(self, item: Item, place: Place) -> Answer:
        """What is going on in ``item``, seen at ``place``.

        Raises:
            InferenceError: a model does not answer.
            ReplyError: its reply is unusable.
        """
        ...


class ByRules:
    """The deducer that runs live, on each caption by itself: nothing smoothed, nothing remembered.

    **The reasoning** is what its valid votes lean to, before the presumption of normality and the threshold: for an
    anomaly if their scores, each counted from one half on by its vote's weight, sum to more than nothing. Then the rule
    an alert would put first (the most severe, then what most is said for) is held against the three choices that tell
    of an anomaly, by likeness of meaning; else it is the choice that says all is normal. So a suspicion that was too
    weak to alarm is a reasoning all the same, right or wrong.
    """

    def __init__(
        self,
        rules: Mapping[str, RuleSet],
        embedder: Embedder,
        settings: DeductionSettings,
        llm: LlmVoter | None = None,
    ) -> None:
        """``rules`` by the place's id.

        Raises:
            InferenceError: the embedding model failed.
        """
        self.models: tuple[ModelRef, ...] = (llm.model,) if llm else ()
        self._settings = settings.model_copy(update={"smoothing_s": 0.0})
        self._embedder = embedder
        self._llm = llm
        self._matchers = {site: Matcher(those, embedder, settings.semantic_threshold) for site, those in rules.items()}

    def answer(self, item: Item, place: Place) -> Answer:
        """As ``Answerer`` says; a language model that does not answer is left out of the votes, as it is live."""
        matcher = self._matchers[place.id]
        caption = written(item.caption)
        matches = matcher.match(caption, AT, "UTC")
        verdict = Deducer(self._settings, self._llm).decide(UNSEEN, caption, matches, matcher.rules)
        choice = self._choice(item, verdict.votes, matcher.rules)
        asked = any(vote.voter == "llm" for vote in verdict.votes)
        left_out = tuple(note for note in verdict.degraded if note not in UNSEEN.not_judged)
        return Answer(verdict.alarm, choice, verdict.reason, asked, left_out)

    def _choice(self, item: Item, votes: Sequence[Vote], rules: RuleSet) -> Letter:
        if sum(vote.weight * (vote.score - UNKNOWN) for vote in votes) <= 0:
            return item.normal
        cited = leading("anomaly", votes, {rule.id: rule for rule in rules.rules})
        return nearest(cited[0].text, item, self._embedder, [one for one in LETTERS if one != item.normal])


class ByLikeness:
    """The choice whose sentence is most like the caption; no rules, no reasoning.

    A yardstick: what the wording of the choices gives away.
    """

    models: tuple[ModelRef, ...] = ()

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def answer(self, item: Item, place: Place) -> Answer:  # noqa: ARG002 - the place has no part in it
        """As ``Answerer`` says."""
        choice = nearest(item.caption, item, self._embedder, LETTERS)
        return Answer(choice != item.normal, choice, "the most alike")


def rules_of(items: Items, inducer: Inducer, embedder: Embedder) -> tuple[dict[str, RuleSet], str]:
    """Each place's rules, by its id, loaded or induced from its normal captions; and where they are from, in words.

    The alarm's threshold is left as the pipeline has it: a dozen captions do not tell a better one.

    Raises:
        ConfigError: a rule file has faults, or there are too few captions.
        InferenceError: a model failed.
    """
    rules: dict[str, RuleSet] = {}
    told: dict[str, None] = {}
    for place in items.sites:
        if place.rules is not None:
            rules[place.id] = load_rules(place.rules)
            told["rule files"] = None
        else:
            learned = induce_from_captions({place.id: place.normal or ()}, inducer, embedder=embedder)
            rules[place.id] = learned.rule_set(place.id, place.id)
            told[f"induced from {learned.induction.captions} normal captions a place: {learned.induction.how}"] = None
    return rules, "; ".join(told)


def nearest(text: str, item: Item, embedder: Embedder, among: Sequence[Letter]) -> Letter:
    """The choice, ``among`` these, that is most like ``text`` in meaning; of equals the first."""
    texts = item.choices.texts()
    likeness = Meanings(embedder, [texts[letter] for letter in among]).likeness([text])[0]
    return among[int(likeness.argmax())]
