"""What came of a backtest: the alerts, counted, beside the labels and beside another version's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from streamproc.backtest.opened import Opened
from streamproc.deduction.calibration import upper_bound
from streamproc.evaluation.metrics import Measures, ScoredVideo
from streamproc.figures import duration, plain
from streamproc.types import Severity

_SLACK_S = 1.0
"""Alerts of two rule sets are the same one where they come within this of each other."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An alert that would have been opened."""

    clip: str
    """The recording's or the captioned video's name."""
    start_s: float
    """Seconds into the clip."""
    end_s: float
    """Of its last alarm."""
    at: datetime | None
    """Capture, in the camera's time zone; None where that is not known."""
    severity: Severity
    score: float
    rules: tuple[tuple[str, str], ...]
    """The rules cited when it was opened: id and text. Empty for pure novelty."""
    category: str
    """The leading rule's id, or the measurement's name."""
    reason: str
    caption: str
    false: bool | None
    """Whether it was opened while nothing was labelled anomalous; None without labels."""
    picture: bytes | None = None
    """JPEG."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it counts under: its rules' ids, or what was measured."""
        return tuple(rule_id for rule_id, _ in self.rules) or (f"novelty: {self.category}",)

    @property
    def place(self) -> str:
        """``gate.mp4 1:02-1:09``."""
        return f"{self.clip} {_clock(self.start_s)}-{_clock(self.end_s)}"

    def meets(self, other: Moment) -> bool:
        """Whether both are of the same time of the same clip."""
        near = self.start_s <= other.end_s + _SLACK_S and other.start_s <= self.end_s + _SLACK_S
        return self.clip == other.clip and near


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule set would have raised."""

    rules: str
    """The rule file, and the version where it is an earlier one."""
    version: int
    sha256: str
    """The first 12 digits."""
    threshold: float
    """Smoothed score that raises an alarm."""
    footage_s: float
    """Seconds of footage."""
    normal_s: float
    """Seconds of it that are normal: all of it where there are no labels."""
    moments: tuple[Moment, ...]
    measures: Measures | None
    """Of the frames; None without labels."""
    notes: tuple[str, ...]
    """What people should know."""
    scored: tuple[ScoredVideo, ...] = ()
    """The recordings' labelled pictures with their scores."""
    novelty: tuple[ScoredVideo, ...] = ()
    """The same pictures, scored by the measurement that stands out most, in times of its threshold."""
    opened: Opened | None = None
    """Labelled events beside the alerts; None without labels."""
    ms: Mapping[str, float] = field(default_factory=dict)
    """Processor milliseconds a picture by part; what model servers do elsewhere is not counted."""

    @property
    def fps(self) -> float | None:
        """Pictures a second that one core watches, all parts included."""
        return 1e3 / sum(self.ms.values()) if sum(self.ms.values()) > 0 else None

    @property
    def false_alarms(self) -> int:
        """Alerts that were opened on normal footage; all of them where there are no labels."""
        return sum(moment.false is not False for moment in self.moments)

    @property
    def rate(self) -> float | None:
        """False alarms an hour; None where no normal footage was seen."""
        return self.false_alarms / (self.normal_s / 3600) if self.normal_s else None

    @property
    def rate_max(self) -> float | None:
        """95 % upper bound of that rate."""
        return upper_bound(self.false_alarms) / (self.normal_s / 3600) if self.normal_s else None

    @property
    def rate_said(self) -> str:
        """Both in words, with the hours observed; empty where no normal footage was seen."""
        if self.rate is None:
            return ""
        of = "of normal footage" if self.measures else "if all of it is normal"
        seen = f"{self.false_alarms} in {duration(self.normal_s)} {of}"
        return f"{seen}: {plain(self.rate)} an hour, at most {plain(self.rate_max or 0.0)} (95 % upper bound)"

    def by_rule(self) -> dict[str, int]:
        """Alerts by rule, most first; one that cites two rules counts under both."""
        return dict(Counter(name for moment in self.moments for name in moment.names).most_common())

    def by_hour(self) -> dict[str, int]:
        """Alerts by hour of capture, or of the clip where that is not known."""
        hours = (
            f"{m.at:%Y-%m-%d %H}:00" if m.at else f"{m.clip}, hour {int(m.start_s // 3600) + 1}" for m in self.moments
        )
        return dict(Counter(hours))

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``, without pictures."""
        return {
            "rules": self.rules,
            "version": self.version,
            "sha256": self.sha256,
            "threshold": self.threshold,
            "alerts": len(self.moments),
            "hours": self.footage_s / 3600,
            "hours_observed": self.normal_s / 3600,
            "false_alarms": self.false_alarms,
            "false_alarms_per_hour": self.rate,
            "false_alarms_per_hour_max": self.rate_max,
            "labelled": self.measures is not None,
            "auroc": self.measures and self.measures.auroc,
            "measures": self.measures and asdict(self.measures),
            "by_hour": self.by_hour(),
            "by_rule": self.by_rule(),
            "moments": [moment_as_dict(moment) for moment in self.moments],
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """For people."""
        count = f"{len(self.moments)} alert{'' if len(self.moments) == 1 else 's'}"
        rows = [f"{self.rules} (version {self.version}): {count} in {duration(self.footage_s)} of footage"]
        if self.rate_said:
            rows.append(f"false alarms  {self.rate_said}")
        if self.measures is not None:
            rows.append(f"frames        {frames(self.measures)}")
        for title, counts in (("by rule", self.by_rule()), ("by hour", self.by_hour())):
            rows += [f"{title:<12} {number:>4}  {name}" for name, number in counts.items()]
        return rows + [f"note: {note}" for note in self.notes]


@dataclass(frozen=True, slots=True)
class Backtest:
    """A rule set on recorded footage, and another one beside it."""

    outcome: Outcome
    against: Outcome | None

    @property
    def only_here(self) -> tuple[Moment, ...]:
        """Raised by the rule set and not by the other."""
        return _alone(self.outcome.moments, self.against.moments) if self.against else ()

    @property
    def only_there(self) -> tuple[Moment, ...]:
        """Raised by the other and not by the rule set."""
        return _alone(self.against.moments, self.outcome.moments) if self.against else ()

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        fields = self.outcome.as_dict()
        if self.against is None:
            return fields
        return fields | {
            "against": self.against.as_dict(),
            "only_here": [moment_as_dict(moment) for moment in self.only_here],
            "only_there": [moment_as_dict(moment) for moment in self.only_there],
        }

    def __str__(self) -> str:
        rows = [*self.outcome.lines(), *map(told, self.outcome.moments)]
        if self.against is not None:
            rows += ["", *self.against.lines()]
            for one, moments in ((self.outcome, self.only_here), (self.against, self.only_there)):
                rows += [
                    "",
                    f"raised by {one.rules} (version {one.version}) alone: {len(moments)}",
                    *map(told, moments),
                ]
        return "\n".join(rows)


def moment_as_dict(moment: Moment) -> dict[str, Any]:
    """For ``--json``."""
    fields = {name: value for name, value in asdict(moment).items() if name != "picture"}
    return fields | {
        "at": moment.at.isoformat() if moment.at else None,
        "rules": [{"id": rule_id, "text": text} for rule_id, text in moment.rules],
    }


def frames(measures: Measures) -> str:
    """What the labels say, in a line."""
    auroc = "AUROC unknown (labels of one kind only)" if measures.auroc is None else f"AUROC {measures.auroc:.3f}"
    delay = "" if measures.delay_s_median is None else f", median delay {measures.delay_s_median:.1f} s"
    return f"{auroc}; {measures.events_caught} of {measures.events} events caught{delay}"


def _alone(moments: Sequence[Moment], others: Iterable[Moment]) -> tuple[Moment, ...]:
    others = tuple(others)
    return tuple(moment for moment in moments if not any(moment.meets(other) for other in others))


def told(moment: Moment) -> str:
    mark = "" if moment.false is None else " [false]" if moment.false else " [true]"
    return f"  {moment.place}{mark} {moment.severity} {', '.join(moment.names)}: {moment.reason}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
