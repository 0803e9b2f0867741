"""One test over captions: what was scored, by what, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from streamproc.config import DeductionSettings
from streamproc.errors import ConfigError
from streamproc.evaluation import published
from streamproc.evaluation.captioned import CaptionedVideo, load_captioned
from streamproc.evaluation.judging import CaptionJudge
from streamproc.evaluation.metrics import Measures, ScoredVideo, measure
from streamproc.figures import duration, plain
from streamproc.rules.meaning import Embedder
from streamproc.rules.schema import ProvenanceModel, parse_rules
from streamproc.types import RuleSet
from streamproc.yamlfile import read_bytes

Variant = Literal["ours", "base-causal", "base", "full"]
PUBLISHED: Mapping[Variant, Callable[[Sequence[str]], list[float]]] = {
    "base-causal": published.base_causal,
    "base": published.base,
    "full": published.full,
}
"""Ways of scoring one video's captions that need no rules."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a test."""

    variant: Variant
    captions: str
    """The file of captions."""
    rules: str | None
    """The rule file, whose source videos were left out and, for ``ours``, whose rules scored."""
    rules_sha256: str | None
    semantic: bool
    """Whether meaning had a vote."""
    left_out: tuple[str, ...]
    """Videos of the file that the rules were learned from."""
    fps: float | None
    """Captions a second on one core."""
    measures: Measures
    scored: tuple[ScoredVideo, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``: all but the scores, with the measures beside the rest."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name not in ("measures", "scored")}
        return fields | asdict(self.measures)

    def __str__(self) -> str:
        m = self.measures
        by = f"{self.variant}{f', rules {self.rules}' if self.rules and self.variant == 'ours' else ''}"
        lines = [
            f"{self.captions}: {m.videos} videos, {m.frames} frames ({m.frames_anomalous} anomalous), scored by {by}",
            f"left out      {', '.join(self.left_out) or 'no video'}",
            *measured(m),
            f"speed         {'-' if self.fps is None else f'{self.fps:.0f}'} captions/s on one core",
        ]
        return "\n".join(lines)


def measured(m: Measures) -> list[str]:
    """The measures for people, in lines."""
    delay = "" if m.delay_s_median is None else f", {m.delay_s_median:.2f} s after their first frame (median)"
    return [
        f"auroc         {aurocs(m).removeprefix('auroc ')}",
        f"at {m.threshold:<10.3g} accuracy {_told(m.accuracy)}   precision {_told(m.precision)}   "
        f"recall {_told(m.recall)}",
        f"events        {m.events_caught} of {m.events} caught{delay}",
        f"false alarms  {m.false_alarms} in {duration(m.hours_observed * 3600)} of normal frames at {m.frame_rate:g} "
        "frames/s" + _an_hour(m),
    ]


def aurocs(m: Measures) -> str:
    """What needs no threshold."""
    return f"auroc {_told(m.auroc)}   ap {_told(m.ap)}"


def evaluate(
    captions: Path,
    rules: Path | None,
    variant: Variant,
    settings: DeductionSettings,
    *,
    frame_rate: float,
    include_sources: bool = False,
    embedder: Embedder | None = None,
) -> Report:
    """Score the captions' videos by ``variant``, less those that ``rules`` were learned from.

    Raises:
        ConfigError: a file is at fault, ``ours`` has no rules, nothing is left to score, or scikit-learn is missing.
        InferenceError: the embedding model failed.
    """
    if rules is None and variant == "ours":
        raise ConfigError("--variant ours scores by rules: name a rule file with --rules")
    videos = load_captioned(captions)
    known, left_out = (None, frozenset[str]()) if rules is None else rules_and_sources(rules)
    kept = videos if include_sources else tuple(video for video in videos if video.name not in left_out)
    if not kept:
        raise ConfigError(f"{rules} was learned from all videos of {captions}; --include-sources scores them anyway")
    if variant == "ours" and known is not None:
        judge = CaptionJudge(known, settings, embedder)
        scored, threshold = score(kept, judge.smoothed), judge.threshold
        fps = judge.fps
    else:
        began_s = time.process_time()
        scored, threshold = score(kept, PUBLISHED[variant]), settings.alarm_score
        fps = sum(len(video.texts) for video in kept) / max(time.process_time() - began_s, 1e-9)
    return Report(
        variant=variant,
        captions=captions.name,
        rules=None if rules is None else str(rules),
        rules_sha256=None if known is None else known.sha256,
        semantic=variant == "ours" and embedder is not None,
        left_out=tuple(video.name for video in videos if video not in kept),
        fps=fps,
        measures=measure(scored, threshold, frame_rate),
        scored=scored,
    )


def score(videos: Sequence[CaptionedVideo], way: Callable[[Sequence[str]], Sequence[float]]) -> tuple[ScoredVideo, ...]:
    """Each video's captions scored in a ``way``, in order, each video by itself."""
    return tuple(ScoredVideo(video.name, video.labels, tuple(way(video.texts))) for video in videos)


def rules_and_sources(path: Path) -> tuple[RuleSet, frozenset[str]]:
    """The rules in a file, and the names of the videos that they were learned from.

    Raises:
        ConfigError: the file does not load.
    """
    rules, model, _ = parse_rules(read_bytes(path), str(path))
    return rules, frozenset() if model.provenance is None else _sources(model.provenance)


def _sources(provenance: ProvenanceModel) -> frozenset[str]:
    clips = [clip.name for clip in provenance.clips]
    return frozenset((*provenance.videos, *clips, *(Path(name).stem for name in clips)))


def _told(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def _an_hour(m: Measures) -> str:
    if m.false_alarms_per_hour is None:
        return ""
    rate, most = plain(m.false_alarms_per_hour), plain(m.false_alarms_per_hour_max or 0.0)
    return f": {rate} an hour, at most {most} (95 % upper bound)"
