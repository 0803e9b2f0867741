"""`streamproc demo` as a person runs it: it comes up, ends in time, leaves nothing, and starts faster again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamproc.demo.run import run_demo
from streamproc.errors import ConfigError


def processes(workdir: Path) -> list[str]:
    """Command lines of running processes that name ``workdir``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(workdir) in line:
            found.append(line)
    return found


def until_set_up(demo: subprocess.Popen[str]) -> list[str]:
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if line.startswith("set up in"):
            return said
    raise AssertionError("".join(said))


@pytest.mark.integration
def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    holder = f"import fcntl,time; f=open({str(tmp_path / '.lock')!r},'w'); fcntl.flock(f,2); print(1,flush=True);"
    holder += "time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            other.stdout.readline()
            with pytest.raises(ConfigError, match="another demo runs in"):
                run_demo(tmp_path, None, None)
        finally:
            other.kill()


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.models
@pytest.mark.timeout(900)
def test_it_comes_up_ends_in_order_and_starts_faster_again(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "streamproc.cli", "demo", "--workdir", str(tmp_path)]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        began = time.monotonic()
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
            said = until_set_up(demo)
            if number != signal.SIGINT:
                assert any("learnt before" in line for line in said)
                assert time.monotonic() - began < 20
            assert len(processes(tmp_path)) > 2
            began = time.monotonic()
            demo.send_signal(number)
            assert demo.stdout is not None
            explained = demo.stdout.read()
            demo.wait()
        assert time.monotonic() - began < 10
        assert demo.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)
        for words in ("development broker", "embedded stand-in", "hurry is simulated"):
            assert words in explained
        until = time.monotonic() + 5
        while processes(tmp_path) and time.monotonic() < until:
            time.sleep(0.05)
        assert not processes(tmp_path)
