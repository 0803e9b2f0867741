"""What it costs to hold a caption against rules and decide, without a language model.

    python tests/benchmarks/deduction_cost.py

Captions of four to eight sentences, made from parts and all different, against the rules that are induced from such
captions, and against sets that were filled up with made-up rules. Processor seconds, so that threads count in full.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from streamproc.config import DeductionSettings
from streamproc.evaluation.judging import CaptionJudge, written
from streamproc.models.sentences import SentenceEmbedder
from streamproc.models.store import ModelStore
from streamproc.rules.induction import StatisticalInducer
from streamproc.rules.learned import rule_set
from streamproc.rules.meaning import Embedder
from streamproc.testing_bench import machine
from streamproc.types import Rule, RuleSet

WHO = ("One person", "A man in a dark coat", "Another person", "A woman with a backpack", "Two people", "The third")
WHAT = ("is walking", "is standing", "is talking on a phone", "is sitting on a bench", "is running", "rides a bicycle")
WHERE = ("towards the left", "near the entrance", "on the path", "next to the stairs", "in the middle of the square")
BESIDE = ("a tree", "a signpost with an arrow", "a parked car", "two manhole covers", "a staircase", "a suitcase")


def caption(draw: random.Random) -> str:
    """In the manner of a vision-language model."""
    count = draw.randint(3, 7)
    people = [f"{draw.choice(WHO)} {draw.choice(WHAT)} {draw.choice(WHERE)}." for _ in range(count)]
    things = ", ".join(draw.sample(BESIDE, 3))
    return " ".join([f"There are {count} people in the image.", *people, f"Other than people, there are {things}."])


def filled_up(rules: RuleSet, count: int) -> RuleSet:
    """The set with made-up rules to ``count``: two keywords each, one of which captions hold in part."""
    made = [
        Rule(f"made-{n}", "environment", "anomaly", f"Thing number {n} is here.", (f"thing{n}", f"parked thing{n}"))
        for n in range(count - len(rules.rules))
    ]
    return RuleSet(rules.id, rules.site, rules.camera, 1, "0" * 64, (*rules.rules, *made))


def row(rules: RuleSet, texts: Sequence[str], embedder: Embedder | None) -> None:
    """One set's cost."""
    began_s = time.process_time()
    judge = CaptionJudge(rules, DeductionSettings(), embedder)
    loaded_s = time.process_time() - began_s
    judge.score("A first caption, which loads a dictionary.")
    costs = []
    for text in texts:
        began_s = time.process_time()
        judge.score(text)
        costs.append(1000 * (time.process_time() - began_s))
    costs.sort()
    voters = "keywords and meaning" if embedder else "keywords"
    p99 = costs[int(0.99 * len(costs))]
    print(f"{len(rules.rules):>6}  {voters:<21}{loaded_s:>10.2f}{statistics.median(costs):>12.2f}{p99:>10.2f}")


def main() -> None:
    """Print the table."""
    draw = random.Random(0)
    texts = [caption(draw) for _ in range(2200)]
    induced = rule_set(StatisticalInducer().induce([written(text) for text in texts[:200]]), "bench", "bench")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/deduction_cost.py\n")
    print("processor milliseconds a caption, all different")
    print(f"{'rules':>6}  {'voters':<21}{'loading s':>10}{'median':>12}{'p99':>10}")
    row(induced, texts[200:], None)
    row(filled_up(induced, 1_000), texts[200:], None)
    row(filled_up(induced, 10_000), texts[200:], None)
    row(induced, texts[200:400], SentenceEmbedder(ModelStore().ensure("bge-small")))


if __name__ == "__main__":
    main()
