"""What a picture's own tokens say, put beside what a trained expert says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from streamproc.inspection.training.bank import Bank
from streamproc.inspection.training.train import in_turn
from streamproc.inspection.variants import make_expert

BATCH = 64
"""Pictures that are looked at together."""


def with_own_picture(expert: Any, banks: Sequence[Bank]) -> Any:
    """The same expert with ``own_picture`` on, weighed by ``banks``: pictures of both kinds, best not learned from."""
    made = make_expert(expert.header.model_copy(update={"own_picture": True})).eval()
    made.load_state_dict({**made.state_dict(), **expert.state_dict()})
    own, logits, unlikeness = made.own_picture, [], []
    with torch.no_grad():
        for part in in_turn(banks, BATCH):
            logits.append(expert.eval()(part.tokens, part.taps).logit)
            unlikeness.append(own.unlikeness(part.taps))
        own.weigh(torch.cat(logits), torch.cat(unlikeness))
    return made
