"""How far long work has come: a bar on standard error where that is a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamproc.commands.output import note

EVERY_S = 30.0
"""Between two lines of the same work."""


@contextmanager
def bars(monotonic: Callable[[], float] = time.monotonic) -> Iterator[Callable[[str, int, int], None]]:
    """What to call with the work's name, how much is done and of how much."""
    if not sys.stderr.isatty():
        last: dict[str, float] = {}

        def line(name: str, done: int, total: int) -> None:
            now = monotonic()
            if name not in last or done == total or now - last[name] >= EVERY_S:
                last[name] = now
                note(f"{name}: {done} of {total}")

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as shown:
        tasks = {}

        def bar(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = shown.add_task(name, total=total)
            shown.update(tasks[name], completed=done)

        yield bar
