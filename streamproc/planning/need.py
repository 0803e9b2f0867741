"""What a plan says: rows, each with what it was reckoned from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Basis = Literal["measured", "assumed", "given", "counted", "unknown"]
"""``unknown``: it has to be measured at the site; ``counted``: it follows from settings."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is needed."""

    part: str
    what: str
    amount: float | None
    """None where it is unknown."""
    unit: str
    basis: Basis
    source: str
    """Figures with their files, and what is assumed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What would be full first, and with how many cameras."""

    what: str
    cameras: int
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a site needs."""

    title: str
    rows: tuple[Row, ...]
    limits: tuple[Limit, ...]
    """The tightest first."""
    notes: tuple[str, ...]

    def amount(self, what: str) -> float | None:
        """Of the row of that name; raises KeyError where there is none."""
        for row in self.rows:
            if row.what == what:
                return row.amount
        raise KeyError(what)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    def __str__(self) -> str:
        lines, part = [self.title], ""
        width = max(len(row.what) for row in self.rows) + 2
        for row in self.rows:
            if row.part != part:
                part = row.part
                lines += ["", part]
            amount = "unknown" if row.amount is None else f"{_number(row.amount)} {row.unit}"
            lines.append(f"  {row.what:<{width}}{amount:<22}{row.basis:<10}{row.source}")
        lines += ["", "what is full first"] if self.limits else []
        for limit in self.limits:
            held = f"{limit.cameras} camera{'' if limit.cameras == 1 else 's'}"
            lines.append(f"  {limit.what:<{width}}{held:<22}{limit.why}")
        return "\n".join([*lines, "", *self.notes])


def _number(amount: float) -> str:
    if amount == round(amount) or amount >= 100:
        return f"{amount:.0f}"
    return f"{amount:.1f}" if amount >= 10 else f"{amount:.2f}"
