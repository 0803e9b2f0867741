"""What aggregates a picture's tokens around its suspicious ones (Anomaly-OV, equation 7)."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

HEAD_CHANNELS = 64
"""Of one attention head in BLIP-2's Q-Former."""


class OneHead(nn.Module):
    """softmax(query_proj(q) key_proj(v)^T / sqrt(h)) v, as released."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.query_proj = nn.Linear(channels, hidden)
        self.key_proj = nn.Linear(channels, hidden)

    def forward(self, queries: Any, tokens: Any) -> Any:
        """Queries (b, n, 4, c) over tokens (b, n, t, c); the shape of the queries."""
        # Four queries are cheaper to bring to the tokens' space than all tokens to theirs, and the keys' bias adds the
        # same number to each of a query's logits: the attention is the same.
        asked = self.query_proj(queries) @ self.key_proj.weight / math.sqrt(self.key_proj.out_features)
        return (asked @ tokens.transpose(-1, -2)).softmax(-1) @ tokens


class Block(nn.Module):
    """One block of BLIP-2's Q-Former: the queries see each other, then the tokens, then pass through an MLP."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.among = Attention(channels)
        self.across = Attention(channels)
        self.widen = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    def forward(self, queries: Any, tokens: Any) -> Any:
        """Queries (b, n, 4, c) over tokens (b, n, t, c); the shape of the queries. Norms come last, as in BERT."""
        queries = self.norms[0](queries + self.among(queries, queries))
        queries = self.norms[1](queries + self.across(queries, tokens))
        return self.norms[2](queries + self.widen(queries))


class Attention(nn.Module):
    """Attention of several heads with projections of query, key, value and output."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        most = max(1, channels // HEAD_CHANNELS)
        self.heads = max(count for count in range(1, most + 1) if channels % count == 0)
        self.query, self.key, self.value, self.out = (nn.Linear(channels, channels) for _ in range(4))

    def forward(self, asks: Any, tells: Any) -> Any:
        """Asks (b, n, k, c) over tells (b, n, t, c); the shape of the asks."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
            for layer, x in ((self.query, asks), (self.key, tells), (self.value, tells))
        )
        seen = (query @ key.transpose(-1, -2) / math.sqrt(self.query.out_features // self.heads)).softmax(-1) @ value
        return self.out(seen.transpose(-2, -3).flatten(-2))
