"""Children end: in order, by force, and with their parent."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamproc.demo import children

pytestmark = pytest.mark.integration

STUBBORN = "import signal,time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = f"""
import subprocess, sys, time
from streamproc.demo import children
child = children.spawn([sys.executable, "-c", {STUBBORN!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def start(code: str) -> subprocess.Popen[bytes]:
    child = children.spawn([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.stdout.close()
    return child


def gone(pid: int, within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        status = Path(f"/proc/{pid}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return True
        time.sleep(0.02)
    return False


def test_a_child_that_will_not_end_is_killed_when_time_is_up() -> None:
    willing, stubborn = start("import time; print('up', flush=True); time.sleep(60)"), start(STUBBORN)
    assert children.stop([willing, stubborn], within_s=0.5) == [-signal.SIGTERM, -signal.SIGKILL]


def test_a_frozen_child_ends_too() -> None:
    frozen = start("import time; print('up', flush=True); time.sleep(60)")
    frozen.send_signal(signal.SIGSTOP)
    assert children.stop([frozen], within_s=5) == [-signal.SIGTERM]


def test_what_a_child_started_goes_with_it() -> None:
    child = children.spawn(
        [
            sys.executable,
            "-c",
            "import subprocess as s,time; print(s.Popen(['sleep','60']).pid,flush=True);time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.stdout.close()
    children.stop([child], within_s=5)
    assert gone(grandchild)


def test_a_child_does_not_outlive_a_parent_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        assert gone(pid)
