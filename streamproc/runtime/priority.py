"""Which threads go first where there are more of them than cores."""

from __future__ import annotations

import os
import sys
import threading

_LATER = 5
"""Beyond the process's own niceness: of a core that both want, it gets a third of what another thread gets."""


def give_way() -> None:
    """Let the threads of this process that do not give way, and what else has a part in the same share of the machine,
    go before the calling one. To be called again changes nothing.

    Linux alone has niceness by thread; elsewhere, and where it is not permitted, nothing changes.
    """
    if sys.platform != "linux":
        return
    try:
        own = os.getpriority(os.PRIO_PROCESS, os.getpid())  # the main thread's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(19, own + _LATER))
    except OSError:
        return
