"""What came of a test on labelled footage: the measures, what was missed, what would have been raised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from streamproc.backtest.outcome import Outcome, duration, moment_as_dict, told
from streamproc.evaluation.metrics import Measures, ScoredVideo, first_alarm
from streamproc.evaluation.report import measured
from streamproc.learn import Learned


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
    measures: Measures
    """Each camera's alarms are at its own threshold."""
    scored: tuple[ScoredVideo, ...]
    fps: float | None
    """Frames a second on one core, all stages; what model servers do elsewhere is not counted."""
    learning_took_s: float
    test_took_s: float
    notes: tuple[str, ...]

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
            "fps": self.fps,
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
        rows = [f"{m.videos} videos, {m.frames} frames ({m.frames_anomalous} anomalous), preset {self.preset}"]
        rows += [f"learned from  {f'camera {one.camera}: ' if several else ''}{one}" for one in self.cameras]
        rows += measured(m)
        rows += [f"missed        {one.clip}, frames {one.first}-{one.last}" for one in self.missed]
        rows.append(
            f"speed         {'-' if self.fps is None else f'{self.fps:.1f}'} frames/s on one core; learning took "
            f"{duration(self.learning_took_s)}, the test {duration(self.test_took_s)}"
        )
        rows += [f"note: {note}" for note in self.notes]
        moments = [moment for one in self.cameras for moment in one.outcome.moments]
        return "\n".join([*rows, f"alerts        {len(moments)}", *map(told, moments)])
