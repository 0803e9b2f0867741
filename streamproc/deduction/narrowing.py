"""The reply schema of one window: each verdict with the rules that it may cite there, and no others.

A server that constrains replies then cannot give a vote that ``validity`` would void. The schema changes with the
window and is no part of the prompt, so a server's prefix cache holds all the same. Elsewhere it is a hint, and what
comes is held against ``validity`` as ever. The reason is bounded too: small models reason past their last token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamproc.deduction.validity import Grounds
from streamproc.deduction.voters import MOST_CITES
from streamproc.modelreply import LONGEST_QUOTE
from streamproc.types import Judgement

_VERDICTS: tuple[Judgement, ...] = ("anomaly", "normal", "unknown")


def schema(held_against: Grounds) -> Mapping[str, object]:
    """JSON Schema of the ``Opinion`` that is valid on these grounds; a verdict that none could rest on is left out."""
    ways = []
    for verdict in _VERDICTS:
        ids = held_against.citable(verdict) if verdict != "unknown" else ()
        bare = held_against.fault("llm", verdict, ()) is None
        if ids or bare:
            ways.append(_way(verdict, ids, at_least=0 if bare else 1))
    # Its type beside: there are servers that want an object, whatever it may be.
    return {"type": "object", "anyOf": ways}


def _way(verdict: Judgement, ids: Sequence[str], at_least: int) -> Mapping[str, object]:
    cites = {"type": "array", "items": {"enum": list(ids)}, "minItems": at_least, "maxItems": min(len(ids), MOST_CITES)}
    fields = {
        "reason": {"type": "string", "maxLength": LONGEST_QUOTE},
        "verdict": {"const": verdict},
        "cites": cites if ids else {"const": []},
    }
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
