"""Rules induced from two videos of a set, beside what was published, on the set's other videos: seed by seed."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streamproc.config import DeductionSettings
from streamproc.errors import ConfigError
from streamproc.evaluation.bootstrap import Difference, Pair, over_seeds, over_videos
from streamproc.evaluation.captioned import CaptionedVideo
from streamproc.evaluation.judging import CaptionJudge
from streamproc.evaluation.metrics import ScoredVideo, measure
from streamproc.evaluation.report import PUBLISHED, Variant, score
from streamproc.rules.meaning import Embedder
from streamproc.types import RuleSet

Induce = Callable[[Sequence[CaptionedVideo], int], RuleSet]
"""Rules from the normal frames of some videos, with a seed."""
SOURCES = 2
LEAST_NORMAL = 5
"""Normal frames that a video must have to be learned from."""
FEW_VIDEOS = 10
"""Below so many a set says more by its seeds than by its videos: there are too few to resample."""
_COLUMNS: tuple[Variant, ...] = ("ours", "base-causal", "base", "full")


@dataclass(frozen=True, slots=True)
class SeedRow:
    """One induction and its test."""

    seed: int
    sources: tuple[str, ...]
    """Videos that were learned from, and not scored."""
    aurocs: Mapping[Variant, float]
    """Of ours and of what was published, on the same videos."""
    difference: Difference
    """Ours less ``base-causal``, over videos."""
    frames: int
    fps: float
    """Captions a second on one core, ours."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One set's."""

    name: str
    videos: int
    rows: tuple[SeedRow, ...]
    difference: Difference
    """Ours less ``base-causal``, the mean over seeds."""
    over: str
    """What was resampled for it: videos or seeds."""

    def mean(self, variant: Variant) -> float:
        """AUROC, the mean over seeds."""
        return statistics.fmean(row.aurocs[variant] for row in self.rows)

    def __str__(self) -> str:
        width = max(len("learned from"), *(len("+".join(row.sources)) for row in self.rows))
        head = "".join(f"{name:>13}" for name in _COLUMNS)
        lines = [f"{self.name}, {self.videos} videos", f"seed  {'learned from':{width}}{head}  ours - base-causal"]
        for row in self.rows:
            cells = "".join(f"{100 * row.aurocs[name]:13.1f}" for name in _COLUMNS)
            lines.append(f"{row.seed:<5} {'+'.join(row.sources):{width}}{cells}  {told(row.difference)} over videos")
        cells = "".join(f"{100 * self.mean(name):13.1f}" for name in _COLUMNS)
        lines.append(f"mean  {'':{width}}{cells}  {told(self.difference)} over {self.over}")
        return "\n".join(lines)


def compare(
    name: str,
    videos: Sequence[CaptionedVideo],
    induce: Induce,
    seeds: Sequence[int],
    settings: DeductionSettings,
    embedder: Embedder | None = None,
) -> Comparison:
    """Induce from two random videos a seed and score the others, ours and what was published.

    Raises:
        ConfigError: too few videos hold normal frames, or those that are left hold frames of one kind.
    """
    known = {variant: {v.name: v for v in score(videos, way)} for variant, way in PUBLISHED.items()}
    rows, pairs = [], []
    for seed in seeds:
        sources = draw(videos, seed)
        rest = [video for video in videos if video not in sources]
        judge = CaptionJudge(induce(sources, seed), settings, embedder)
        ours = score(rest, judge.smoothed)
        theirs = {variant: tuple(scored[video.name] for video in rest) for variant, scored in known.items()}
        pair = Pair(ours, theirs["base-causal"])
        aurocs = {
            "ours": auroc_of(name, ours),
            **{variant: auroc_of(name, scored) for variant, scored in theirs.items()},
        }
        frames = sum(len(video.frames) for video in rest)
        names = tuple(video.name for video in sources)
        rows.append(SeedRow(seed, names, aurocs, over_videos([pair]), frames, judge.fps or math.nan))
        pairs.append(pair)
    difference, over = over_all(pairs, [row.difference.mean for row in rows], len(videos))
    return Comparison(name, len(videos), tuple(rows), difference, over)


def over_all(pairs: Sequence[Pair], differences: Sequence[float], videos: int) -> tuple[Difference, str]:
    """The difference over seeds and what was resampled for it; a pair and a mean a seed, ``videos`` are in the set."""
    if videos < FEW_VIDEOS:
        return over_seeds(differences), "seeds"
    return over_videos(pairs), "videos"


def draw(videos: Sequence[CaptionedVideo], seed: int) -> tuple[CaptionedVideo, ...]:
    """The videos to learn from, in the order of the file: drawn at random from those with enough normal frames.

    Raises:
        ConfigError: there are too few.
    """
    fit = [video for video in videos if video.labels.count(0) >= LEAST_NORMAL]
    if len(fit) < SOURCES or len(videos) <= SOURCES:
        raise ConfigError(
            f"rules are learned from {SOURCES} videos of {LEAST_NORMAL} normal frames or more, and others are scored; "
            f"here are {len(videos)} videos, {len(fit)} of them with so many"
        )
    drawn = random.Random(seed).sample(range(len(fit)), SOURCES)  # noqa: S311 - a draw, not a secret
    return tuple(fit[index] for index in sorted(drawn))


def auroc_of(name: str, videos: Sequence[ScoredVideo]) -> float:
    """Of the videos of the set ``name``.

    Raises:
        ConfigError: their frames are of one kind.
    """
    auroc = measure(videos, 0.5, 25.0).auroc
    if auroc is None:
        raise ConfigError(f"{name}: what is left to score holds frames of one kind only")
    return auroc


def told(difference: Difference) -> str:
    """In points, with its interval where it has one."""
    mean = f"{100 * difference.mean:+5.1f}"
    if difference.low == difference.high:
        return f"{mean} (one seed)"
    return f"{mean} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
