"""Labelled events beside the incidents that were opened: which, how late, and which lie on no label."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from streamproc.backtest.labels import Labels, Recording

if TYPE_CHECKING:
    from streamproc.backtest.outcome import Moment


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of the events of one recording, or of several."""

    events: int
    """Runs of anomalous pictures."""
    opened: int
    """Events during which an incident was opened."""
    joined: int
    """Events during which none was, but one that had been opened before them went on alarming."""
    running_at_start: int
    """Of the events, those that run when their recording begins: nobody knows when they began."""
    delays_s: tuple[float, ...]
    """Seconds from an event's first picture to the opening, of the events that were opened, without those."""
    incidents: int
    off_label: int
    """Incidents that lie on no anomalous picture, from their opening to their last alarm."""

    @property
    def delay_s_median(self) -> float | None:
        """None where no delay is known."""
        return statistics.median(self.delays_s) if self.delays_s else None

    def __str__(self) -> str:
        joined = f", {self.joined} joined an incident that was open" if self.joined else ""
        late = "" if self.delay_s_median is None else f"; {self.delay_s_median:.2f} s after their label (median of "
        late += f"{len(self.delays_s)}; {self.running_at_start} run when their clip begins)" if late else ""
        return (
            f"an alert during {self.opened} of {self.events} events{joined}{late}; "
            f"{self.off_label} of {self.incidents} alerts on no label"
        )


def opened(recording: Recording, labels: Labels, moments: Sequence[Moment]) -> Opened:
    """The events of one recording beside the incidents raised on it."""
    events = list(_events(recording, labels))
    first = [
        next((m.start_s - start_s for m in moments if start_s <= m.start_s < end_s), None) for start_s, end_s in events
    ]
    joined = [
        late is None and any(m.start_s < start_s <= m.end_s for m in moments)
        for late, (start_s, _) in zip(first, events, strict=True)
    ]
    running = [start_s <= 0.0 for start_s, _ in events]
    return Opened(
        events=len(events),
        opened=sum(late is not None for late in first),
        joined=sum(joined),
        running_at_start=sum(running),
        delays_s=tuple(late for late, known in zip(first, running, strict=True) if late is not None and not known),
        incidents=len(moments),
        off_label=sum(not any(m.start_s < end_s and start_s <= m.end_s for start_s, end_s in events) for m in moments),
    )


def together(parts: Iterable[Opened]) -> Opened:
    """Of several recordings."""
    every = tuple(parts)
    return Opened(
        events=sum(one.events for one in every),
        opened=sum(one.opened for one in every),
        joined=sum(one.joined for one in every),
        running_at_start=sum(one.running_at_start for one in every),
        delays_s=tuple(delay for one in every for delay in one.delays_s),
        incidents=sum(one.incidents for one in every),
        off_label=sum(one.off_label for one in every),
    )


def _events(recording: Recording, labels: Labels) -> Iterator[tuple[float, float]]:
    """When each begins, and when the picture after its last one is due; seconds into the recording."""
    frames = [frame for frame in sorted(labels) if frame < len(recording.times_s)]
    for label, run in groupby(frames, key=lambda frame: labels[frame]):
        if label:
            of_event = list(run)
            yield recording.times_s[of_event[0]], recording.times_s[of_event[-1]] + 1 / (recording.fps or 1.0)
