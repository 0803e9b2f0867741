"""A measurement that speaks by itself: from where on, after normal footage that it was not learned from."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Earned(BaseModel):
    """What held-out normal footage made of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    threshold: Annotated[float, Field(gt=0)]
    """From which it is told; the largest of a least value of its own and the two below."""
    held_out_max: float
    """The most that held-out normal footage came to."""
    one_hour_level: float
    """What such footage would come to once an hour (Gumbel); an extrapolation where less was observed."""
    why: str = ""
    """Why it counts less than it might, or not at all, in words; empty where it counts in full."""
    silent: bool = False
    """Whether it is told at all no longer: normal footage came so far that nothing could be told from it."""
