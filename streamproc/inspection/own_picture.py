"""How unlike itself a picture is: a comparison that needs no training, beside the expert's score. Not in the paper.

A token's unlikeness is one minus its mean cosine to those of its own picture's tokens, beyond its neighbours, that are
most like it: sound material is there many times, a defect is not. Where the expert was taught nothing about a
material, this still holds.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

LEVEL = 2
"""Which tap: by itself the four tell held-out drawings at 73, 74, 79 and 72."""
NEAREST = 5
"""Tokens that must be alike; 20 and 60 tell drawings no better."""
TOP = 0.01
"""A picture is as unlike itself as this share of its tokens, the most unlike, on average; as in a memory."""
SHARE = 2.0
"""How far it counts beside what was learned, in standard deviations of both. Of 0, 1/2, 1, 2, 3, 4 and 8 the best on
drawings of kinds that the expert had learned from and of kinds that it had not, half and half (DESIGN)."""
_NEVER = -9.0  # below any cosine, and finite for every runtime


class OwnPicture(nn.Module):
    """What is added to the score's logit, 0 until it is weighed."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.register_buffer("slope", torch.zeros(()))
        self.register_buffer("usual", torch.zeros(()))
        place = torch.arange(side * side)
        down, right = (torch.abs(at[:, None] - at) for at in (place // side, place % side))
        self.register_buffer("beside", (down <= 1) & (right <= 1), persistent=False)
        self.top = max(1, round(TOP * side * side))

    def forward(self, taps: Any) -> Any:
        """Of taps (b, 4, n, t, c): (b,)."""
        return self.slope * (self.unlikeness(taps) - self.usual)

    def unlikeness(self, taps: Any) -> Any:
        """Of taps (b, 4, n, t, c): (b,) 0..2, that of a crop's most unlike picture."""
        tokens = functional.normalize(taps[:, LEVEL], dim=-1)
        cosines = (tokens @ tokens.transpose(-1, -2)).masked_fill(self.beside, _NEVER)
        alike = cosines.topk(NEAREST, dim=-1).values.mean(-1)
        return (1 - alike).topk(self.top, dim=-1).values.mean(-1).amax(-1)

    def weigh(self, logits: Any, unlikeness: Any) -> None:
        """Let it count for ``SHARE`` of the score's spread over the same (m,) pictures, of both kinds."""
        self.slope.copy_(SHARE * logits.std() / unlikeness.std().clamp_min(1e-6))
        self.usual.copy_(unlikeness.mean())
