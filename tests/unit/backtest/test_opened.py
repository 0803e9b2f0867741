"""Labelled events beside incidents."""

from __future__ import annotations

from pathlib import Path

from streamproc.backtest.labels import Recording
from streamproc.backtest.opened import Opened, opened, together
from streamproc.backtest.outcome import Moment

RECORDING = Recording(Path("a.mp4"), tuple(i / 10 for i in range(100)))


def moment(start_s: float, end_s: float) -> Moment:
    return Moment("a.mp4", start_s, end_s, None, "warning", 0.9, (), "speed", "", "", None)


def told(*events: tuple[int, int], alerts: tuple[tuple[float, float], ...]) -> Opened:
    labels = {frame: int(any(first <= frame < end for first, end in events)) for frame in range(100)}
    return opened(RECORDING, labels, [moment(*one) for one in alerts])


def test_the_delay_is_from_the_label_to_the_opening() -> None:
    found = told((20, 50), alerts=((2.8, 6.0),))
    assert (found.events, found.opened, found.running_at_start) == (1, 1, 0)
    assert found.delays_s == (2.8 - 2.0,)
    assert found.off_label == 0


def test_an_event_that_runs_from_the_start_has_no_delay() -> None:
    found = told((0, 30), (50, 60), alerts=((1.0, 2.0), (5.5, 5.9)))
    assert (found.opened, found.running_at_start, found.delays_s) == (2, 1, (0.5,))


def test_an_alert_that_was_open_before_joins_but_does_not_open() -> None:
    found = told((20, 50), (70, 80), alerts=((1.5, 3.0), (6.0, 6.5)))
    assert (found.opened, found.joined, found.delays_s) == (0, 1, ())
    assert (found.incidents, found.off_label) == (2, 1)


def test_an_alert_after_the_event_lies_on_no_label() -> None:
    found = told((20, 50), alerts=((5.0, 5.4),))
    assert (found.opened, found.off_label) == (0, 1)
    assert told((20, 50), alerts=((4.95, 5.4),)).opened == 1


def test_recordings_are_put_together() -> None:
    found = together([told((20, 50), alerts=((2.5, 3.0),)), told((0, 50), alerts=((8.0, 9.0),))])
    assert (found.events, found.opened, found.running_at_start, found.off_label, found.incidents) == (2, 1, 1, 1, 2)
    assert found.delay_s_median == 0.5
    assert str(found) == (
        "an alert during 1 of 2 events; 0.50 s after their label (median of 1; 1 run when their clip begins); "
        "1 of 2 alerts on no label"
    )
    assert together([]).delay_s_median is None
