"""How sure a model was of its verdict: the probability of the word, where the server gives the tokens'.

A reply is constrained to a schema, so the place where the verdict is written is known, and the tokens that stood to
choice there share the probability among the verdicts that begin with them. A verdict in words says as much as a coin
that fell; its probability says how much the coin was loaded, and one reply does for several samples.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from streamproc.modelreply import Token
from streamproc.types import Judgement

VERDICTS: tuple[Judgement, ...] = ("anomaly", "normal", "unknown")
_VALUE = re.compile(rb'"verdict"\s*:\s*"')


def certainty(verdict: Judgement, tokens: Sequence[Token]) -> Mapping[Judgement, float]:
    """What probability the model gave each verdict; sums to 1.

    All for the ``verdict`` that was said, where the tokens tell no more: without any, or where they do not hold it.
    """
    said = dict.fromkeys(VERDICTS, 0.0) | {verdict: 1.0}
    places = list(_VALUE.finditer(b"".join(token.text for token in tokens)))
    if not places:
        return said
    start, at = places[-1].end(), 0
    for token in tokens:
        if at + len(token.text) > start:
            break
        at += len(token.text)
    else:
        return said
    shares = dict.fromkeys(VERDICTS, 0.0)
    for text, logprob in token.alternatives:
        # The token may begin before the verdict does, with the quotation mark: so must the others.
        before, begins = text[: start - at], text[start - at :]
        if before != token.text[: start - at] or not begins:
            continue
        for one in VERDICTS:
            if one.encode().startswith(begins) or begins.startswith(one.encode()):
                shares[one] += math.exp(min(0.0, logprob))
    total = sum(shares.values())
    return {one: share / total for one, share in shares.items()} if total > 0 and shares[verdict] > 0 else said
