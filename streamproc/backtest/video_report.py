"""What came of a test on labelled footage: the measures, what was missed, what would have been raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from streamproc.backtest.located import Located
from streamproc.backtest.opened import Opened, together
from streamproc.backtest.outcome import Outcome, moment_as_dict, told
from streamproc.backtest.quiet import Quiet
from streamproc.evaluation.metrics import Measures, ScoredVideo, first_alarm
from streamproc.evaluation.report import aurocs, measured
from streamproc.figures import duration
from streamproc.learn import Learned

Score = Literal["verdict", "novelty"]
"""What a frame is scored by: the smoothed verdict, or the measurement that stands out most, whatever rules say."""


@dataclass(frozen=True, slots=True)
class Missed:
    """An event without an alarm."""

    clip: str
    first: int
    """Its first frame, counted over the labelled ones."""
    last: int


@dataclass(frozen=True, slots=True)
class CameraReport:
    """One camera's."""

    camera: str
    clips: int
    """Normal ones that were learned from."""
    learned: Learned
    outcome: Outcome
    held_out: Outcome | None = None
    """Of the normal clips that were not learned from."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "camera": self.camera,
            "learned_clips": self.clips,
            "learned_s": self.learned.footage_s,
            "normal_rules": self.learned.normal_rules,
            "anomaly_rules": self.learned.anomaly_rules,
            "threshold": self.outcome.threshold,
            "videos": len(self.outcome.scored),
        }

    def __str__(self) -> str:
        learned = self.learned
        return (
            f"{self.clips} normal clips, {duration(learned.footage_s)}: {learned.normal_rules} normal and "
            f"{learned.anomaly_rules} anomaly rules, an alarm from a score of {self.outcome.threshold:.2f} on"
        )


@dataclass(frozen=True, slots=True)
class VideoReport:
    """Of all cameras."""

    preset: str
    cameras: tuple[CameraReport, ...]
    score: Score
    """What is told first, and missed events are told by."""
    by_score: Mapping[Score, Measures]
    """Each camera's verdicts alarm at its own threshold, what stands out from 1 on: at a measurement's threshold."""
    scored_by: Mapping[Score, tuple[ScoredVideo, ...]]
    located: Mapping[str, Located]
    """Whether the place named lies on the masked object: of alerts, and of each measurement; empty without masks."""
    ms: Mapping[str, float]
    """Processor milliseconds a frame by part; what model servers do elsewhere is not counted."""
    learning_took_s: float
    test_took_s: float
    notes: tuple[str, ...]

    @property
    def measures(self) -> Measures:
        """By the score that is told first."""
        return self.by_score[self.score]

    @property
    def scored(self) -> tuple[ScoredVideo, ...]:
        """By the score that is told first."""
        return self.scored_by[self.score]

    @property
    def fps(self) -> float | None:
        """Frames a second on one core, all parts."""
        return 1e3 / sum(self.ms.values()) if sum(self.ms.values()) > 0 else None

    @property
    def opened(self) -> Opened:
        """Labelled events beside alerts."""
        return together(one.outcome.opened for one in self.cameras if one.outcome.opened)

    @property
    def quiet(self) -> Quiet | None:
        """What was raised on normal clips that were not learned from; None where none was held out."""
        held = [one.held_out for one in self.cameras if one.held_out]
        return Quiet(sum(len(one.moments) for one in held), sum(one.footage_s for one in held)) if held else None

    @property
    def missed(self) -> tuple[Missed, ...]:
        """Events without an alarm."""
        return tuple(self._missed())

    def _missed(self) -> Iterator[Missed]:
        for video in self.scored:
            for event in video.events():
                if first_alarm(video, event, self.measures.threshold) is None:
                    yield Missed(video.name, event.start, event.stop - 1)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``: the measures beside the rest, without the scores."""
        alerts = [moment for one in self.cameras for moment in one.outcome.moments]
        return asdict(self.measures) | {
            "score": self.score,
            "scores": {name: asdict(measures) for name, measures in self.by_score.items()},
            "opened": asdict(self.opened) | {"delay_s_median": self.opened.delay_s_median},
            "located": {name: asdict(one) for name, one in self.located.items()},
            "held_out": self.quiet and self.quiet.as_dict(),
            "fps": self.fps,
            "ms": dict(self.ms),
            "preset": self.preset,
            "cameras": [one.as_dict() for one in self.cameras],
            "missed": [asdict(one) for one in self.missed],
            "alerts": [moment_as_dict(moment) for moment in alerts],
            "learning_took_s": self.learning_took_s,
            "test_took_s": self.test_took_s,
            "notes": self.notes,
        }

    def __str__(self) -> str:
        m = self.measures
        several = len(self.cameras) > 1
        rows = [
            f"{m.videos} videos, {m.frames} frames ({m.frames_anomalous} anomalous), preset {self.preset}, "
            f"scored by {self.score}"
        ]
        rows += [f"learned from  {f'camera {one.camera}: ' if several else ''}{one}" for one in self.cameras]
        rows += measured(m)
        rows += [f"by {name:<10} {aurocs(other)}" for name, other in self.by_score.items() if name != self.score]
        rows += [f"missed        {one.clip}, frames {one.first}-{one.last}" for one in self.missed]
        rows.append(f"opened        {self.opened}")
        rows += [f"place         {name}: {one}" for name, one in self.located.items()]
        rows += [f"held out      {self.quiet}"] if self.quiet else []
        rows.append(
            f"speed         {'-' if self.fps is None else f'{self.fps:.1f}'} frames/s on one core; learning took "
            f"{duration(self.learning_took_s)}, the test {duration(self.test_took_s)}"
        )
        rows += [f"              {each:.1f} ms a frame: {part}" for part, each in self.ms.items()]
        rows += [f"note: {note}" for note in self.notes]
        moments = [moment for one in self.cameras for moment in one.outcome.moments]
        rows += [f"alerts        {len(moments)}", *map(told, moments)]
        quiet = [moment for one in self.cameras if one.held_out for moment in one.held_out.moments]
        return "\n".join([*rows, *([f"held out      {len(quiet)}", *map(told, quiet)] if quiet else [])])
