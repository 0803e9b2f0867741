"""How rules are put to a language model."""

from __future__ import annotations

from dataclasses import replace

from streamproc.deduction.prompts import system_text
from streamproc.testing_deduction import rule, rule_set


def test_a_rule_that_forbids_is_put_as_what_it_forbids() -> None:
    calm = replace(rule("a-calm", "anomaly", "Nobody runs."), forbids="Someone runs.")
    text = system_text(rule_set(calm))
    assert "a-calm [anomaly, people]: Someone runs." in text
    assert "Nobody runs." not in text
