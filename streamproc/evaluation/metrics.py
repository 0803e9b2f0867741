"""Frame by frame and event by event: how scores do against labels.

AUROC and AP are taken over all frames of all videos at once, without a normalisation a video (AnomalyRuler, section
4.1): a score must mean the same on every video, as it must live.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from streamproc.deduction.calibration import upper_bound
from streamproc.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ScoredVideo:
    """One video's scores beside its labels, frame by frame in order."""

    name: str
    labels: tuple[int, ...]
    """1 where a frame is anomalous, else 0."""
    scores: tuple[float, ...]
    """The higher, the more anomalous."""
    threshold: float | None = None
    """Of its own camera, where videos of several cameras are measured."""
    frame_rate: float | None = None
    """Its own frames a second, where videos differ."""

    def alarms(self, threshold: float) -> tuple[bool, ...]:
        """Frame by frame, whether it alarms: at its own threshold, else at ``threshold``."""
        least = threshold if self.threshold is None else self.threshold
        return tuple(score >= least for score in self.scores)

    def events(self) -> Iterator[range]:
        """Runs of anomalous frames, by their places in ``labels``."""
        start = 0
        for label, run in groupby(self.labels):
            end = start + len(list(run))
            if label:
                yield range(start, end)
            start = end


@dataclass(frozen=True, slots=True)
class Measures:
    """What came of a test. None where the footage cannot tell: no anomalous, or no normal frame."""

    auroc: float | None
    """Frame-level micro-AUROC, 0..1."""
    ap: float | None
    """Average precision of the frames, 0..1; a score that tells nothing has the share of anomalous frames."""
    threshold: float
    """The score from which on a frame alarms; the measures below are at it."""
    accuracy: float
    """Share of the frames that are told rightly."""
    precision: float | None
    """Share of the alarming frames that are anomalous; None if no frame alarms."""
    recall: float | None
    """Share of the anomalous frames that alarm."""
    videos: int
    frames: int
    frames_anomalous: int
    frame_rate: float
    """Frames a second of the footage."""
    events: int
    """Runs of anomalous frames."""
    events_caught: int
    """Events in which a frame alarms."""
    delay_s_median: float | None
    """From an event's first frame to its first alarm, of the events caught; those that run when their video begins
    are left out, for nobody knows when they began."""
    false_alarms: int
    """Runs of alarming frames that begin on a normal frame."""
    hours_observed: float
    """Hours of normal frames."""
    false_alarms_per_hour: float | None
    false_alarms_per_hour_max: float | None
    """95 % upper bound of the rate, which is more than what was seen however few that is."""


def measure(videos: Sequence[ScoredVideo], threshold: float, frame_rate: float) -> Measures:
    """All measures of at least one frame; ``frame_rate`` in frames a second. A video's own threshold and
    frame rate go before those of all.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    labels = [label for video in videos for label in video.labels]
    scores = [score for video in videos for score in video.scores]
    alarms = [alarm for video in videos for alarm in video.alarms(threshold)]
    hits = sum(alarm and label for alarm, label in zip(alarms, labels, strict=True))
    right = sum(alarm == bool(label) for alarm, label in zip(alarms, labels, strict=True))
    caught = [first_alarm(video, event, threshold) for video in videos for event in video.events()]
    delays = [
        delay / (video.frame_rate or frame_rate)
        for video in videos
        for event in video.events()
        if event.start > 0 and (delay := first_alarm(video, event, threshold)) is not None
    ]
    false = sum(_false_alarms(video, threshold) for video in videos)
    hours = sum(video.labels.count(0) / (video.frame_rate or frame_rate) for video in videos) / 3600
    return Measures(
        auroc=_of_both("roc_auc_score", labels, scores),
        ap=_of_both("average_precision_score", labels, scores),
        threshold=threshold,
        accuracy=right / len(labels),
        precision=hits / sum(alarms) if any(alarms) else None,
        recall=hits / sum(labels) if any(labels) else None,
        videos=len(videos),
        frames=len(labels),
        frames_anomalous=sum(labels),
        frame_rate=frame_rate,
        events=len(caught),
        events_caught=sum(first is not None for first in caught),
        delay_s_median=statistics.median(delays) if delays else None,
        false_alarms=false,
        hours_observed=hours,
        false_alarms_per_hour=false / hours if hours else None,
        false_alarms_per_hour_max=upper_bound(false) / hours if hours else None,
    )


def sklearn_metrics() -> Any:
    """scikit-learn's measures.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from sklearn import metrics
    except ImportError:
        raise ConfigError("evaluation needs scikit-learn: pip install 'streamproc[evaluation]'") from None
    return metrics


def _of_both(name: str, labels: Sequence[int], scores: Sequence[float]) -> float | None:
    return float(getattr(sklearn_metrics(), name)(labels, scores)) if len(set(labels)) == 2 else None


def first_alarm(video: ScoredVideo, event: range, threshold: float) -> int | None:
    """In frames from the event's first on; None where none of them alarms."""
    alarms = video.alarms(threshold)
    return next((i - event.start for i in event if alarms[i]), None)


def _false_alarms(video: ScoredVideo, threshold: float) -> int:
    before, count = False, 0
    for label, alarm in zip(video.labels, video.alarms(threshold), strict=True):
        count += alarm and not before and not label
        before = alarm
    return count
