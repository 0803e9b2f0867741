"""Rules of one set on another's test: what was learned at one place, scored at every other, beside what was published.

On the set that they were learned from, the rules are scored as in ``table``: on the videos that they did not see.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamproc.config import DeductionSettings
from streamproc.evaluation.bootstrap import Difference, Pair
from streamproc.evaluation.captioned import CaptionedVideo
from streamproc.evaluation.judging import CaptionJudge
from streamproc.evaluation.metrics import ScoredVideo
from streamproc.evaluation.report import PUBLISHED, score
from streamproc.evaluation.table import Induce, auroc_of, draw, over_all, told
from streamproc.rules.meaning import Embedder

_LEFT, _RIGHT = 15, 27


@dataclass(frozen=True, slots=True)
class Cell:
    """Rules of one set on another's videos, the mean over seeds."""

    learned_from: str
    scored_on: str
    auroc: float
    published: float
    """AUROC of ``base-causal`` on the same videos."""
    difference: Difference
    """Ours less ``base-causal``."""
    over: str
    """What was resampled for it: videos or seeds."""
    aurocs: tuple[float, ...]
    """Ours, a seed each."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """Every pair's."""

    sets: tuple[str, ...]
    cells: tuple[Cell, ...]
    """By what was learned from, then by what was scored."""
    published: Mapping[str, float]
    """AUROC of ``base-causal`` on all videos of each set."""

    def __str__(self) -> str:
        names = {name: f"{name}{' *' if self._over(name) == 'seeds' else ''}" for name in self.sets}
        lines = ["learned from \\ scored on", f"{'':{_LEFT}}" + "".join(f"{names[one]:>{_RIGHT}}" for one in self.sets)]
        for row in self.sets:
            cells = [cell for cell in self.cells if cell.learned_from == row]
            told_cells = (f"{100 * cell.auroc:.1f} {told(cell.difference)}" for cell in cells)
            lines.append(f"{row:{_LEFT}}" + "".join(f"{one:>{_RIGHT}}" for one in told_cells))
        lines.append(
            f"{'published':{_LEFT}}" + "".join(f"{100 * self.published[one]:>{_RIGHT}.1f}" for one in self.sets)
        )
        if any(self._over(one) == "seeds" for one in self.sets):
            lines.append("* too few videos: the interval is over seeds")
        return "\n".join(lines)

    def _over(self, name: str) -> str:
        return next(cell.over for cell in self.cells if cell.scored_on == name)


def cross(
    sets: Mapping[str, Sequence[CaptionedVideo]],
    induce: Induce,
    seeds: Sequence[int],
    settings: DeductionSettings,
    embedder: Embedder | None = None,
) -> Crossed:
    """Induce from two random videos of each set, a seed each, and score what each set has beside them.

    Raises:
        ConfigError: a set has too few videos with normal frames, or what is scored holds frames of one kind.
    """
    published = {name: score(videos, PUBLISHED["base-causal"]) for name, videos in sets.items()}
    cells = []
    for origin, known in sets.items():
        pairs: dict[str, list[Pair]] = {name: [] for name in sets}
        for seed in seeds:
            sources = draw(known, seed)
            judge = CaptionJudge(induce(sources, seed), settings, embedder)
            seen = {video.name for video in sources}
            for name, videos in sets.items():
                kept = [video for video in videos if name != origin or video.name not in seen]
                names = {video.name for video in kept}
                theirs = tuple(video for video in published[name] if video.name in names)
                pairs[name].append(Pair(score(kept, judge.smoothed), theirs))
        cells += [_cell(origin, name, pairs[name], len(sets[name])) for name in sets]
    return Crossed(tuple(sets), tuple(cells), {name: auroc_of(name, scored) for name, scored in published.items()})


def _cell(origin: str, name: str, pairs: Sequence[Pair], videos: int) -> Cell:
    ours, theirs = (_aurocs(name, [getattr(pair, side) for pair in pairs]) for side in ("ours", "theirs"))
    difference, over = over_all(pairs, [a - b for a, b in zip(ours, theirs, strict=True)], videos)
    return Cell(origin, name, statistics.fmean(ours), statistics.fmean(theirs), difference, over, tuple(ours))


def _aurocs(name: str, scored: Sequence[Sequence[ScoredVideo]]) -> list[float]:
    return [auroc_of(name, videos) for videos in scored]
