"""How far a fetch has come, for people: bars in a terminal, now and then a line elsewhere; always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


class Progress(Protocol):
    """Told what happens while something is fetched."""

    def update(self, name: str, doing: str, done_bytes: int, total_bytes: int | None) -> None:
        """``name`` is at ``done_bytes`` of about ``total_bytes`` (None: unknown) of ``doing``, e.g. ``fetching``."""
        ...

    def note(self, name: str, text: str) -> None:
        """Something a person should know: a wait, an origin that did not work."""
        ...


class TerminalProgress:
    """A bar for each thing done; nothing is drawn before the first."""

    def __init__(self, stream: TextIO) -> None:
        console = Console(file=stream)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bars = Bars(*columns, console=console)
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def update(self, name: str, doing: str, done_bytes: int, total_bytes: int | None) -> None:
        """Move the bar, making it first if need be."""
        if (name, doing) not in self._tasks:
            self._bars.start()
            self._tasks[name, doing] = self._bars.add_task(f"{name}: {doing}", total=total_bytes)
        self._bars.update(self._tasks[name, doing], completed=done_bytes, total=total_bytes)

    def note(self, name: str, text: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(f"{name}: {text}", markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the bars as they are."""
        self._bars.stop()


class PlainProgress:
    """A line when something starts, every ``every_s`` seconds while it lasts, and when it is complete."""

    def __init__(self, stream: TextIO, every_s: float = 10.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._every_s = every_s
        self._monotonic = monotonic
        self._last: dict[tuple[str, str], float] = {}
        self._complete: set[tuple[str, str]] = set()

    def update(self, name: str, doing: str, done_bytes: int, total_bytes: int | None) -> None:
        """Write a line if one is due."""
        key, now = (name, doing), self._monotonic()
        complete = total_bytes is not None and done_bytes >= total_bytes
        due = key not in self._last or now - self._last[key] >= self._every_s
        if key in self._complete or not (due or complete):
            return
        self._last[key] = now
        if complete:
            self._complete.add(key)
        amount = f"{done_bytes / 1e6:.1f}" + (f" of {total_bytes / 1e6:.1f}" if total_bytes is not None else "")
        self.note(name, f"{doing}, {amount} MB")

    def note(self, name: str, text: str) -> None:
        """Write a line."""
        self._stream.write(f"{name}: {text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is held."""


@contextmanager
def on_stderr(stream: TextIO | None = None) -> Iterator[Progress]:
    """Progress on standard error (or ``stream``) in the form that suits it."""
    target = stream or sys.stderr
    progress = TerminalProgress(target) if target.isatty() else PlainProgress(target)
    try:
        yield progress
    finally:
        progress.close()
