"""What training minimises: balanced BCE of the score, and cross entropy of the map where masks are known."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


def class_weights(defective: int, flawless: int) -> tuple[float, float]:
    """Weights of flawless and defective samples: N / (2 N_y), so that each class has half of the whole set's loss.

    The paper says "balanced BCE" and no more. Counts are the training set's, not a batch's: a batch that happens to
    hold few defects is not blown up by them. A set of one class alone gets weight 1.
    """
    whole = defective + flawless
    if not defective or not flawless:
        return 1.0, 1.0
    return whole / (2 * flawless), whole / (2 * defective)


def balanced_bce(logits: Any, labels: Any, weights: tuple[float, float]) -> Any:
    """Mean over (b,) logits of w_y BCE; ``labels`` (b,) 0 or 1."""
    weight = torch.where(labels > 0.5, weights[1], weights[0])
    return functional.binary_cross_entropy_with_logits(logits, labels, weight=weight)


def map_loss(maps: Any, shares: Any, known: Any) -> Any:
    """Cross entropy of the significance maps (b, t) 0..1 against the defective share of each token (b, t) 0..1.

    Not in the paper, which learns from labels of whole pictures: drawn defects have masks, so the map can be taught
    where to look. Tokens of samples whose mask is not known (``known`` (b,) 0) do not count. Defective and sound tokens
    of the batch have half of it each: a defect is a few tokens of hundreds.
    """
    maps = maps.clamp(1e-6, 1 - 1e-6)
    defective = shares * known[:, None]
    sound = (1 - shares) * known[:, None]
    missed = -(defective * maps.log()).sum() / defective.sum().clamp_min(1)
    false = -(sound * (1 - maps).log()).sum() / sound.sum().clamp_min(1)
    return (missed + false) / 2
