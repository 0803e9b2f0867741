"""A rule set on captions alone: no pictures, so nothing is measured, and no times but those of the frames' numbers."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.backtest.chosen import Chosen
from streamproc.backtest.outcome import Moment, Outcome
from streamproc.backtest.progress import Advance
from streamproc.config import DeductionSettings
from streamproc.evaluation.captioned import CaptionedVideo
from streamproc.evaluation.judging import CaptionJudge
from streamproc.evaluation.metrics import ScoredVideo, measure
from streamproc.rules.meaning import Embedder

_ALONE = "captions alone: nothing was measured, and rules for hours or days were held against a Wednesday noon"


def run_on_captions(
    one: Chosen,
    videos: Sequence[CaptionedVideo],
    settings: DeductionSettings,
    embedder: Embedder | None,
    fps: float,
    resolve_after_s: float,
    advance: Advance,
    left_out: Sequence[str] = (),
) -> Outcome:
    """What ``one`` would have raised, had each caption been seen live; ``fps`` are the frames a second, ``left_out``
    the videos that are not in ``videos`` because rules were learned from them.

    Raises:
        InferenceError: the embedding model failed.
    """
    judge = CaptionJudge(one.rules, settings, embedder)
    moments: list[Moment] = []
    scored: list[ScoredVideo] = []
    for video in videos:
        advance(f"{one.name}: {video.name}", 0.0)
        scores = judge.smoothed(video.texts)
        moments += [
            _moment(judge, video, scores, first, last, fps)
            for first, last in _incidents(video, scores, judge.threshold, resolve_after_s * fps)
        ]
        scored.append(ScoredVideo(video.name, video.labels, tuple(scores)))
        advance(f"{one.name}: {video.name}", len(video.frames))
    frames = sum(len(video.frames) for video in videos)
    return Outcome(
        rules=one.name,
        version=one.rules.version,
        sha256=one.rules.sha256[:12],
        threshold=judge.threshold,
        footage_s=frames / fps,
        normal_s=sum(video.labels.count(0) for video in videos) / fps,
        moments=tuple(moments),
        measures=measure(scored, judge.threshold, fps),
        notes=(_ALONE, *([f"left out, as rules were learned from them: {', '.join(left_out)}"] if left_out else [])),
    )


def _incidents(
    video: CaptionedVideo, scores: Sequence[float], threshold: float, resolve_after: float
) -> list[tuple[int, int]]:
    """The first and the last alarm of each, as places in the video; one ends after ``resolve_after`` calm frames."""
    found: list[tuple[int, int]] = []
    for place, score in enumerate(scores):
        if score < threshold:
            continue
        if found and video.frames[place] - video.frames[found[-1][1]] <= resolve_after:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return found


def _moment(
    judge: CaptionJudge, video: CaptionedVideo, scores: Sequence[float], first: int, last: int, fps: float
) -> Moment:
    verdict = judge.verdict(video.texts[first])
    return Moment(
        clip=video.name,
        start_s=video.frames[first] / fps,
        end_s=video.frames[last] / fps,
        at=None,
        severity=verdict.severity,
        score=scores[first],
        rules=tuple((rule.id, rule.text) for rule in verdict.cited_rules if rule.says == "anomaly"),
        category=verdict.category,
        reason=verdict.reason,
        caption=video.texts[first],
        false=not video.labels[first],
    )
