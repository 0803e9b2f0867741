"""A history told in order, and one version beside another."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamproc.errors import ConfigError
from streamproc.rules import history
from streamproc.rules.diff import Diff, FieldChange, Side, compare
from streamproc.rules.induction import Induction
from streamproc.rules.schema import BlamedKeyword, FeedbackModel, load_rules, parse_rules
from streamproc.rules.store import Footage, save_feedback, save_rules
from streamproc.rules.versions import since, told
from streamproc.types import Rule, Support

WALK = Rule("walk", "human", "normal", "People walk here.", ("walk",), "info", Support(9, 10))
RUN = Rule("run", "human", "anomaly", "Someone runs.", ("run", "sprint"), "warning", Support(10, 10))
DOG = Rule("dog", "environment", "anomaly", "A dog is here.", ("dog",), "warning", Support(10, 10))
FOOTAGE = Footage((), datetime(2026, 1, 5, 12, 0, tzinfo=UTC), alarm_score=0.5)
HEAD = "schema_version: 1\nsite: depot\ncamera: gate\nversion: {version}\nrules:\n"


def save(path: Path, *rules: Rule, footage: Footage = FOOTAGE) -> None:
    save_rules(
        path,
        "depot",
        "gate",
        Induction(how="statistics", rules=rules, dropped=(), doubted=(), captions=60, models=()),
        footage,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate.yaml"


def diff(old: str, new: str) -> Diff:
    sides = [parse_rules((HEAD.format(version=1) + rows).encode(), "x")[1] for rows in (old, new)]
    return compare(sides[0], Side("old", 1, "0"), sides[1], Side("new", 1, "1"))


A = "  - {id: a, about: human, says: anomaly, text: Someone runs., keywords: [run, dash]}\n"
B = "  - {id: b, about: human, says: normal, text: People walk.}\n"


def test_added_and_removed_rules() -> None:
    found = diff(A, B)
    assert [(one.id, one.what, one.text) for one in found.rules] == [
        ("b", "added", "People walk."),
        ("a", "removed", "Someone runs."),
    ]
    assert found.summary == "1 added, 1 removed"


def test_the_same_rules_in_another_order_are_no_change() -> None:
    assert diff(A + B, B + A).rules == ()
    assert diff(A, A).summary == "no rule changed"


def test_changed_fields_are_told_old_and_new() -> None:
    changed = A.replace("[run, dash]", "[run, hurry]").replace(
        "}\n", ', severity: error, when: {hours: "22:00-06:00"}}\n'
    )
    (one,) = diff(A, changed).rules
    assert (one.id, one.what) == ("a", "changed")
    assert {str(field) for field in one.fields} == {
        "keywords: -dash, +hurry",
        "severity: warning -> error",
        "when.hours: (none) -> 22:00-06:00",
    }
    assert FieldChange("severity", "warning", "error") in one.fields


def test_a_switch_is_told_as_one_and_what_changed_with_it() -> None:
    off = A.replace("}\n", ", enabled: false}\n")
    assert [(one.what, one.fields) for one in diff(A, off).rules] == [("switched off", ())]
    (one,) = diff(off, A.replace("runs", "hurries")).rules
    assert one.what == "switched on"
    assert one.fields == (FieldChange("text", "Someone runs.", "Someone hurries."),)


def test_for_people_and_for_programs() -> None:
    found = diff(A, B)
    assert list(found.lines()) == [
        ("+ b [normal]: People walk.", "green"),
        ("- a [anomaly]: Someone runs.", "red"),
        ("1 added, 1 removed", ""),
    ]
    assert found.as_dict()["rules"][0]["what"] == "added"
    assert found.as_dict()["summary"] == "1 added, 1 removed"


def test_the_alarm_score_and_other_things_of_the_whole_file_are_told(path: Path) -> None:
    save(path, WALK)
    save(path, WALK, footage=dataclasses.replace(FOOTAGE, alarm_score=0.62))
    assert since(path).file == (FieldChange("alarm_score", 0.5, 0.62),)


def test_a_history_tells_inductions_edits_and_what_is_current(path: Path) -> None:
    save(path, WALK, RUN)
    path.write_text(path.read_text().replace("Someone runs.", "Someone runs off."))
    save(path, WALK, RUN, DOG)
    save(path, WALK)
    rows = told(path)
    assert [(row.version, row.how, row.rules, row.changed, row.current) for row in rows] == [
        (1, "statistics", 2, "2 rules", False),
        (1, "by hand", 2, "1 changed", False),
        (2, "statistics, 1 rules edited", 3, "1 added", False),
        (3, "statistics, 1 rules edited", 2, "1 switched off", True),
    ]
    assert rows[0].name == history.kept(path)[0].name
    assert str(rows[-1]).startswith("*    3  ")


def test_a_history_tells_edits_that_a_running_pipeline_took_over_apart(path: Path) -> None:
    save(path, WALK, RUN)
    for text in ("Someone runs off.", "Someone runs away."):
        history.keep(path, path.read_bytes())
        path.write_text(path.read_text().replace("Someone runs.", text).replace("Someone runs off.", text))
    history.keep(path, path.read_bytes())  # the one that is there
    rows = told(path)
    assert [(row.version, row.how, row.changed, row.current) for row in rows] == [
        (1, "statistics", "2 rules", False),
        (1, "by hand", "1 changed", False),
        (1, "by hand", "1 changed", True),
    ]
    assert len({row.sha256 for row in rows}) == 3
    assert since(path).rules[0].fields == (FieldChange("text", "Someone runs off.", "Someone runs away."),)


FEEDBACK = FeedbackModel(
    right=("a" * 32,),
    false_alarms=("b" * 32,),
    alarm_score=0.6,
    blamed_keywords=(BlamedKeyword(rule="run", keyword="sprint", false_alarms=1),),
)


def test_feedback_is_a_version_of_its_own_that_leaves_all_else_as_it_was(path: Path) -> None:
    save(path, WALK, RUN)
    path.write_text(path.read_text().replace("Someone runs.", "Someone runs off.  # not the guard") + "# the end\n")
    before = path.read_text()
    assert save_feedback(path, lambda _: FEEDBACK) == 2
    assert save_feedback(path, lambda _: FEEDBACK) is None
    assert "# not the guard" in path.read_text()
    rules = load_rules(path)
    assert (rules.version, rules.alarm_score) == (2, 0.6)
    assert {rule.id: rule.strengths for rule in rules.rules} == {"walk": (), "run": (1.0, 0.25)}
    assert told(path)[-1].how == "recalibrated from feedback"
    changes = since(path)
    assert changes.rules[0].fields == (FieldChange("weight of 'sprint'", None, 0.25),)
    assert changes.file == (FieldChange("alarm_score", 0.5, 0.6), FieldChange("feedback", None, "1 right, 1 false"))
    assert save_feedback(path, lambda _: None) == 3
    assert path.read_text().replace("version: 3", "version: 1") == before


def test_an_induction_goes_on_with_the_feedback(path: Path) -> None:
    save(path, WALK, RUN)
    save_feedback(path, lambda _: FEEDBACK)
    save(path, WALK, RUN, DOG)
    (*_, last) = told(path)
    assert (last.version, last.how, last.changed) == (3, "statistics", "1 added")
    assert load_rules(path).alarm_score == 0.6
    save(path, WALK, RUN, footage=dataclasses.replace(FOOTAGE, alarm_score=0.7))
    assert load_rules(path).alarm_score == 0.7


def test_a_version_that_does_not_load_is_told_as_such(path: Path) -> None:
    path.write_text("version: 1\nrules: {")
    history.keep(path, path.read_bytes())
    path.write_text(HEAD.format(version=2) + A)
    broken, now = told(path)
    assert (broken.version, broken.how, broken.current) == (None, "does not load", False)
    assert (now.how, now.changed) == ("by hand", "1 rules")


def test_a_file_without_a_history_is_one_version_and_none_is_a_mistake(path: Path) -> None:
    path.write_text(HEAD.format(version=2) + A)
    assert [row.current for row in told(path)] == [True]
    with pytest.raises(ConfigError, match="no such file"):
        told(path.parent / "none.yaml")


def test_what_a_diff_is_taken_from(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(HEAD.format(version=7) + B)
    path.write_text(HEAD.format(version=1) + A)
    with pytest.raises(ConfigError, match="has no version before this one"):
        since(path)
    for version in (1, 2):
        history.keep(path, path.read_bytes())
        path.write_text(HEAD.format(version=version + 1) + (A if version == 1 else A + B))
    assert since(path).summary == "1 added"
    assert since(path, version="1").old.version == 1
    against = since(path, other)
    assert (against.summary, against.old.name) == ("1 added", str(other))
