"""What the parts of inspection cost, crop by crop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Clock = Callable[[], float]
"""Seconds that this process has kept cores busy."""
ENCODER = "encoder"


@dataclass(slots=True)
class Spent:
    """Seconds of a core by part, of how many crops."""

    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)
    crops: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """One crop's work."""
        began = self.clock()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + self.clock() - began
        self.crops[part] = self.crops.get(part, 0) + 1

    def figures(self) -> tuple[float | None, float | None]:
        """Crops a second, and what the others take in times of the encoder."""
        each = {part: self.seconds[part] / self.crops[part] for part in self.seconds}
        encoder, whole = each.get(ENCODER, 0.0), sum(each.values())
        return (1 / whole if whole > 0 else None), ((whole - encoder) / encoder if encoder > 0 else None)
