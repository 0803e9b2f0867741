"""The doubly-right test (AnomalyRuler, section 4.3): is the verdict right, and is it right for the right reason?

Each answer has a **detection** (alarm or none) and a **reasoning** (one of four choices), given apart. The detection is
right if it alarms where the right choice tells of an anomaly, and does not where that says all is normal. The
reasoning is right if it is the right choice.

- RR: right detection, right reasoning.
- RW: right detection, wrong reasoning: an alarm for a thing that did not happen, or a calm that still suspects one.
- WR: wrong detection, right reasoning: the thing is named, and nothing is raised (or all is said to be normal, and an
  alarm is raised). It occurs because the two are given apart: a suspicion too weak to alarm, or a model whose verdict
  contradicts its choice. The paper's own definition of WR repeats that of another cell; ours is the one left over.
- WW: both wrong. An item without a usable answer counts here, and is counted apart as unanswered.

Accuracy, precision and recall are of the detection alone; an item without an answer raised no alarm, and its
detection counts as wrong.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from streamproc.errors import InferenceError, ReplyError
from streamproc.evaluation.answering import Answer, Answerer
from streamproc.evaluation.items import Item, Items
from streamproc.modelreply import quoted
from streamproc.types import ModelRef

Cell = Literal["RR", "RW", "WR", "WW"]
CELLS: tuple[Cell, ...] = ("RR", "RW", "WR", "WW")


@dataclass(frozen=True, slots=True)
class Judged:
    """One item's answer beside what is right."""

    item: Item
    said: Answer | None
    """None where no usable answer came."""
    fault: str | None
    """Why none came."""
    took_s: float

    @property
    def cell(self) -> Cell:
        """As the module says."""
        if self.said is None:
            return "WW"
        reasoned = self.said.choice == self.item.answer
        if self.said.alarm == self.item.anomalous:
            return "RR" if reasoned else "RW"
        return "WR" if reasoned else "WW"

    def as_dict(self) -> dict[str, Any]:
        """Flat, for JSON."""
        said = None if self.said is None else asdict(self.said)
        right = {"anomalous": self.item.anomalous, "answer": self.item.answer}
        return {"item": self.item.id, **right, "cell": self.cell, "said": said, "fault": self.fault}


@dataclass(frozen=True, slots=True)
class Scored:
    """One way of answering, on all items."""

    way: str
    models: tuple[ModelRef, ...]
    reconstructed: bool
    """Whether its prompt was written by us after a description."""
    judged: tuple[Judged, ...]

    @property
    def cells(self) -> dict[Cell, int]:
        """Items in each cell."""
        return {cell: sum(one.cell == cell for one in self.judged) for cell in CELLS}

    @property
    def accuracy(self) -> float:
        """Share of the items whose detection is right."""
        return (self.cells["RR"] + self.cells["RW"]) / len(self.judged)

    @property
    def precision(self) -> float | None:
        """Share of the alarms that are right; None if there is none."""
        alarms = [one for one in self.judged if one.said is not None and one.said.alarm]
        return sum(one.item.anomalous for one in alarms) / len(alarms) if alarms else None

    @property
    def recall(self) -> float | None:
        """Share of the anomalous items that alarm; None if there is none."""
        anomalous = [one for one in self.judged if one.item.anomalous]
        return sum(one.said is not None and one.said.alarm for one in anomalous) / len(anomalous) if anomalous else None

    @property
    def unanswered(self) -> int:
        """Items without a usable answer."""
        return sum(one.said is None for one in self.judged)

    @property
    def asked(self) -> int:
        """Items about which a language or vision model was asked, those without an answer among them."""
        return sum(one.said is None or one.said.asked for one in self.judged)

    @property
    def degraded(self) -> int:
        """Items of which something was left out: a language model that did not answer."""
        return sum(one.said is not None and bool(one.said.degraded) for one in self.judged)

    @property
    def seconds_median(self) -> float:
        """An answer's, by the clock."""
        return statistics.median(one.took_s for one in self.judged)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        measures = ("accuracy", "precision", "recall", "asked", "unanswered", "degraded", "seconds_median")
        return {
            "way": self.way,
            "reconstructed": self.reconstructed,
            "models": [asdict(model) for model in self.models],
            **{str(cell): count for cell, count in self.cells.items()},
            **{name: getattr(self, name) for name in measures},
            "items": [one.as_dict() for one in self.judged],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All ways, on one file of items."""

    items: Items
    rules: str
    """Where ours has its rules from, in words."""
    scored: tuple[Scored, ...]
    not_run: Mapping[str, str]
    """Ways that were not run, and why."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.items.name,
            "items": len(self.items.items),
            "anomalous": sum(item.anomalous for item in self.items.items),
            "rules": self.rules,
            "ways": [one.as_dict() for one in self.scored],
            "not_run": dict(self.not_run),
        }

    def __str__(self) -> str:
        anomalous = sum(item.anomalous for item in self.items.items)
        lines = [
            f"{self.items.name}: {len(self.items.items)} items, {anomalous} anomalous; {len(self.items.sites)} places",
            f"rules: {self.rules}",
            f"{'way':10}{''.join(f'{cell:>5}' for cell in CELLS)}"
            "  accuracy  precision  recall  asked  unanswered  s an item",
        ]
        for one in self.scored:
            cells = "".join(f"{count:5}" for count in one.cells.values())
            rates = f"{_share(one.accuracy):>10}{_share(one.precision):>11}{_share(one.recall):>8}"
            models = ", ".join(model.name for model in one.models)
            mark = " (prompt reconstructed)" if one.reconstructed else ""
            if one.degraded:
                mark += f" (left out {one.degraded} times)"
            tail = f"{one.asked:7}{one.unanswered:12}{one.seconds_median:11.2f}  {models}{mark}"
            lines.append(f"{one.way:10}{cells}{rates}{tail}".rstrip())
        lines += [f"{way:10} not run: {why}" for way, why in self.not_run.items()]
        lines.append("RR, RW, WR, WW: detection right or wrong, then reasoning right or wrong")
        return "\n".join(lines)


def ask_all(
    way: str,
    answerer: Answerer,
    items: Items,
    *,
    reconstructed: bool = False,
    advance: Callable[[str, float], None] = lambda _way, _items: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Scored:
    """Every item's answer; what a model fails on is left unanswered. ``advance`` is told of each."""
    judged = []
    advance(way, 0)
    for item in items.items:
        began_s = monotonic()
        said, fault = None, None
        try:
            said = answerer.answer(item, items.place(item))
        except (InferenceError, ReplyError) as error:
            fault = quoted(str(error))
        judged.append(Judged(item, said, fault, monotonic() - began_s))
        advance(way, 1)
    return Scored(way, answerer.models, reconstructed, tuple(judged))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
