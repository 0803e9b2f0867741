"""The two experts: as Anomaly-OV's released code has it, and as its paper writes it."""

from __future__ import annotations

from typing import Any, assert_never

import torch
from torch import nn

from streamproc.inspection.expert import Expert, two_layers
from streamproc.inspection.header import Header
from streamproc.inspection.nouns import TAPS
from streamproc.inspection.qformers import Block, OneHead

# Spread of a new embedding, as in BERT. The released code's is 1, where the first maps are saturated noise (logits
# spread by 6 at h = 512); at this one both descriptions start nearly alike and the maps near one half.
_START = 0.02


def make_expert(header: Header) -> Expert:
    """A new expert of this shape, its weights drawn from torch's generator."""
    match header.variant:
        case "released":
            return ReleasedExpert(header)
        case "paper":
            return PaperExpert(header)
        case _:
            assert_never(header.variant)


class ReleasedExpert(Expert):
    """As the code: 32 tensors under the published names. What it calls negative is the anomalous embedding."""

    divided_queries = True
    picture_weights = True

    def __init__(self, header: Header) -> None:
        super().__init__(header)
        hidden = header.hidden
        self.positive_embedding = nn.Parameter(torch.randn(1, hidden) * _START)
        self.negative_embedding = nn.Parameter(torch.randn(1, hidden) * _START)
        self.pooling_layer = nn.Sequential(nn.Linear(header.side**2, 1))
        self.class_predictor = two_layers(header.channels, hidden, hidden)
        self.prompt_adaptors = nn.ModuleList(nn.Linear(2 * hidden, hidden) for _ in range(TAPS))
        self.q_former = OneHead(header.channels, hidden)

    def descriptions(self, whole: Any) -> Any:
        """Equation 3 with one pooling and one MLP for all levels, then one linear layer a level for both signs."""
        look = self.class_predictor(self.pooling_layer(whole.transpose(1, 2)).squeeze(-1))
        if not self.header.look_back:
            look = torch.zeros_like(look)
        signs = [
            torch.cat([sign.expand(look.shape[0], -1), look], -1)
            for sign in (self.negative_embedding, self.positive_embedding)
        ]
        both = torch.stack(signs, 1)
        return torch.stack([adaptor(both) for adaptor in self.prompt_adaptors], 1)

    def attend(self, queries: Any, tokens: Any) -> Any:
        """Equation 7 with one head, without projections of value or output."""
        return self.q_former(queries, tokens)


class PaperExpert(Expert):
    """As the paper: for each level a pooling and two MLPs of its own, equation 6 undivided, one block of a Q-Former."""

    divided_queries = False
    picture_weights = False

    def __init__(self, header: Header) -> None:
        super().__init__(header)
        channels, hidden = header.channels, header.hidden
        self.positive_embedding = nn.Parameter(torch.randn(1, channels) * _START)
        self.negative_embedding = nn.Parameter(torch.randn(1, channels) * _START)
        self.pooling_layers = nn.ModuleList(nn.Linear(header.side**2, 1) for _ in range(TAPS))
        self.positive_mlps = nn.ModuleList(two_layers(2 * channels, hidden, hidden) for _ in range(TAPS))
        self.negative_mlps = nn.ModuleList(two_layers(2 * channels, hidden, hidden) for _ in range(TAPS))
        self.q_former = Block(channels)

    def descriptions(self, whole: Any) -> Any:
        """Equation 3; positive is the anomalous side, as in the paper."""
        levels = []
        for pooling, positive, negative in zip(
            self.pooling_layers, self.positive_mlps, self.negative_mlps, strict=True
        ):
            look = pooling(whole.transpose(1, 2)).squeeze(-1)
            if not self.header.look_back:
                look = torch.zeros_like(look)
            signs = ((positive, self.positive_embedding), (negative, self.negative_embedding))
            levels.append(torch.stack([mlp(torch.cat([e.expand(look.shape[0], -1), look], -1)) for mlp, e in signs], 1))
        return torch.stack(levels, 1)

    def attend(self, queries: Any, tokens: Any) -> Any:
        """Equation 7."""
        return self.q_former(queries, tokens)
