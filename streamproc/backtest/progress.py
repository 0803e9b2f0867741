"""How far a backtest is, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[str, float], None]
"""What is looked at, and how much of it was since the last call."""


@contextmanager
def progress(total: float) -> Iterator[Advance]:
    """A bar in a terminal, a line for each thing looked at elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    told: list[str] = []
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("backtest", total=total)

        def advance(what: str, amount: float) -> None:
            bar.update(task, description=what, advance=amount)
            if not console.is_terminal and told[-1:] != [what]:
                told.append(what)
                console.print(what, highlight=False, soft_wrap=True)

        yield advance
