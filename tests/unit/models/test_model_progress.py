"""Progress in words, and in bars only where there is a terminal."""

from __future__ import annotations

import io

from streamproc.models.progress import PlainProgress, TerminalProgress, on_stderr
from streamproc.testing import FakeClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_come_at_the_start_now_and_then_and_once_at_the_end() -> None:
    clock, out = FakeClock(), io.StringIO()
    progress = PlainProgress(out, every_s=10.0, monotonic=clock.monotonic)
    for second in range(25):
        progress.update("a", "fetching", second * 1_000_000, 24_000_000)
        clock.advance(1.0)
    progress.update("a", "fetching", 24_000_000, 24_000_000)
    amounts = [line.removeprefix("a: fetching, ") for line in out.getvalue().splitlines()]
    assert amounts == ["0.0 of 24.0 MB", "10.0 of 24.0 MB", "20.0 of 24.0 MB", "24.0 of 24.0 MB"]


def test_a_total_that_is_not_known_is_left_out() -> None:
    out = io.StringIO()
    PlainProgress(out).update("a", "fetching", 1_500_000, None)
    assert out.getvalue() == "a: fetching, 1.5 MB\n"


def test_a_terminal_gets_bars_and_nothing_before_the_first() -> None:
    out = Terminal()
    with on_stderr(out) as progress:
        assert isinstance(progress, TerminalProgress)
        assert out.getvalue() == ""
        progress.update("a", "fetching", 5, 10)
        progress.note("a", "waiting [for] another")
    assert "a: fetching" in out.getvalue()
    assert "waiting [for] another" in out.getvalue()


def test_what_is_not_a_terminal_gets_lines() -> None:
    with on_stderr(io.StringIO()) as progress:
        assert isinstance(progress, PlainProgress)
