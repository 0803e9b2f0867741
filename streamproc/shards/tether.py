"""A process that ends with its parent, whatever either of them is doing."""

from __future__ import annotations

import fcntl
import os
import select
import signal


def end_with(lifeline: int) -> None:
    """Have the kernel end this process once the other end of ``lifeline``, a pipe nothing is written to, is closed.

    By SIGIO, whose default is the end of the process: that needs no thread of ours, so a process that hangs inside a
    library with the interpreter's lock is ended too. (PR_SET_PDEATHSIG means the parent's thread, and a supervisor's
    thread may end before its process does.)
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    if poll.poll(0):  # it was closed before the kernel was asked
        os._exit(1)
