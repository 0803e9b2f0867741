"""Anomaly-OV's expert in PyTorch: the reference, and what is trained (sections 3.3 to 3.5).

Letters in shapes: b crops, n pictures a crop, t = side x side tokens, c channels, h hidden.

Significances are carried as logarithms, and every average weighted by them is a softmax over them. That is the same
number wherever the published code has one, and stays one where that divides 0 by 0: in equation 8, whose weight there
is the product of two means, single precision does so once every token is nearer to normal by half a cosine.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from streamproc.inspection.header import Header
from streamproc.inspection.nouns import TAPS
from streamproc.inspection.own_picture import OwnPicture

TEMPERATURE = 0.01
"""tau of equation 4; the released code multiplies by its inverse."""
POOLED = 2
"""h = w of equation 6: a picture becomes this many by this many queries."""
_NEVER = -1e9  # in place of minus infinity, which some runtimes turn into NaN


class Opinion(NamedTuple):
    """What the expert makes of b crops."""

    logit: Any
    """(b,): what equation 9 takes the sigmoid of, and what its own picture adds to it where the header says so."""
    maps: Any
    """(b, n, side, side) 0..1: m_j of equation 5."""
    selected: Any
    """(b, n, 4, c): v^s_j of equation 7."""
    summary: Any
    """(b, c): r of equation 8."""


class Expert(nn.Module):
    """The parts that both variants have: adapters, significance (eqs. 4-5), pooling (6), aggregation (8), score (9)."""

    divided_queries: bool
    """Whether the pooled tokens of equation 6 are divided by the pooled significance."""
    picture_weights: bool
    """Whether equation 8 weighs each picture by its mean significance as well."""

    def __init__(self, header: Header) -> None:
        super().__init__()
        self.header = header
        self.siglip_adaptors = nn.ModuleList(nn.Linear(header.channels, header.hidden) for _ in range(TAPS))
        self.final_predictor = two_layers(header.channels, header.hidden, 1)
        self.own_picture = OwnPicture(header.side) if header.own_picture else None
        # Not part of the weights: 0 within each of the four windows, else so low that a softmax gives 0.
        self.register_buffer("outside", (1.0 - _windows(header.side)) * _NEVER, persistent=False)
        self.register_buffer("window_logs", _windows(header.side).sum(1).log(), persistent=False)

    def descriptions(self, whole: Any) -> Any:
        """d of equation 3 from view 0's tokens (b, t, c): (b, 4 levels, anomalous and normal, h), of any length."""
        raise NotImplementedError

    def attend(self, queries: Any, tokens: Any) -> Any:
        """Equation 7: queries (b, n, 4, c) over a picture's own tokens (b, n, t, c); the shape of the queries."""
        raise NotImplementedError

    def forward(self, tokens: Any, taps: Any) -> Opinion:
        """Tokens (b, n, t, c) and taps (b, 4, n, t, c), view 0 first; a crop's features stacked along a new axis."""
        logs = self.significance_logs(self.descriptions(tokens[:, 0]), taps)
        within = logs.unsqueeze(2) + self.outside
        pooled_logs = within.logsumexp(-1) - self.window_logs
        queries = within.softmax(-1) @ tokens
        if not self.divided_queries:
            queries = queries * pooled_logs.exp().unsqueeze(-1)
        selected = self.attend(queries, tokens) if self.header.selector else queries
        weight_logs = pooled_logs
        if self.picture_weights:
            weight_logs = weight_logs + logs.logsumexp(-1, keepdim=True) - math.log(self.header.side**2)
        shares = weight_logs.flatten(1).softmax(-1)
        summary = (shares.unsqueeze(1) @ selected.flatten(1, 2)).squeeze(1)
        logit = self.final_predictor(summary).squeeze(-1)
        if self.own_picture is not None:
            logit = logit + self.own_picture(taps)
        side = self.header.side
        return Opinion(logit, logs.exp().unflatten(-1, (side, side)), selected, summary)

    def significance_logs(self, descriptions: Any, taps: Any) -> Any:
        """log m_j of equations 4 and 5: (b, n, t). A softmax of two is the sigmoid of their difference."""
        descriptions = functional.normalize(descriptions, dim=-1)
        apart = (descriptions[:, :, 0] - descriptions[:, :, 1]) / TEMPERATURE
        levels = []
        for level, adaptor in enumerate(self.siglip_adaptors):
            adapted = adaptor(taps[:, level])
            across = (adapted @ apart[:, level, None, :, None]).squeeze(-1)
            levels.append(-functional.softplus(-across / adapted.norm(dim=-1).clamp_min(1e-12)))
        return torch.stack(levels).logsumexp(0) - math.log(TAPS)


def two_layers(width: int, hidden: int, out: int) -> Any:
    """Linear, GELU, linear."""
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))


def _windows(side: int) -> Any:
    """(4, t) of 0 and 1: the windows of adaptive average pooling to 2 x 2, which overlap where ``side`` is odd."""
    edges = [(k * side // POOLED, -((k + 1) * -side // POOLED)) for k in range(POOLED)]
    windows = torch.zeros(POOLED, POOLED, side, side)
    for row, (top, bottom) in enumerate(edges):
        for column, (left, right) in enumerate(edges):
            windows[row, column, top:bottom, left:right] = 1
    return windows.flatten(2).flatten(0, 1)
