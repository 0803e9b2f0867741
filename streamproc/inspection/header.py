"""What a file of expert weights says about itself."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Variant = Literal["released", "paper"]
"""Where Anomaly-OV's code and paper differ: ``released`` is the code, ``paper`` the text (equations 3, 6, 7 and 8)."""


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
    recipe: str = ""
    """How it was trained, in a line; empty where it is not known."""


OFFICIAL = Header(backbone="llava-onevision-siglip", revision="", channels=1152, side=27)
"""Of the published weights: 32 tensors, 7,086,811 numbers. Each of the two belongs to its own fine-tuned tower."""
