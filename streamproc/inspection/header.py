"""What a file of expert weights says about itself."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Variant = Literal["released", "paper"]
"""Where Anomaly-OV's code and paper differ: ``released`` is the code, ``paper`` the text (equations 3, 6, 7 and 8)."""

LEAST_SIDE = 4
"""Tokens along an edge, from which on each has five others of its picture beyond its neighbours."""


class Header(BaseModel):
    """Of what shape an expert is and whose features it reads; JSON within its weights and its ONNX file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = Field(min_length=1)
    """The name of the encoder whose features it was trained on; no other's will do."""
    revision: str
    """Of that encoder's weights; empty where it is not known."""
    channels: int = Field(ge=1)
    """Of a token."""
    side: int = Field(ge=2)
    """Tokens along one edge of a picture."""
    hidden: int = Field(default=512, ge=1)
    """Width of the adapters, descriptions and attention; 512 in the published weights."""
    variant: Variant = "released"
    look_back: bool = True
    """False: descriptions without view 0 (the paper's Table 1, "w/o. Look-back")."""
    selector: bool = True
    """False: the pooled tokens themselves are aggregated, equation 7 left out (Table 1, "w/o. Q-Former")."""
    own_picture: bool = False
    """True: how unlike itself a picture is counts beside the score (``own_picture.py``; not in the paper)."""
    close_ups: int = Field(default=1, ge=1, le=16)
    """It learned from close-ups of a crop, up to so many by so many, beside the whole; 1: from the whole alone."""
    recipe: str = ""
    """How it was trained, in a line; empty where it is not known."""

    @model_validator(mode="after")
    def _large_enough(self) -> Self:
        if self.own_picture and self.side < LEAST_SIDE:
            raise ValueError(f"own_picture needs {LEAST_SIDE} tokens along an edge, there are {self.side}")
        return self


OFFICIAL = Header(backbone="llava-onevision-siglip", revision="", channels=1152, side=27, close_ups=6)
"""Of the published weights: 32 tensors, 7,086,811 numbers. Each of the two belongs to its own fine-tuned tower."""
