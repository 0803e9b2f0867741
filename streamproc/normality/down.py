"""Somebody who lies or crouches, and for how long, beside the longest that anybody did in the normal footage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamproc.normality.glimpse import Glimpse
from streamproc.types import Box

Down = Literal["lying", "crouching"]
DOWN: Final[tuple[Down, ...]] = ("lying", "crouching")
_LOOKS = 3
"""In a row that must say the same: of people who walk one look in three hundred says that they lie or crouch."""
LEAST_S = 1.0
"""That three looks take."""
_PAUSE_S = 1.2
"""Two looks: longer without one, and it begins anew."""


class KnownPostures(BaseModel):
    """How long people lay and crouched in the normal footage."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    longest_s: dict[Down, Annotated[float, Field(ge=0)]] = {}
    """Longest of each; 0 where nobody did."""

    def threshold_s(self, posture: Down) -> float:
        """From which it is told: twice the longest, since half of what was seen is too little to know the range of."""
        return max(LEAST_S, 2.0 * self.longest_s.get(posture, 0.0))

    @property
    def why(self) -> tuple[str, ...]:
        """What is told later than it might be, and why, in words."""
        return tuple(
            f"{posture} is told from {self.threshold_s(posture):.0f} s on: somebody did so for {seconds:.1f} s in the "
            "normal footage"
            for posture, seconds in self.longest_s.items()
            if self.threshold_s(posture) > LEAST_S
        )


@dataclass(frozen=True, slots=True)
class OneDown:
    """Somebody who is down."""

    track_id: int
    """When they were last found as a person."""
    posture: Down
    seconds: float
    """Since the first of the looks in a row that say so."""
    box_norm: Box


@dataclass(slots=True)
class _Row:
    posture: Down
    since_s: float
    last_s: float
    looks: int = 1


class DownMeter:
    """Follows one camera, told of its glimpses in order."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all; another run begins."""
        self._rows: dict[int, _Row] = {}
        self._run: int | None = None
        self.found: dict[int, OneDown] = {}
        """Who is down now, by track."""

    def add(self, glimpse: Glimpse) -> None:
        """Take in the next."""
        if glimpse.run != self._run:
            self.reset()
            self._run = glimpse.run
        for number in [n for n, row in self._rows.items() if not 0.0 <= glimpse.pts_s - row.last_s <= _PAUSE_S]:
            self._rise(number)
        for look in glimpse.postures:
            if look.posture is None:
                continue  # Unsure: neither down nor up.
            row = self._rows.get(look.track_id)
            posture: Down | None = next((one for one in DOWN if one == look.posture.kind), None)
            if posture is None or (row is not None and row.posture != posture):
                self._rise(look.track_id)
                row = None
            if posture is None:
                continue
            if row is None:
                self._rows[look.track_id] = _Row(posture, glimpse.pts_s, glimpse.pts_s)
                continue
            row.last_s, row.looks = glimpse.pts_s, row.looks + 1
            if row.looks >= _LOOKS:
                seconds = glimpse.pts_s - row.since_s
                self.found[look.track_id] = OneDown(look.track_id, posture, seconds, look.box_norm)

    def _rise(self, number: int) -> None:
        self._rows.pop(number, None)
        self.found.pop(number, None)


def fit_postures(glimpses: Iterable[Glimpse]) -> KnownPostures:
    """From the normal footage's ``glimpses``, in order. Nothing else is learned of postures: all of it is held out."""
    meter, longest = DownMeter(), dict.fromkeys(DOWN, 0.0)
    for glimpse in glimpses:
        meter.add(glimpse)
        for one in meter.found.values():
            longest[one.posture] = max(longest[one.posture], one.seconds)
    return KnownPostures(longest_s={posture: round(seconds, 2) for posture, seconds in longest.items() if seconds})
