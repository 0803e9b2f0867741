"""Which model server explains findings, and how pictures reach it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from streamproc.config import ExplainSettings, Settings


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


class AnswersSettings(ExplainSettings):
    """The same with a choice of how a crop reaches the model."""

    route: Annotated[PictureRoute | EmbedsRoute, Field(discriminator="kind")] = PictureRoute()
    """By tokens only one request may be under way, see ``EmbedsRoute``."""

    @model_validator(mode="after")
    def _tokens_go_one_by_one(self) -> AnswersSettings:
        if self.route.kind == "embeds" and self.max_in_flight > 1:
            message = "max_in_flight must be 1 where crops go by tokens: a batch of different sizes ends vLLM's engine"
            raise PydanticCustomError("tokens_go_one_by_one", message, {"at": ("max_in_flight",)})
        return self
