"""A narrow schema permits exactly the votes that count."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streamproc.deduction.evidence import gather
from streamproc.deduction.narrowing import schema
from streamproc.deduction.validity import Grounds, grounds
from streamproc.testing_deduction import caption, fact, keyword, observed, rule, semantic, speed
from streamproc.types import Judgement, Match, Measurement

RULES = {
    r.id: r
    for r in (
        rule("a-run", "anomaly"),
        rule("a-cart", "anomaly"),
        rule("n-jog", "normal"),
        rule("off", "anomaly", enabled=False),
    )
}
RUNS = "A person runs."
VERDICTS: tuple[Judgement, ...] = ("anomaly", "normal", "unknown")


def on(matches: Sequence[Match], measurements: Sequence[Measurement] = ()) -> Grounds:
    evidence = gather(observed(measurements=measurements), caption(fact(RUNS, "runs", tracks=[1])), matches, RULES)
    return grounds(evidence, matches, RULES)


@pytest.mark.parametrize(
    ("matches", "measurements"),
    [
        ((keyword("a-run", "runs"), semantic("n-jog", RUNS, 0.7)), ()),
        ((keyword("a-run", "runs"), keyword("n-jog", "runs"), semantic("a-cart", RUNS, 0.6)), ()),
        ((semantic("a-run", RUNS, 0.7), semantic("a-cart", RUNS, 0.6), keyword("off", "runs")), ()),
        ((keyword("n-jog", "person"),), (speed(0.9),)),
        ((keyword("a-run", "runs"),), (speed(0.9),)),
    ],
    ids=["both kinds", "one settled", "one switched off", "measured alone", "measured and met"],
)
def test_what_it_permits_is_what_counts(matches: tuple[Match, ...], measurements: tuple[Measurement, ...]) -> None:
    held_against = on(matches, measurements)
    form: Any = Draft202012Validator(schema(held_against))
    permitted = 0
    for verdict in VERDICTS:
        for count in range(len(RULES) + 1):
            for cites in combinations([*RULES, "made-up"], count):
                fits = form.is_valid({"reason": "Because.", "verdict": verdict, "cites": list(cites)})
                counts = held_against.fault("llm", verdict, cites) is None
                assert fits == (counts if verdict != "unknown" else not cites), (verdict, cites)
                permitted += fits
    assert permitted >= 3


def test_the_verdict_stands_before_what_it_cites_and_a_large_set_keeps_the_grammar_small() -> None:
    rules = {one.id: one for one in (rule(f"a-{i}", "anomaly") for i in range(50))}
    matches = [semantic(one, RUNS, 0.7) for one in rules]
    way: Any = schema(grounds(gather(observed(), caption(fact(RUNS)), matches, rules), matches, rules))["anyOf"]
    assert list(way[0]["properties"]) == ["reason", "verdict", "cites"]
    cites = way[0]["properties"]["cites"]
    assert (len(cites["items"]["enum"]), cites["minItems"], cites["maxItems"]) == (50, 1, 8)
    assert way[0]["properties"]["reason"] == {"type": "string", "maxLength": 300}
