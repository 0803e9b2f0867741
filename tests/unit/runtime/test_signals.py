"""Signals, sent to this process and to one that hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from streamproc.runtime.signals import on_signals

BOUND_S = 5.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_event_and_the_old_behaviour_returns(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = threading.Event()
    with on_signals(stop):
        os.kill(os.getpid(), number)
        assert stop.wait(BOUND_S)
    assert signal.getsignal(number) is before
    assert not any(thread.name == "signals" for thread in threading.enumerate())


def test_the_first_signal_while_the_process_ends_by_itself_is_not_the_second() -> None:
    code = (
        "import os, signal, threading\n"
        "from streamproc.runtime import signals\n"
        "stop, heard = threading.Event(), threading.Event()\n"
        "signals.log = type('Log', (), {'info': lambda *_, **__: heard.set(), 'warning': lambda *_, **__: None})()\n"
        "with signals.on_signals(stop):\n"
        "    stop.set(); os.kill(os.getpid(), signal.SIGTERM); assert heard.wait(5)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], timeout=20, check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_second_signal_ends_a_process_that_hangs() -> None:
    code = (
        "import os, signal, threading, time\n"
        "from streamproc.runtime.signals import on_signals\n"
        "stop = threading.Event()\n"
        "with on_signals(stop):\n"
        "    os.kill(os.getpid(), signal.SIGTERM); stop.wait(5)\n"
        "    os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(5)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], timeout=20, check=False, capture_output=True)
    assert ended.returncode == 128 + signal.SIGINT
