"""Which windows are worth a model's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from structlog.testing import capture_logs

from streamproc.config import SamplingSettings
from streamproc.sampling.gate import WindowGate
from streamproc.testing_deduction import speed
from streamproc.testing_sources import frame
from streamproc.types import Measurement, ObservedWindow, Track, Window

SETTINGS = SamplingSettings(gate_motion=0.01, gate_refresh_s=30)


def observed(
    at_s: float, motion: float = 0.1, run: int = 1, score: float | None = None, kinds: Sequence[str] = ()
) -> ObservedWindow:
    """``score`` in times of the threshold."""
    measured: tuple[Measurement, ...] = () if score is None else (speed(2.0 * score, threshold=2.0),)
    tracks = tuple(Track(number, kind, 0.9, (0.1, 0.1, 0.2, 0.2), 1.0) for number, kind in enumerate(kinds))
    return ObservedWindow(Window("gate", run, 0, ((frame(at_s, run),),)), tracks, measured, motion)


def test_still_windows_are_skipped_until_the_refresh() -> None:
    gate = WindowGate(SETTINGS)
    held_back = [gate.holds_back(observed(float(t), 0.0)) for t in range(0, 61, 10)]
    assert held_back == [None, "still", "still", None, "still", "still", None]


def test_what_moves_passes() -> None:
    gate = WindowGate(SETTINGS)
    gate.holds_back(observed(0, 0))
    assert gate.holds_back(observed(1, 0.01)) is None
    assert gate.holds_back(observed(2, 0.0099)) == "still"


def test_an_open_incident_and_a_new_run_pass() -> None:
    gate = WindowGate(SETTINGS, lambda: 0.5)
    gate.holds_back(observed(0, 0))
    assert gate.holds_back(observed(1, 0), busy=True) is None
    assert gate.holds_back(observed(2, 0)) == "still"
    assert gate.holds_back(observed(3), busy=True) is None
    assert gate.holds_back(observed(4)) == "usual"
    assert gate.holds_back(observed(0, 0, run=2)) is None


def test_a_gate_of_zero_looks_at_everything() -> None:
    gate = WindowGate(SamplingSettings(gate_motion=0.0))
    assert all(gate.holds_back(observed(float(t), 0.0)) is None for t in range(5))


def test_what_moves_as_usual_is_held_back_until_the_refresh_and_what_does_not_passes() -> None:
    gate = WindowGate(SETTINGS, lambda: 0.5)
    seen = [(0, 0.0), (1, 0.49), (2, 0.5), (3, 0.2), (31, 0.2), (32, 0.2), (33, 0.2)]
    held_back = [gate.holds_back(observed(float(at_s), score=score)) for at_s, score in seen]
    assert held_back == [None, "usual", None, "usual", "usual", None, "usual"]


def test_a_kind_of_object_that_was_not_there_when_words_were_last_found_passes_once() -> None:
    gate = WindowGate(SETTINGS, lambda: 0.5)
    seen = [["person"], ["person", "person"], ["person", "car"], ["car"], ["person", "car"], [], ["dog"]]
    held_back = [gate.holds_back(observed(float(at), score=0.1, kinds=kinds)) for at, kinds in enumerate(seen)]
    assert held_back == [None, "usual", None, "usual", "usual", "usual", None]


def test_a_cheap_voter_that_finds_something_passes_and_is_asked_where_the_rest_is_usual_alone() -> None:
    asked: list[float] = []

    def speaks(window: ObservedWindow) -> bool:
        asked.append(window.window.end_s)
        return window.window.end_s == 3

    gate = WindowGate(SETTINGS, lambda: 0.5, speaks)
    held_back = [gate.holds_back(observed(float(t), score=0.9 if t == 2 else 0.1)) for t in range(5)]
    assert held_back == [None, "usual", None, None, "usual"]
    assert asked == [1, 3, 4]


def test_what_could_not_be_judged_is_never_usual() -> None:
    gate = WindowGate(SETTINGS, lambda: 0.5)
    gate.holds_back(observed(0))
    assert gate.holds_back(replace(observed(1), not_judged=("speed: too dark",))) is None


def test_without_a_calibration_motion_alone_decides_and_that_is_said_once() -> None:
    known: list[float | None] = [None, None, 0.5]
    gate = WindowGate(SETTINGS, lambda: known.pop(0))
    with capture_logs() as said:
        held_back = [gate.holds_back(observed(float(t), score=0.1)) for t in range(4)]
    assert held_back == [None, None, None, "usual"]
    assert [(one["event"], one["camera"]) for one in said] == [("gated_by_motion_alone", "gate")]
