"""Which threads go first where there are more of them than cores."""

from __future__ import annotations

import os
import sys
import threading

_LATER = 5
"""Added to the thread's niceness: of a core that both want, it gets a third of what another thread gets."""


def give_way() -> None:
    """Let the other threads of this process, and of the machine, go before the calling one.

    Linux alone has niceness by thread; elsewhere, and where it is not permitted, nothing changes.
    """
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    try:
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _LATER))
    except OSError:
        return
