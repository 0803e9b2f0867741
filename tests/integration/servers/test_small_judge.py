"""What a small real language model is worth as a judge, beside the voters that cost nothing: printed as it comes out.

Twenty windows of our own; each stands alone (no smoothing), so that what is counted is the single decision.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streamproc.config import DeductionSettings, LlmSettings
from streamproc.deduction.deducer import Deducer
from streamproc.deduction.llm import LlmVoter
from streamproc.models.sentences import SentenceEmbedder
from streamproc.models.store import ModelStore
from streamproc.modelserver import ModelServer
from streamproc.rules.matching import Matcher
from streamproc.rules.schema import load_rules
from streamproc.testing_deduction import caption, observed
from streamproc.types import Verdict, Vote

pytestmark = pytest.mark.models
Client = Callable[[LlmSettings], ModelServer]
HERE = Path(__file__).parent
RULES = load_rules(HERE / "yard_rules.yaml")
WINDOWS: list[dict[str, str]] = YAML(typ="safe").load((HERE / "yard_windows.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Outcome:
    window: dict[str, str]
    verdict: Verdict
    took_s: float

    @property
    def right(self) -> bool:
        return self.verdict.alarm == (self.window["verdict"] == "anomaly")

    @property
    def heard(self) -> Vote | None:
        return next((vote for vote in self.verdict.votes if vote.voter == "llm"), None)


@pytest.fixture(scope="module")
def embedder() -> SentenceEmbedder:
    return SentenceEmbedder(ModelStore().ensure("bge-small"))


def run(embedder: SentenceEmbedder, threshold: float, voter: LlmVoter | None) -> list[Outcome]:
    matcher = Matcher(RULES, embedder, threshold)
    outcomes = []
    for window in WINDOWS:
        deducer = Deducer(DeductionSettings(smoothing_s=0, semantic_threshold=threshold), voter)
        seen, said = observed(), caption(text=window["text"])
        matches = matcher.match(said, seen.window.captured_at, "UTC")
        began_s = time.monotonic()
        verdict = deducer.decide(seen, said, matches, RULES)
        outcomes.append(Outcome(window, verdict, time.monotonic() - began_s))
    return outcomes


def tell(name: str, outcomes: list[Outcome]) -> None:
    misses = sum(not one.right and not one.verdict.alarm for one in outcomes)
    false = sum(not one.right and one.verdict.alarm for one in outcomes)
    right = len(outcomes) - misses - false
    print(f"  {name}: {right} of {len(outcomes)} right, {misses} missed, {false} false alarms")


@pytest.mark.parametrize(
    ("threshold", "changes"),
    [(0.6, {}), (0.45, {"reflect": False})],
    ids=["as it comes", "wide net"],
)
def test_the_small_judge_beside_the_cheap_voters(
    judge: Any, client: Client, embedder: SentenceEmbedder, threshold: float, changes: dict[str, Any]
) -> None:
    settings = judge.settings(**changes)
    cheap = run(embedder, threshold, None)
    judged = run(embedder, threshold, LlmVoter(client(settings), settings))
    asked = [one for one in judged if one.heard is not None]
    votes = [one.heard for one in asked if one.heard is not None]
    print(f"\n  semantic_threshold {threshold}, {changes or 'defaults, one sample at temperature 0'}")
    tell("keywords and meaning alone", cheap)
    tell("with the judge", judged)
    times = sorted(one.took_s for one in asked)
    print(
        f"  asked about {len(asked)} of {len(judged)} ({len(asked) / len(judged):.0%}); "
        f"{statistics.median(times):.1f} s median, {times[-1]:.1f} s at most"
    )
    own = sum(vote.verdict == one.window["verdict"] for vote, one in zip(votes, asked, strict=True))
    void = sum(vote.void is not None for vote in votes)
    unknown = sum(vote.verdict == "unknown" for vote in votes)
    print(
        f"  of the judge's {len(votes)} votes {own} are right; {void} void, {unknown} unknown; "
        f"reflection: {[vote.reflected for vote in votes if vote.reflected] or 'none'}"
    )
    for before, one in zip(cheap, judged, strict=True):
        if one.heard is not None:
            change = "" if before.right == one.right else " (put right)" if one.right else " (spoilt)"
            void_because = f", void: {one.heard.void}" if one.heard.void else ""
            print(
                f"    {one.window['verdict']:<7} {one.heard.verdict:<7} {one.heard.score:.2f}{change} "
                f"{one.window['text']} | {one.heard.reason}{void_because}"
            )
    assert 0 < len(asked) < len(judged)
    assert all("not heard" not in vote.reason for vote in votes)
    assert sum("no usable reply" in vote.reason for vote in votes) <= len(votes) / 4
