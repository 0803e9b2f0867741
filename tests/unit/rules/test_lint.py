from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from streamproc.rules.lint import Finding, lint

GOOD = """\
schema_version: 1
site: depot
camera: gate
version: 1
rules:
  - id: walk
    about: human
    says: normal
    text: People walk here.
    keywords: [walk]
  - id: hurry
    about: human
    says: anomaly
    text: Someone hurries through the gate.
    keywords: [hurry, run]
    when: {zones: [door], hours: "22:00-06:00"}
  - id: other
    about: human
    says: anomaly
    text: Something else goes on that is not known here.
    keywords: [unknown]
"""


def findings(tmp_path: Path, text: str, zones: Collection[str] | None = ("door",)) -> list[Finding]:
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    return lint(path, zones)


def test_a_good_file_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "words"),
    [
        ("[door]", "[door, dock]", 16, "rules.1.when.zones.1", "no zone dock; it has door"),
        ("22:00-06:00", "08:00-08:00", 16, "rules.1.when.hours", "the whole day"),
        ("Someone hurries through the gate.", "people walk HERE", 14, "rules.1.text", "says the same as walk"),
        ("Someone hurries through the gate.", "Hurrying!", 14, "rules.1.text", "too short"),
        ("[hurry, run]", "[hurry, 'run*']", 15, "rules.1.keywords.1", "'run*' is never met"),
        ("[hurry, run]", "['!', run]", 15, "rules.1.keywords.0", "never met"),
        ("[hurry, run]", "[the]", 15, "rules.1.keywords.0", "almost every sentence"),
        ("[hurry, run]", "[hurry, hurried]", 15, "rules.1.keywords.1", "wherever 'hurry' is"),
        ("hurry, run]\n    when:", "walking]\n    x:", 16, "rules.1.x", "unknown field"),
        (
            '[hurry, run]\n    when: {zones: [door], hours: "22:00-06:00"}',
            "[walking]",
            15,
            "rules.1.keywords.0",
            "rule walk",
        ),
        ("    keywords: [unknown]\n", "", 17, "rules.2", "no keywords"),
        ("says: anomaly", "says: anomalous", 13, "rules.1.says", "permitted: normal, anomaly"),
    ],
)
def test_findings_have_their_lines(tmp_path: Path, old: str, new: str, line: int, field: str, words: str) -> None:
    assert old in GOOD
    (finding,) = findings(tmp_path, GOOD.replace(old, new, 1))
    assert (finding.line, finding.field) == (line, field)
    assert words in finding.message
    assert str(finding).startswith(f"{tmp_path / 'gate.yaml'}:{line}:{finding.column}: {finding.level}: {field}: ")


def test_only_what_keeps_a_file_from_loading_is_an_error(tmp_path: Path) -> None:
    assert [f.level for f in findings(tmp_path, GOOD.replace("[door]", "[dock]"))] == ["warning"]
    assert [f.level for f in findings(tmp_path, GOOD.replace("version: 1\nrules", "version: x\nrules"))] == ["error"]


def test_zones_are_left_unchecked_where_they_are_not_known(tmp_path: Path) -> None:
    assert findings(tmp_path, GOOD.replace("[door]", "[dock]"), zones=None) == []


def test_a_camera_without_zones_has_none(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, GOOD, zones=())
    assert "it has none" in finding.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD[: GOOD.index("rules:")] + "rules: []\n", "no rules"),
        (GOOD.replace("    about", "    enabled: false\n    about"), "every rule is switched off"),
        (GOOD.replace("says: anomaly", "says: normal"), "no rule says anomaly"),
    ],
)
def test_a_set_that_can_raise_nothing_is_told(tmp_path: Path, text: str, words: str) -> None:
    assert any(words in finding.message for finding in findings(tmp_path, text))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    (finding,) = lint(tmp_path / "none.yaml")
    assert str(finding) == f"{tmp_path / 'none.yaml'}: error: no such file"


def test_a_rule_that_counts_people_needs_no_keyword(tmp_path: Path) -> None:
    assert findings(tmp_path, GOOD.replace("    keywords: [unknown]\n", "    more_people_than: 3\n")) == []


@pytest.mark.parametrize(
    ("says", "text", "words"),
    [
        ("anomaly", "No dogs here.", 'forbids "Dogs are here.", known by dog, puppy; anywhere in view'),
        ("normal", "Dogs are not allowed.", 'forbids "Dogs are here.", known by dog, puppy; anywhere in view'),
        ("anomaly", "No dogs.", 'forbids "Dogs are here.", known by dog, puppy; anywhere in view'),
        ("anomaly", "Nobody is at the gate.", "an absence is the anomaly"),
    ],
)
def test_how_a_denial_was_understood_is_told(tmp_path: Path, says: str, text: str, words: str) -> None:
    mine = f"    says: {says}\n    text: {text}\n"
    old = "    says: anomaly\n    text: Something else goes on that is not known here.\n"
    found = findings(tmp_path, GOOD.replace(old, mine).replace("    keywords: [unknown]\n", ""))
    assert [(one.line, one.field) for one in found if one.level == "info"] == [(20, "rules.2.text")]
    assert words in next(one.message for one in found if one.level == "info")
    assert [one.message.partition(":")[0] for one in found if one.level == "warning"] == (
        ["no keywords"] if "absence" in words else []
    )
