"""How rules are put to a language model."""

from __future__ import annotations

from dataclasses import replace

from streamproc.deduction.evidence import gather
from streamproc.deduction.prompts import messages, system_text
from streamproc.testing_deduction import caption, fact, keyword, observed, rule, rule_set
from streamproc.testing_modelserver import prefix_shared


def test_a_rule_that_forbids_is_put_as_what_it_forbids() -> None:
    calm = replace(rule("a-calm", "anomaly", "Nobody runs."), forbids="Someone runs.")
    text = system_text(rule_set(calm))
    assert "a-calm [anomaly, people]: Someone runs." in text
    assert "Nobody runs." not in text


def test_the_rules_stand_first_and_what_two_windows_share_is_all_of_them() -> None:
    rules = rule_set(*(rule(f"a-{i}", "anomaly", f"Someone does thing {i}.") for i in range(20)))
    by_id = {one.id: one for one in rules.rules}
    asked = []
    for end_s, says, cites, before in ((1.0, "A person sits.", "a-3", ""), (2.0, "A person runs.", "a-7", "normal")):
        evidence = gather(observed(end_s), caption(fact(says, "sits")), [keyword(cites, "sits")], by_id, ())
        asked.append(messages(system_text(rules), evidence, before))
    own = [len(str(one[1]["content"])) for one in asked]
    shared = prefix_shared(*asked)
    assert shared.startswith(f"system\n{system_text(rules)}\nuser\n")
    assert all("a-19" not in str(one[1]["content"]) for one in asked)  # what a window does not touch is not said again
    assert max(own) < len(shared) / 4
