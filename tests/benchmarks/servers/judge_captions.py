"""What a small language model adds as a judge of labelled captions, at what latency and for which share of frames.

    STREAMPROC_SERVERS=DIR python tests/benchmarks/servers/judge_captions.py [--asked 30] [--seed 0] FILE.jsonl.gz …

Rules are induced from two videos of each file, without a language model; of the other videos' frames a random draw is
judged by keywords and meaning, and of those that are left in doubt so many are put to the model, each frame by itself.
DIR is what `make servers` prepared. Interrupted, it tells what it has.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sklearn.metrics import roc_auc_score

from streamproc.captions_induction import induce_from_captions
from streamproc.config import DeductionSettings, LlmSettings
from streamproc.deduction.deducer import Deducer
from streamproc.deduction.evidence import gather
from streamproc.deduction.llm import LlmVoter, worth_asking
from streamproc.evaluation.captioned import load_captioned
from streamproc.evaluation.judging import AT, CaptionJudge, written
from streamproc.evaluation.table import draw
from streamproc.models.sentences import SentenceEmbedder
from streamproc.models.store import ModelStore
from streamproc.modelserver import ModelServer
from streamproc.rules.matching import Matcher
from streamproc.runtime.clock import SystemClock
from streamproc.testing_bench import machine
from streamproc.testing_deduction import observed
from streamproc.types import Verdict, Vote

SERVE = Path(__file__).parents[2] / "integration" / "servers" / "serve_llama.py"
CHEAP = DeductionSettings(smoothing_s=0)
UNSEEN = observed(not_judged=("only captions were given",))


@dataclass(frozen=True)
class Frame:
    """One labelled caption, judged."""

    label: int
    doubtful: bool
    cheap: Verdict
    judged: Verdict | None = None
    took_s: float = 0.0

    @property
    def vote(self) -> Vote | None:
        """The model's."""
        return next((vote for vote in self.judged.votes if vote.voter == "llm"), None) if self.judged else None


@contextmanager
def served(servers: Path) -> Iterator[LlmSettings]:
    """The small judge on llama.cpp's server, asked patiently, once a frame and without randomness."""
    model = servers / "judge.gguf"
    command = [servers / "llama" / "bin" / "python", SERVE, model]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        try:
            yield LlmSettings(
                base_url=f"{address}/v1", model=str(model), deadline_s=300, retries=0, samples=1, temperature=0
            )
        finally:
            process.terminate()


def measure(file: Path, drawn: int, asked: int, seed: int, settings: LlmSettings, embedder: SentenceEmbedder) -> None:
    """One file's table."""
    videos = load_captioned(file)
    sources = draw(videos, seed)
    normal = {video.name: video.normal() for video in sources}
    learned = induce_from_captions(
        normal, seed=seed, embedder=embedder, judge=lambda rules, texts: CaptionJudge(rules, CHEAP).smoothed(texts)
    )
    rules = learned.rule_set()
    by_id = {rule.id: rule for rule in rules.rules}
    matcher = Matcher(rules, embedder, CHEAP.semantic_threshold)
    pool = [pair for video in videos if video not in sources for pair in zip(video.labels, video.texts, strict=True)]
    chance = random.Random(seed)
    frames: list[Frame] = []
    texts = chance.sample(pool, drawn)
    server = ModelServer(settings, SystemClock())
    voter = LlmVoter(server, settings)
    print(
        f"\n{file.name}: rules from {'+'.join(normal)}, seed {seed}: {sum(r.enabled for r in rules.rules)} in force; "
        f"{drawn} frames of the other videos"
    )
    try:
        for label, text in texts:
            said = written(text)
            matches = matcher.match(said, AT, "UTC")
            cheap = Deducer(CHEAP).decide(UNSEEN, said, matches, rules)
            doubtful = worth_asking(gather(UNSEEN, said, matches, by_id))
            judged, took_s = None, 0.0
            if doubtful and sum(one.judged is not None for one in frames) < asked:
                began_s = time.monotonic()
                judged = Deducer(CHEAP, voter).decide(UNSEEN, said, matches, rules)
                took_s = time.monotonic() - began_s
                heard = next(vote for vote in judged.votes if vote.voter == "llm")
                note = f"{label} {heard.verdict} {heard.score:.2f} {took_s:.0f} s {heard.void or ''} {heard.reason}"
                print(note[:200], file=sys.stderr, flush=True)
            frames.append(Frame(label, doubtful, cheap, judged, took_s))
    except KeyboardInterrupt:
        print(f"  interrupted after {len(frames)} frames")
    finally:
        server.close()
    tell(frames)


def tell(frames: Sequence[Frame]) -> None:
    """Shares, latency, and the same frames with and without the model."""
    doubtful = sum(frame.doubtful for frame in frames)
    put = [frame for frame in frames if frame.judged is not None]
    votes = [frame.vote for frame in put if frame.vote is not None]
    if not put:
        print(f"  {doubtful} of {len(frames)} in doubt, none was asked about")
        return
    unheard = sum("not heard" in vote.reason for vote in votes)
    right = sum(vote.verdict == ("anomaly" if one.label else "normal") for vote, one in zip(votes, put, strict=True))
    times = sorted(frame.took_s for frame in put)
    print(
        f"  left in doubt {doubtful} of {len(frames)} ({doubtful / len(frames):.0%}); asked about the first {len(put)}"
        f" ({sum(one.label for one in put)} anomalous); {statistics.median(times):.1f} s median, {times[-1]:.1f} s most"
    )
    print(
        f"  its verdicts: {right} right, {sum(vote.verdict == 'unknown' for vote in votes)} unknown (of them {unheard} "
        f"without an answer), {sum(vote.void is not None for vote in votes)} void, "
        f"{sum(vote.reflected is not None for vote in votes)} asked again"
    )
    labels = [frame.label for frame in put]
    for name, verdicts in (
        ("keywords and meaning", [frame.cheap for frame in put]),
        ("with the judge", [frame.judged for frame in put if frame.judged]),
    ):
        accuracy = statistics.fmean(one.alarm == bool(label) for one, label in zip(verdicts, labels, strict=True))
        auroc = f"{roc_auc_score(labels, [one.score for one in verdicts]):.3f}" if len(set(labels)) == 2 else "-"
        print(f"  {name:<22} accuracy {accuracy:.1%}  AUROC {auroc}, on the {len(put)} frames")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--drawn", type=int, default=150)
    parser.add_argument("--asked", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    servers = Path(os.environ.get("STREAMPROC_SERVERS", Path.home() / ".cache" / "streamproc" / "servers"))
    if not (servers / "judge.gguf").exists():
        raise SystemExit(
            f"NOT MEASURED: {servers} holds no judge; make servers SERVERS=DIR, then STREAMPROC_SERVERS=DIR"
        )
    embedder = SentenceEmbedder(ModelStore().ensure("bge-small"))
    print(f"Qwen2.5-Coder-1.5B-Instruct Q4_K_M on llama.cpp; {machine()}")
    with served(servers) as settings:
        for file in chosen.files:
            measure(file, chosen.drawn, chosen.asked, chosen.seed, settings, embedder)


if __name__ == "__main__":
    main()
