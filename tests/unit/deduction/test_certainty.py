from __future__ import annotations

import math

import pytest

from streamproc.deduction.certainty import certainty
from streamproc.modelreply import Token


def tokens(*texts: str, choice: dict[str, float]) -> list[Token]:
    """The reply; the alternatives of its token that ``choice`` holds are ``choice``."""
    alternatives = tuple((text.encode(), math.log(chance)) for text, chance in choice.items())
    return [Token(t.encode(), alternatives if t in choice else ((t.encode(), 0.0),)) for t in texts]


@pytest.mark.parametrize(
    ("texts", "choice"),
    [
        (('{"', "verdict", '": "', "anomaly", '"}'), {"anomaly": 0.6, "normal": 0.2, "nothing": 0.2}),
        (('{"verdict":', ' "', "an", "omaly", '"}'), {"an": 0.5, "a": 0.1, "nor": 0.2, "un": 0.0001}),
        # A token that begins with the quotation mark: those that end there, or begin otherwise, tell nothing.
        (('{"verdict"', ":", ' "anom', 'aly"}'), {' "anom': 0.6, ' "n': 0.2, ' "': 0.1, "anomaly": 0.9}),
        (('{"verdict": "', "anomaly", '"}'), {"anomaly": 0.3, 'anomaly"': 0.3, "normal": 0.2}),
    ],
)
def test_tokens_share_their_probability_among_the_verdicts_they_begin(
    texts: tuple[str, ...], choice: dict[str, float]
) -> None:
    shares = certainty("anomaly", tokens(*texts, choice=choice))
    assert shares["anomaly"] == pytest.approx(0.75, abs=1e-3)
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "texts", [(), ("{}",), ('{"verdict": "',), ('{"verdict": 3}',), ('{"verdict": "', "xyz", '"}')], ids=str
)
def test_without_tokens_that_tell_it_the_word_counts(texts: tuple[str, ...]) -> None:
    assert certainty("normal", tokens(*texts, choice={})) == {"anomaly": 0.0, "normal": 1.0, "unknown": 0.0}


def test_a_verdict_quoted_in_the_reason_is_not_the_verdict() -> None:
    said = tokens('{"reason": "\\"verdict\\": \\"', "normal", '\\"", "verdict": "', "unknown", '"}', choice={})
    assert certainty("unknown", said)["unknown"] == 1.0
