"""Whether the servers of one role run the same model: what they loaded, and how they answer one question."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from streamproc.errors import InferenceError, ReplyError
from streamproc.modelreply import Reply, Token
from streamproc.modelserver import ModelServer

APART = 0.1
"""Two servers' probabilities of a token may differ by so much: other GPUs, kernels and batches move them by some
hundredths in half precision. Weights that differ by less are not told apart."""
_QUESTION: Any = [{"role": "user", "content": "Name the colour of a ripe tomato. Reply with JSON."}]


class _Colour(Reply):
    colour: Literal["red", "green", "blue", "yellow"]


@dataclass(frozen=True, slots=True)
class Likeness:
    """What tells one server's model from another's."""

    root: str | None
    """What was loaded, as the server lists it; None where it does not say."""
    context_tokens: int | None
    tokens: tuple[Token, ...]
    """Its answer, with probabilities; empty where it gives none."""


def likeness(server: ModelServer) -> Likeness:
    """Of a client of one server, which has been checked.

    Raises:
        InferenceError: it does not answer.
    """
    (answer,) = server.ask(_QUESTION, _Colour, logprobs=True)
    listed = server.listed
    return Likeness(
        listed.root if listed else None,
        listed.context_tokens if listed else None,
        () if isinstance(answer, ReplyError) else answer.tokens,
    )


def likenesses(servers: Mapping[str, ModelServer]) -> dict[str, Likeness]:
    """Of each that answers; of the others something else is told."""
    found = {}
    for name, server in servers.items():
        try:
            found[name] = likeness(server)
        except InferenceError:
            continue
    return found


def differences(found: Mapping[str, Likeness]) -> dict[str, tuple[str, ...]]:
    """In what each differs from the first, in words; nothing of those that do not."""
    (first_name, first), *others = found.items() or [("", Likeness(None, None, ()))]
    told = {name: tuple(_differs(first_name, first, other)) for name, other in others}
    return {name: words for name, words in told.items() if words}


def _differs(name: str, one: Likeness, other: Likeness) -> Sequence[str]:
    words = []
    if None not in (one.root, other.root) and one.root != other.root:
        words.append(f"it runs {other.root}, and {name} runs {one.root}")
    if one.context_tokens != other.context_tokens:
        words.append(f"it has room for {other.context_tokens} tokens, and {name} for {one.context_tokens}")
    if one.tokens and other.tokens and (apart := _apart(one.tokens, other.tokens)) > APART:
        words.append(
            f"it answers otherwise than {name}, by {apart:.0%} in the probability of a word: other weights, another "
            "revision or quantisation"
        )
    return words


def _apart(one: Sequence[Token], other: Sequence[Token]) -> float:
    """The largest difference in a probability, up to where the answers part."""
    most = 0.0
    for a, b in zip(one, other, strict=False):
        chances, others = ({text: math.exp(log) for text, log in token.alternatives} for token in (a, b))
        both = [text for text in (a.text, b.text) if text in chances and text in others]
        most = max([most, *(abs(chances[text] - others[text]) for text in both)])
        if a.text != b.text:
            return most if len(both) == 2 else 1.0
    return most
