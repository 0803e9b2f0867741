"""What it costs to hold a caption against rules and decide, without a language model.

    python tests/benchmarks/deduction_cost.py

Captions of four to seven sentences against the rules that are induced from such captions, and against sets that were
filled up with made-up rules. All captions differ. They are put together from sentences that come again, as they do
from picture to picture; and, as the worst case, from sentences none of which is there twice. Processor seconds, so that
threads count in full.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from streamproc.config import DeductionSettings
from streamproc.evaluation.judging import CaptionJudge, written
from streamproc.facts import facts_of
from streamproc.models.sentences import SentenceEmbedder
from streamproc.models.store import ModelStore
from streamproc.rules.induction import StatisticalInducer
from streamproc.rules.learned import rule_set
from streamproc.testing_bench import machine
from streamproc.types import Rule, RuleSet

WHO = ("One person", "A man in a dark coat", "Another person", "A woman with a backpack", "Two people", "The third")
WHAT = ("is walking", "is standing", "is talking on a phone", "is sitting on a bench", "is running", "rides a bicycle")
WHERE = ("towards the left", "near the entrance", "on the path", "next to the stairs", "in the middle of the square")
BESIDE = ("a tree", "a signpost with an arrow", "a parked car", "two manhole covers", "a staircase", "a suitcase")


def caption(draw: random.Random, fresh: bool = False) -> str:
    """In the manner of a vision-language model; if ``fresh``, a number in each sentence keeps it from coming again."""

    def post() -> str:
        return f", at post {draw.randint(1, 10**6)}" if fresh else ""

    count = draw.randint(2, 5)
    people = [f"{draw.choice(WHO)} {draw.choice(WHAT)} {draw.choice(WHERE)}{post()}." for _ in range(count)]
    things = f"Other than people, there are {', '.join(draw.sample(BESIDE, 3))}{post()}."
    return " ".join([f"There are {count} people in the image{post()}.", *people, things])


def filled_up(rules: RuleSet, count: int) -> RuleSet:
    """The set with made-up rules to ``count``: two keywords each, one of which captions hold in part."""
    made = [
        Rule(f"made-{n}", "environment", "anomaly", f"Thing number {n} is here.", (f"thing{n}", f"parked thing{n}"))
        for n in range(count - len(rules.rules))
    ]
    return RuleSet(rules.id, rules.site, rules.camera, 1, "0" * 64, (*rules.rules, *made))


def row(
    rules: RuleSet, name: str, texts: Sequence[str], embedder: SentenceEmbedder | None = None, known: bool = False
) -> None:
    """One line of the table; ``known`` has the sentences embedded beforehand."""
    began_s = time.process_time()
    judge = CaptionJudge(rules, DeductionSettings(), embedder)
    loaded_s = time.process_time() - began_s
    judge.score("A first caption, which loads a dictionary.")
    if embedder is not None and known:
        embedder.embed([fact.text for text in texts for fact in facts_of(written(text))])
    costs = []
    for text in texts:
        began_s = time.process_time()
        judge.score(text)
        costs.append(1000 * (time.process_time() - began_s))
    costs.sort()
    voters = "keywords" if embedder is None else "and meaning, embedded" if known else "and meaning"
    p99 = costs[int(0.99 * len(costs))]
    print(f"{len(rules.rules):>6}  {name:<11}{voters:<22}{loaded_s:>9.2f}{statistics.median(costs):>12.2f}{p99:>10.2f}")


def main() -> None:
    """Print the table."""
    draw = random.Random(0)
    texts = list(dict.fromkeys(caption(draw) for _ in range(2300)))
    fresh = [caption(draw, fresh=True) for _ in range(2000)]
    induced = rule_set(StatisticalInducer().induce([written(text) for text in texts[:200]]), "bench", "bench")
    words = statistics.median(len(text.split()) for text in texts)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/deduction_cost.py\n")
    print(f'processor milliseconds a caption of {words:.0f} words (median); "embedded": after the embeddings')
    print(f"{'rules':>6}  {'sentences':<11}{'voters':<22}{'loading s':>9}{'median':>12}{'p99':>10}")
    model = ModelStore().ensure("bge-small")
    for name, some in (("again", texts[200:]), ("new", fresh)):
        row(induced, name, some)
        row(filled_up(induced, 1_000), name, some)
        row(filled_up(induced, 10_000), name, some)
        row(induced, name, some[:300], SentenceEmbedder(model))
        row(induced, name, some[300:600], SentenceEmbedder(model), known=True)
    row(filled_up(induced, 10_000), "again", texts[200:500], SentenceEmbedder(model), known=True)


if __name__ == "__main__":
    main()
