"""What was said of a scene, beside the truth about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from scipy.stats import chi2

from streamproc.testing_scenes.cases import Case
from streamproc.testing_scenes.scene import PutIn, Scene
from streamproc.types import Box, Measurement, ObservedWindow

AFTER_S = 3.0
"""An alarm this long after what raised it is gone still belongs to it: scores are smoothed and held."""
GAP_S = 2.0
"""Alarms nearer to each other than this are one incident."""
_SHARE = 0.3
"""Of the smaller box, that must be shared for two boxes to show the same thing."""


@dataclass(frozen=True, slots=True)
class Result:
    """One scene, watched."""

    case: str
    expect: str
    seconds: float
    alarm_s: float | None
    """End of the first window in alarm while there was something to be noticed; in a quiet scene, of the first."""
    delay_s: float | None
    by: str
    """The measurement of that alarm."""
    place_right: float | None
    """Share of the windows in alarm, while it was to be seen, whose named box shows it; None: nothing has a place."""
    false_incidents: int
    """Incidents that nothing put in, nor any change of pace, explains."""
    quiet_s: float
    """Seconds in which any alarm would have been false."""
    judged: float
    """Share of windows with a measurement."""
    told: tuple[str, ...] = field(default=())
    """What could not be judged, the most frequent first."""
    met: bool = False


def scored(case: Case, scene: Scene, windows: Iterable[ObservedWindow]) -> Result:
    """``windows``: what is observed of ``scene``, in order, all of it; none is kept, for they hold their pictures."""
    seen = [_Seen.of(one) for one in windows]
    times = _Times(case, scene, seen)
    alarms = [one for one in seen if one.by is not None]
    inside = [one for one in alarms if times.begin_s < one.end_s <= times.end_s + AFTER_S]
    outside = [one.end_s for one in alarms if one not in inside]
    counted = inside if case.expect == "loud" else alarms
    first = counted[0] if counted else None
    delay_s = first.end_s - times.begin_s if first and case.expect == "loud" else None
    judged = sum(one.judged for one in seen) / max(1, len(seen))
    told = _told(seen, times.begin_s)
    if case.expect == "loud":
        met = delay_s is not None and delay_s <= case.within_s and not outside
    elif case.expect == "told":
        met = not alarms and bool(told)
    else:
        met = not alarms and (judged >= 0.9 or (case.camera and bool(told)))
    return Result(
        case.name,
        case.expect,
        times.last_s,
        first.end_s if first else None,
        delay_s,
        first.by.name if first and first.by else "",
        _place_right(scene.put_in, times, inside),
        incidents(outside if case.expect == "loud" else [one.end_s for one in alarms]),
        max(0.0, times.last_s - (times.end_s + AFTER_S - times.begin_s)) if case.expect == "loud" else times.last_s,
        judged,
        told,
        met,
    )


def together(parts: Sequence[Result]) -> Result:
    """Clips of one case as one result; of the alarms, the first."""
    seconds = sum(one.seconds for one in parts)
    first = next((one for one in parts if one.alarm_s is not None), parts[0])
    return replace(
        first,
        seconds=seconds,
        false_incidents=sum(one.false_incidents for one in parts),
        quiet_s=sum(one.quiet_s for one in parts),
        judged=sum(one.judged * one.seconds for one in parts) / seconds,
        told=tuple(dict.fromkeys(reason for one in parts for reason in one.told)),
        met=all(one.met for one in parts),
    )


def loudest(observed: ObservedWindow) -> Measurement | None:
    """The measurement farthest over its threshold; None where none reaches it."""
    over = [one for one in observed.measurements if one.score >= one.threshold]
    return max(over, key=lambda one: one.score - one.threshold, default=None)


def incidents(alarms_s: Sequence[float]) -> int:
    """How many, neighbouring alarms taken together."""
    return sum(index == 0 or at - alarms_s[index - 1] > GAP_S for index, at in enumerate(alarms_s))


def upper_per_hour(count: int, hours: float) -> float:
    """95 % upper bound of a rate of which ``count`` were seen in ``hours`` (Poisson, exact)."""
    return float(chi2.ppf(0.95, 2 * (count + 1)) / 2 / hours)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What counts of a window."""

    start_s: float
    end_s: float
    by: Measurement | None
    judged: bool
    not_judged: tuple[str, ...]

    @classmethod
    def of(cls, one: ObservedWindow) -> _Seen:
        return cls(one.window.start_s, one.window.end_s, loudest(one), bool(one.measurements), one.not_judged)


class _Times:
    """When there was something to be noticed."""

    def __init__(self, case: Case, scene: Scene, seen: Sequence[_Seen]) -> None:
        self._scene, self._fps = scene, case.fps
        self.last_s = seen[-1].end_s if seen else 0.0
        self.begin_s, self.end_s = case.from_s, self.last_s
        if scene.put_in:
            self.begin_s = self.of(min(one.first for one in scene.put_in))
            self.end_s = self.of(max(one.last for one in scene.put_in))

    def of(self, number: int) -> float:
        times = self._scene.times_s
        return times[number] if times is not None else number / self._fps

    def boxes(self, put_in: Sequence[PutIn], begin_s: float, end_s: float) -> list[Box]:
        """Of what was put in, between two times."""
        return [box for one in put_in for at, box in one.boxes.items() if begin_s <= self.of(at) <= end_s]


def _place_right(put_in: Sequence[PutIn], times: _Times, inside: Sequence[_Seen]) -> float | None:
    right = []
    for one in inside:
        # A smoothed measurement may name where it was a moment before.
        truth = times.boxes(put_in, one.start_s - 1.0, one.end_s)
        if truth:
            named = one.by.box_norm if one.by else None
            right.append(named is not None and any(_shows(named, box) for box in truth))
    return sum(right) / len(right) if right else None


def _shows(named: Box, truth: Box) -> bool:
    wide = min(named[2], truth[2]) - max(named[0], truth[0])
    high = min(named[3], truth[3]) - max(named[1], truth[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (named, truth))
    return wide > 0 and high > 0 and wide * high >= _SHARE * smaller


def _told(seen: Sequence[_Seen], begin_s: float) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for one in seen:
        for reason in one.not_judged:
            if one.end_s > begin_s and "only begun" not in reason and "no detector" not in reason:
                counts[reason] = counts.get(reason, 0) + 1
    return tuple(sorted(counts, key=lambda reason: -counts[reason]))
