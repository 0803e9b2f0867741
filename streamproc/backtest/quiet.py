"""How often normal footage that was not learned from raises something, as far as it can tell."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.deduction.calibration import upper_bound
from streamproc.figures import duration, plain


@dataclass(frozen=True, slots=True)
class Quiet:
    """What was raised on normal footage that was not learned from."""

    incidents: int
    seconds: float

    @property
    def per_hour(self) -> float:
        """Incidents an hour."""
        return self.incidents / (self.seconds / 3600)

    @property
    def per_hour_max(self) -> float:
        """95 % upper bound of that."""
        return upper_bound(self.incidents) / (self.seconds / 3600)

    def as_dict(self) -> dict[str, float]:
        """For ``--json``."""
        return {
            "incidents": self.incidents,
            "hours_observed": self.seconds / 3600,
            "incidents_per_hour": self.per_hour,
            "incidents_per_hour_max": self.per_hour_max,
        }

    def __str__(self) -> str:
        return (
            f"{self.incidents} alerts in {duration(self.seconds)} of normal clips that were not learned from: "
            f"{plain(self.per_hour)} an hour, at most {plain(self.per_hour_max)} (95 % upper bound)"
        )
