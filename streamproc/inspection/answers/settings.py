"""Which model server explains findings, and how pictures reach it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from streamproc.config import ServerSettings, Settings


class PictureRoute(Settings):
    """The plain crop, and the same with an outline around its hottest place; any vision-language model takes it."""

    kind: Literal["picture"] = "picture"
    """Always picture."""
    longest_px: Annotated[int, Field(ge=64, le=2304)] = 768
    """Longer edge of the pictures sent; larger crops are scaled down. 2 x 2 of LLaVA-OneVision's own squares."""


class EmbedsRoute(Settings):
    """Tokens of the expert's own encoder with the selected ones behind them, as Anomaly-OV was trained.

    The server must be vLLM with ``--enable-mm-embeds``, run LLaVA-OneVision, and trust who asks it. Two crops whose
    tokens differ in number end vLLM's engine when they meet in one batch (0.32): where others ask it by tokens as well,
    serve it with ``--max-num-seqs 1``.
    """

    kind: Literal["embeds"]
    """Always embeds."""
    projector: Path
    """The model's projector and phrases, an .npz; see ``projector.Projector``."""


class AnswersSettings(ServerSettings):
    """An OpenAI-compatible server with a vision-language model that explains findings."""

    deadline_s: Annotated[float, Field(gt=0, le=300)] = 60.0
    """Seconds after which an explanation is given up, retries included."""
    max_in_flight: Annotated[int, Field(ge=1, le=256)] = 1
    """Requests under way at once; by tokens only 1, see ``EmbedsRoute``."""
    route: Annotated[PictureRoute | EmbedsRoute, Field(discriminator="kind")] = PictureRoute()
    """How a crop reaches the model."""
    slightly_below: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Scores below it are told to the model as slightly suspicious; the published code's s_low."""
    highly_from: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Scores from it on are told to the model as highly suspicious; the published code's s_high."""

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> AnswersSettings:
        if self.slightly_below > self.highly_from:
            message = f"slightly_below {self.slightly_below:g} lies above highly_from {self.highly_from:g}"
            raise PydanticCustomError("thresholds_are_in_order", message, {"at": ("slightly_below",)})
        return self

    @model_validator(mode="after")
    def _tokens_go_one_by_one(self) -> AnswersSettings:
        if self.route.kind == "embeds" and self.max_in_flight > 1:
            message = "max_in_flight must be 1 where crops go by tokens: a batch of different sizes ends vLLM's engine"
            raise PydanticCustomError("tokens_go_one_by_one", message, {"at": ("max_in_flight",)})
        return self
