"""What tells the models of two servers apart, and what does not."""

from __future__ import annotations

import math

import pytest

from streamproc.alike import Likeness, differences
from streamproc.modelreply import Token


def token(text: str, **chances: float) -> Token:
    return Token(text.encode(), tuple((word.encode(), math.log(chance)) for word, chance in chances.items()))


BEGINS = token("{", **{"{": 1.0})
ONE = Likeness("org/model", 8192, (BEGINS, token("red", red=0.7, blue=0.2)))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Likeness("org/model", 8192, (BEGINS, token("red", red=0.66, blue=0.22))), ()),  # another GPU
        (Likeness(None, 8192, ()), ()),  # it does not say
        (Likeness("org/other", 8192, ONE.tokens), ("it runs org/other, and a runs org/model",)),
        (Likeness("org/model", 4096, ONE.tokens), ("it has room for 4096 tokens, and a for 8192",)),
        (Likeness("org/model", 8192, (BEGINS, token("red", red=0.5, blue=0.4))), ("by 20% in",)),
        (Likeness("org/model", 8192, (BEGINS, token("blue", red=0.2, blue=0.7))), ("by 50% in",)),
        (Likeness("org/model", 8192, (BEGINS, token("green", green=0.9))), ("by 100% in",)),
        (Likeness("org/model", 8192, (BEGINS, token("blue", red=0.68, blue=0.22))), ()),  # a near tie, drawn otherwise
    ],
)
def test_differences_are_told_in_words(other: Likeness, says: tuple[str, ...]) -> None:
    found = differences({"a": ONE, "b": other})
    assert set(found) == ({"b"} if says else set())
    for words, part in zip(found.get("b", ()), says, strict=True):
        assert part in words


def test_one_alone_differs_from_nothing() -> None:
    assert differences({}) == {}
    assert differences({"a": ONE}) == {}
