"""Whether what is measured has drifted from what the normal footage measured: reported, never silently learned.

The raw values of ten minutes in which something moves are kept as a histogram with logarithmic bins. Only where the
median, or the 99th percentile, of three such parts in a row differs to the same side, each time by more than pieces of
the footage differed among themselves, is that drift. All in media time and in memory: a restart begins anew.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

PART_S = 600.0
"""In which something moved: so long that a running child or a group of tourists does not carry its 99th percentile."""
PARTS = 3
"""In a row: of seven alike pieces three given ones are the three highest once in 35 times, and the room is wider."""
_LEAST_VALUES = 300
"""In a part: three lie above its 99th percentile."""
_LEAST_FACTOR = 1.2
"""Less is not drift, however even the footage was: thresholds lie further above its highest values."""
_AGAIN = 1.2
"""By which what was reported must change to be reported anew."""
_MOST_ELAPSED_S = 1.0
_STEP = math.log(1.05)
_BINS = 256
"""From a five-hundredth to five hundred times the median, each 5 % wide; quantiles are interpolated within."""

_WORDS = {
    "speed": ("what moves is {} times as fast as", "the fastest moves {} times as fast as"),
    "appearance": ("what moves looks {} times as strange as", "the strangest looks {} times as strange as"),
}
_OTHERS = ("{name} measures {} times what it measured", "the highest values of {name} are {} times those")


class DriftReference(BaseModel):
    """One measurement in the normal footage, each value from a held-out piece while something moves."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    median: Annotated[float, Field(gt=0)]
    p99: Annotated[float, Field(gt=0)]
    median_spread: Annotated[float, Field(ge=1)]
    """The highest median of its pieces by the lowest."""
    p99_spread: Annotated[float, Field(ge=1)]
    """The same for the 99th percentile."""


def drift_reference(pieces: Sequence[Sequence[float] | npt.NDArray[np.floating]]) -> DriftReference | None:
    """The reference of a measurement from its raw values, piece by piece; None where there are none above nought."""
    filled = [np.asarray(piece, np.float64) for piece in pieces if len(piece)]
    if not filled:
        return None
    median, p99 = (float(value) for value in np.percentile(np.concatenate(filled), (50, 99)))
    each = np.array([np.percentile(piece, (50, 99)) for piece in filled])
    if each.min() <= 0.0:
        return None
    spread = each.max(axis=0) / each.min(axis=0)
    return DriftReference(median=median, p99=p99, median_spread=float(spread[0]), p99_spread=float(spread[1]))


class _Running:
    """One measurement as it goes on."""

    def __init__(self, name: str, reference: DriftReference) -> None:
        self._lowest = math.log(reference.median) - _STEP * _BINS / 2
        self._normal = (reference.median, reference.p99)
        self._room = tuple(max(_LEAST_FACTOR, one) for one in (reference.median_spread, reference.p99_spread))
        self._words = _WORDS.get(name) or tuple(text.replace("{name}", name) for text in _OTHERS)
        self._counts = [0] * _BINS
        self._seconds = 0.0
        self._parts: deque[tuple[float, ...]] = deque(maxlen=PARTS)
        """Quotients of the last parts' median and 99th percentile by the footage's."""
        self._told = (1.0, 1.0)
        self.report: str | None = None
        """Of the drift that goes on, as it was told; None where there is none."""

    def add(self, value: float, elapsed_s: float) -> str | None:
        at = int((math.log(value) - self._lowest) / _STEP) if value > 0.0 else 0
        self._counts[min(max(at, 0), _BINS - 1)] += 1
        self._seconds += min(max(elapsed_s, 0.0), _MOST_ELAPSED_S)
        if self._seconds < PART_S:
            return None
        if sum(self._counts) >= _LEAST_VALUES:
            live = (self._quantile(0.5), self._quantile(0.99))
            self._parts.append(tuple(one / normal for one, normal in zip(live, self._normal, strict=True)))
        self._counts, self._seconds = [0] * _BINS, 0.0
        return self._compare() if len(self._parts) == PARTS else None

    def _compare(self) -> str | None:
        drifted: list[float] = []
        for quotients, room in zip(zip(*self._parts, strict=True), self._room, strict=True):
            moved = min(quotients) > room or max(quotients) < 1.0 / room
            drifted.append(sorted(quotients)[PARTS // 2] if moved else 1.0)
        median, p99 = drifted
        changed = any(
            abs(math.log(now / told)) > math.log(_AGAIN) for now, told in zip(drifted, self._told, strict=True)
        )
        if drifted == [1.0, 1.0]:
            self._told, self.report = (1.0, 1.0), None
        if not changed or drifted == [1.0, 1.0]:
            return None
        self._told = (median, p99)
        said = self._words[0].format(f"{median:.2g}") if median != 1.0 else self._words[1].format(f"{p99:.2g}")
        self.report = f"{said} in the footage that was learned: learn anew with `streamproc induce`"
        return self.report

    def _quantile(self, share: float) -> float:
        below = list(accumulate(self._counts))
        wanted = share * below[-1]
        at = bisect.bisect_left(below, wanted)
        within = 1.0 - (below[at] - wanted) / max(1, self._counts[at])
        return math.exp(self._lowest + _STEP * (at + within))


class Drift:
    """Holds a camera's measurements against its normal footage, for hours; 5 microseconds a value."""

    def __init__(self, references: Mapping[str, DriftReference]) -> None:
        """``references`` by measurement; others are not watched."""
        self._running = {name: _Running(name, reference) for name, reference in references.items()}
        self._at_s: dict[str, float] = {}

    def add(self, name: str, value: float, elapsed_s: float) -> str | None:
        """Take in a raw ``value`` of the measurement ``name``, while something moves; ``elapsed_s`` of media time.

        A report in words, once, when its drift begins or changes.
        """
        running = self._running.get(name)
        return running.add(value, elapsed_s) if running is not None and math.isfinite(value) else None

    def take(self, pts_s: float, values: Mapping[str, float]) -> None:
        """``add`` what was measured at ``pts_s``; what is not above nought was not measured."""
        for name, value in values.items():
            if value > 0.0:
                self.add(name, value, pts_s - self._at_s.get(name, pts_s))
                self._at_s[name] = pts_s

    @property
    def reports(self) -> tuple[str, ...]:
        """Of what has drifted and has not come back, as last told."""
        return tuple(one.report for one in self._running.values() if one.report is not None)
