"""Which windows are worth a model's time."""

from __future__ import annotations

from streamproc.config import SamplingSettings
from streamproc.sampling.gate import MotionGate
from streamproc.testing_sources import frame
from streamproc.types import ObservedWindow, Window


def observed(at_s: float, motion: float, run: int = 1) -> ObservedWindow:
    return ObservedWindow(Window("gate", run, 0, ((frame(at_s, run),),)), (), (), motion)


def test_still_windows_are_skipped_until_the_refresh() -> None:
    gate = MotionGate(SamplingSettings(gate_motion=0.01, gate_refresh_s=30))
    worth = [gate.worth(observed(float(t), 0.0)) for t in range(0, 61, 10)]
    assert worth == [True, False, False, True, False, False, True]


def test_what_moves_passes() -> None:
    gate = MotionGate(SamplingSettings(gate_motion=0.01))
    gate.worth(observed(0, 0))
    assert gate.worth(observed(1, 0.01))
    assert not gate.worth(observed(2, 0.0099))


def test_an_open_incident_and_a_new_run_pass() -> None:
    gate = MotionGate(SamplingSettings(gate_motion=0.01))
    gate.worth(observed(0, 0))
    assert gate.worth(observed(1, 0), busy=True)
    assert not gate.worth(observed(2, 0))
    assert gate.worth(observed(0, 0, run=2))


def test_a_gate_of_zero_looks_at_everything() -> None:
    gate = MotionGate(SamplingSettings(gate_motion=0.0))
    assert all(gate.worth(observed(float(t), 0.0)) for t in range(5))
