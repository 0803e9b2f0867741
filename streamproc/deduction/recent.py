"""What a camera's last windows came to, for the language model: AnomalyRuler's double check (4.4) as words in a prompt.

A single description errs. The paper corrects it by what was smoothed over its neighbours, cutting clauses out of it and
writing others in; here the description stays as it is, and the model is told what the windows before it held.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass

LAST = 5
"""So many windows are told of: the paper's neighbours on the side that has been seen."""
MOST_RULES = 6


@dataclass(frozen=True, slots=True)
class _Window:
    anomaly: bool
    rules: tuple[str, ...]
    beyond: tuple[str, ...]


class Recent:
    """A camera's last windows, of one run. For one thread at a time."""

    def __init__(self) -> None:
        self._run: int | None = None
        self._windows: deque[_Window] = deque(maxlen=LAST)
        self._share = 0.0

    def add(self, run: int, *, anomaly: bool, share: float, rules: Collection[str], beyond: Collection[str]) -> None:
        """A window was judged.

        ``share`` is the smoothed score as of it, in parts of the alarm's threshold; ``rules`` are the ids of the rules
        that it met, ``beyond`` the names of the measurements that were beyond normal.
        """
        self._begin(run)
        self._windows.append(_Window(anomaly, tuple(dict.fromkeys(rules)), tuple(dict.fromkeys(beyond))))
        self._share = share

    def words(self, run: int) -> str:
        """One line on the windows before the next one of ``run``; empty where there is none."""
        self._begin(run)
        if not self._windows:
            return ""
        total = len(self._windows)
        anomalies = sum(window.anomaly for window in self._windows)
        parts = [f"{anomalies or 'none'} of the last {total} judged an anomaly; taken together they are {self._calm()}"]
        for what, counts in (
            ("rules met", Counter(rule for window in self._windows for rule in window.rules)),
            ("beyond normal", Counter(name for window in self._windows for name in window.beyond)),
        ):
            if counts:
                parts.append(f"{what}: {', '.join(f'{name} in {n}' for name, n in counts.most_common(MOST_RULES))}")
        return "; ".join(parts)

    def _begin(self, run: int) -> None:
        if run != self._run:
            self._run, self._share = run, 0.0
            self._windows.clear()

    def _calm(self) -> str:
        if self._share >= 1:
            return "an alarm"
        return "near an alarm" if self._share >= 0.6 else "uneasy" if self._share >= 0.2 else "calm"
