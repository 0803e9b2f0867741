"""Child processes that end with their parent, whatever ends it.

Each child leads a process group of its own, so that a Ctrl-C in the terminal reaches only the parent, which then ends
the children in order. On Linux the kernel kills a child whose parent died without having done so.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

# Asks for SIGKILL at the parent's death (PR_SET_PDEATHSIG = 1), then becomes the program. Not preexec_fn, which is
# unsafe with threads. The kernel means the parent's *thread*: start children from one that lives as long as they do.
_TETHER = (
    "import ctypes,os,sys;"
    "ctypes.CDLL(None).prctl(1,9) if sys.platform=='linux' else 0;"
    "os.getppid()==int(sys.argv[1]) or os._exit(1);"
    "os.execvp(sys.argv[2],sys.argv[2:])"
)


def spawn(
    argv: Sequence[str | Path],
    *,
    stdout: IO[bytes] | int = subprocess.DEVNULL,
    stderr: IO[bytes] | int | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``argv``; signals to the returned process reach the program itself.

    Raises:
        OSError: the program cannot be started at all.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *map(str, argv)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=None if environ is None else dict(environ),
        cwd=cwd,
        start_new_session=True,
    )


def stop(children: Iterable[subprocess.Popen[bytes]], within_s: float = 8.0) -> list[int]:
    """End ``children`` in the order given, each after the one before it: SIGTERM, and SIGKILL when time is up.

    Returns their exit codes. ``within_s`` seconds are for all of them together, of which each leaves a tenth to every
    child after it. A frozen child is woken.
    """
    until = time.monotonic() + within_s
    codes, left = [], list(children)
    while left:
        child = left.pop(0)
        share_s = max(0.0, until - time.monotonic()) - len(left) * within_s / 10  # those after it need a moment too
        if child.poll() is None:
            child.terminate()
            child.send_signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, share_s))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # whatever it started itself
        codes.append(child.wait())
        if child.stdout is not None:
            child.stdout.close()
    return codes


def first_line(process: subprocess.Popen[bytes], within_s: float) -> str:
    """The first line a process writes to its standard output, or what it wrote until then or until it ended."""
    if process.stdout is None:
        raise ValueError("the process was started without a pipe for its output")
    written, until = b"", time.monotonic() + within_s
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while b"\n" not in written and (left := until - time.monotonic()) > 0:
            if selector.select(left):
                chunk = os.read(process.stdout.fileno(), 4096)
                if not chunk:
                    break
                written += chunk
    return written.decode(errors="replace").partition("\n")[0]
