from __future__ import annotations

import dataclasses
import stat
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml.comments import CommentedMap

from streamproc.errors import ConfigError
from streamproc.rules import store
from streamproc.rules.induction import Contradiction, Induction
from streamproc.rules.merge import Memory, Merge, fingerprint, merge
from streamproc.rules.schema import RuleModel, load_rules, parse_rules
from streamproc.rules.store import Clip, Footage, save_rules
from streamproc.rules.strength import Counted
from streamproc.types import ModelRef, Rule, Support, When

WALK = Rule("walk", "human", "normal", "People walk here.", ("walk",), "info", Support(9, 10))
RUN = Rule("run", "human", "anomaly", "Someone runs.", ("run", "sprint"), "warning", Support(10, 10))
DOG = Rule("dog", "environment", "anomaly", "An animal is here: a dog.", ("dog",), "warning", Support(10, 10))
FOOTAGE = Footage(
    (Clip("normal.mp4", "ab" * 32, 40.0), Clip("more.mp4", "cd" * 32, 20.0)),
    datetime(2026, 1, 5, 12, 0, tzinfo=UTC),
    "gate.normality.npz",
    "ef" * 32,
    180.0,
)


def learned(*rules: Rule) -> Induction:
    dropped = (Counted("run", "dash", 3),)
    return Induction("statistics", rules, dropped, (), 60, (ModelRef("perception", "scene", "1"),))


def save(path: Path, *rules: Rule) -> Merge:
    return save_rules(path, "depot", "gate", learned(*rules), FOOTAGE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules" / "gate.yaml"
    save(path, WALK, RUN, DOG)
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))


def rule(path: Path, rule_id: str) -> Rule:
    return {rule.id: rule for rule in load_rules(path).rules}[rule_id]


def test_a_new_file_is_explained_and_loads(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=ruleset.schema.json\n")
    assert "# What people do not do here." in text
    loaded = load_rules(path)
    assert loaded.rules == (WALK, RUN, DOG)
    assert (loaded.id, loaded.site, loaded.camera, loaded.version) == ("depot-gate", "depot", "gate", 1)


def test_provenance_tells_where_rules_come_from(path: Path) -> None:
    provenance = parse_rules(path.read_bytes(), "x")[1].provenance
    assert provenance is not None
    assert provenance.created_at == FOOTAGE.created_at
    assert [clip.name for clip in provenance.clips] == ["normal.mp4", "more.mp4"]
    assert provenance.calibration == "gate.normality.npz"
    assert provenance.hours_observed == pytest.approx(1 / 60, abs=1e-4)
    assert provenance.false_alarms_per_hour_max == 180.0
    assert [(d.rule, d.keyword, d.captions) for d in provenance.dropped_keywords] == [("run", "dash", 3)]


def test_the_same_induction_again_changes_the_version_alone(path: Path) -> None:
    before = path.read_text()
    outcome = save(path, WALK, RUN, DOG)
    assert path.read_text() == before.replace("version: 1\nrules", "version: 2\nrules")
    assert outcome == Merge(2, (), ("walk", "run", "dog"), (), (), ())


def test_rules_that_nobody_changed_are_brought_up_to_date(path: Path) -> None:
    fewer = dataclasses.replace(RUN, keywords=("run",), text="Someone runs fast.", support=Support(8, 10))
    assert save(path, WALK, fewer, DOG).updated == ("walk", "run", "dog")
    assert rule(path, "run") == fewer


def test_a_rule_that_people_changed_stays_but_for_its_support(path: Path) -> None:
    edit(path, "text: Someone runs.", "text: Someone runs to the gate. # the guards said so")
    edit(path, "severity: warning", "severity: critical")
    outcome = save(path, WALK, dataclasses.replace(RUN, text="Other.", support=Support(7, 10)), DOG)
    assert outcome.kept == ("run",)
    kept = rule(path, "run")
    assert (kept.text, kept.severity) == ("Someone runs to the gate.", "critical")
    assert kept.support == Support(7, 10)
    assert "# the guards said so" in path.read_text()


def test_an_edit_stays_through_any_number_of_inductions(path: Path) -> None:
    edit(path, "text: Someone runs.", "text: Someone runs to the gate.")
    for _ in range(3):
        assert save(path, WALK, RUN, DOG).kept == ("run",)
    assert rule(path, "run").text == "Someone runs to the gate."


def test_a_rule_that_people_switched_off_stays_off(path: Path) -> None:
    edit(path, "    support: {k: 10, n: 10}\n", "    support: {k: 10, n: 10}\n    enabled: false\n")
    save(path, WALK, dataclasses.replace(RUN, keywords=("run",)), DOG)
    off = rule(path, "run")
    assert not off.enabled
    assert off.keywords == ("run",)


def test_rules_of_people_comments_and_order_stay(path: Path) -> None:
    text = path.read_text()
    head, _, rest = text.partition("rules:\n")
    mine = (
        "  # The roof is closed since May.\n"
        "  - id: roof # mine\n    about: human\n    says: anomaly\n    text: Someone stands on the roof.\n"
        '    when: {hours: "22:00-06:00"}\n\n'
    )
    path.write_text(head + "rules:\n" + mine + rest + "# the end\n")
    new = dataclasses.replace(DOG, id="cat", text="A cat is here.", keywords=("cat",))
    outcome = save(path, RUN, WALK, DOG, new)
    assert outcome.added == ("cat",)
    assert outcome.kept == ("roof",)
    assert [rule.id for rule in load_rules(path).rules] == ["roof", "walk", "run", "dog", "cat"]
    assert rule(path, "roof").when == When(hours="22:00-06:00")
    after = path.read_text()
    for comment in ("# The roof is closed since May.", "# mine", "# the end", "# What people do here."):
        assert comment in after
    assert mine in after


def test_a_rule_that_people_deleted_stays_away(path: Path) -> None:
    text = path.read_text()
    start, end = text.index("  - id: dog"), text.index("provenance:")
    path.write_text(text[:start] + text[end:])
    for _ in range(2):
        assert save(path, WALK, RUN, DOG).removed == ("dog",)
    assert "dog" not in [rule.id for rule in load_rules(path).rules]
    edit(path, "  removed: [dog]\n", "")
    assert save(path, WALK, RUN, DOG).added == ("dog",)


def test_a_rule_that_is_no_longer_induced_is_switched_off_and_on_again(path: Path) -> None:
    assert save(path, WALK, DOG).retired == ("run",)
    assert not rule(path, "run").enabled
    assert save(path, WALK, DOG).retired == ()
    assert save(path, WALK, RUN, DOG).updated == ("walk", "run", "dog")
    assert rule(path, "run").enabled
    text = path.read_text()
    assert text.index("# What is not seen here.") < text.index("- id: dog")


@pytest.mark.parametrize(
    "last",
    [
        "    support: {k: 9, n: 10}\n",
        "    support: {k: 9, n: 10} # counted\n",
        "    support:\n      k: 9\n      n: 10\n",
        "    support: {k: 9, n: 10}\n    severity: info\n",
        "    support: {k: 9, n: 10}\n    severity: info\n    keywords:\n      - walk\n",
    ],
)
def test_a_rule_that_is_switched_off_leaves_the_next_ones_heading_where_it_is(path: Path, last: str) -> None:
    for field in ("severity: info", "keywords: [walk]"):
        if field.partition(":")[0] in last:
            edit(path, f"    {field}\n", "")
    edit(path, "    support: {k: 9, n: 10}\n", last)
    assert save(path, RUN, DOG).retired == ("walk",)
    end = last.splitlines()[-1]
    assert f"{end}\n\n  # What people do not do here.\n  - id: run\n" in path.read_text()
    assert not rule(path, "walk").enabled


def test_people_may_switch_a_retired_rule_on_again(path: Path) -> None:
    save(path, WALK, DOG)
    edit(path, "enabled: false", "enabled: true")
    assert save(path, WALK, DOG).retired == ()
    assert rule(path, "run").enabled


def test_a_retired_rule_that_people_changed_stays_off_when_it_comes_back(path: Path) -> None:
    save(path, WALK, DOG)
    edit(path, "text: Someone runs.", "text: Someone runs to the gate.")
    save(path, WALK, RUN, DOG)
    assert (rule(path, "run").text, rule(path, "run").enabled) == ("Someone runs to the gate.", False)


def test_a_changed_rule_that_is_no_longer_induced_stays(path: Path) -> None:
    edit(path, "text: Someone runs.", "text: Someone runs to the gate.")
    save(path, WALK, DOG)
    assert rule(path, "run").enabled


def test_a_file_that_people_wrote_is_merged_into(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text("# mine\nschema_version: 1\nsite: depot\ncamera: gate\nversion: 7\nrules: []\n")
    assert save(path, WALK, RUN).version == 8
    assert load_rules(path).rules == (WALK, RUN)
    assert path.read_text().startswith("# mine\n")
    assert "rules:\n" in path.read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("camera: gate", "camera: yard", "holds the rules of depot/yard"), ("says: normal", "says: nothing", "permitted")],
)
def test_a_file_that_is_not_this_cameras_or_not_valid_is_left(path: Path, old: str, new: str, words: str) -> None:
    edit(path, old, new)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=words):
        save(path, WALK)
    assert path.read_bytes() == before


def test_an_edit_made_meanwhile_is_not_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(data: CommentedMap, known: Mapping[str, RuleModel], *rest: Any) -> tuple[Merge, Memory]:
        edit(path, "text: Someone runs.", "text: Someone hops.")
        return merge(data, known, *rest)

    monkeypatch.setattr(store, "merge", slow)
    with pytest.raises(ConfigError, match="was changed meanwhile"):
        save(path, WALK, RUN, DOG)
    assert rule(path, "run").text == "Someone hops."


def test_the_files_mode_and_link_stay_and_no_draft_is_left(path: Path, tmp_path: Path) -> None:
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    save(link, WALK)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(file.name for file in path.parent.iterdir()) == [".history", "gate.yaml"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        save(tmp_path / "file" / "gate.yaml", WALK)


_texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=3, max_size=40)
_texts = _texts.filter(lambda text: len(text.splitlines()) == 1)
_rules = st.builds(
    Rule,
    id=st.from_regex("[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
    about=st.sampled_from(["human", "environment"]),
    says=st.sampled_from(["normal", "anomaly"]),
    text=_texts,
    keywords=st.lists(st.from_regex("[A-Za-z][A-Za-z '-]{0,12}", fullmatch=True), max_size=3).map(tuple),
    severity=st.sampled_from(["critical", "error", "warning", "info"]),
    support=st.none() | st.builds(Support, st.integers(0, 5), st.integers(5, 9)),
    when=st.none() | st.builds(When, st.just(("gate",)), st.sampled_from([None, "22:00-06:00"]), st.just(("mon",))),
    enabled=st.booleans(),
)


@given(st.lists(_rules, max_size=5, unique_by=lambda rule: rule.id))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rules_are_read_as_they_were_written(tmp_path: Path, rules: list[Rule]) -> None:
    path = tmp_path / "any.yaml"
    path.unlink(missing_ok=True)
    for _ in range(2):
        save(path, *rules)
        assert load_rules(path).rules == tuple(rules)


MAYBE = dataclasses.replace(RUN, id="maybe", enabled=False, support=Support(1, 10))


def supported(rule: Rule) -> Rule:
    return dataclasses.replace(rule, enabled=True, support=Support(5, 10))


def provenance(path: Path) -> Any:
    return parse_rules(path.read_bytes(), "x")[1].provenance


def test_what_too_few_batches_speak_for_is_proposed_switched_off(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    assert save(path, WALK, MAYBE).proposed == ("maybe",)
    assert not rule(path, "maybe").enabled
    assert provenance(path).proposed == ("maybe",)
    assert save(path, WALK, MAYBE).proposed == ("maybe",)
    assert not rule(path, "maybe").enabled


def test_a_proposal_comes_into_force_when_enough_batches_speak_for_it(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    save(path, WALK, MAYBE)
    save(path, WALK)  # not even proposed in between
    assert save(path, WALK, supported(MAYBE)).proposed == ()
    assert (rule(path, "maybe").enabled, rule(path, "maybe").support) == (True, Support(5, 10))
    assert provenance(path).proposed == ()


def test_proposals_do_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    for number in range(4):
        one = dataclasses.replace(MAYBE, id=f"maybe-{number}")
        assert save(path, WALK, RUN, one).proposed == (f"maybe-{number}",)
    assert [one.id for one in load_rules(path).rules] == ["walk", "run", "maybe-3"]
    assert provenance(path).proposed == ("maybe-3",)
    assert [one.id for one in provenance(path).induced] == ["walk", "run", "maybe-3"]
    assert save(path, WALK, RUN, supported(dataclasses.replace(MAYBE, id="maybe-0"))).added == ("maybe-0",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    severity: warning\n    support: {k: 1", "    severity: error\n    support: {k: 1"),
        ("support: {k: 1, n: 10}", "support: {k: 1, n: 10}  # ask the guards"),
        ("  - id: maybe\n", "  # ask the guards\n  - id: maybe\n"),
        ("enabled: false\n", "enabled: false\n\n  # ---- ours\n"),
    ],
    ids=["changed", "comment beside", "comment above", "heading of what follows"],
)
def test_a_proposal_that_people_have_had_a_hand_in_stays(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "gate.yaml"
    save(path, WALK, MAYBE, RUN)
    edit(path, old, new)
    save(path, WALK, RUN)
    assert rule(path, "maybe")
    assert new.strip().splitlines()[-1] in path.read_text()


def test_a_rule_that_loses_its_support_is_switched_off(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    save(path, WALK, supported(MAYBE))
    assert save(path, WALK, MAYBE).proposed == ("maybe",)
    assert not rule(path, "maybe").enabled


def test_a_proposal_that_people_switch_on_stays_on(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    save(path, WALK, MAYBE)
    edit(path, "enabled: false", "enabled: true")
    for _ in range(3):
        assert save(path, WALK, MAYBE).proposed == ()
        assert rule(path, "maybe").enabled


def test_a_rule_that_people_switched_off_stays_off_whatever_speaks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    save(path, WALK, supported(MAYBE))
    edit(path, "support: {k: 5, n: 10}", "support: {k: 5, n: 10}\n    enabled: false")
    save(path, WALK, MAYBE)
    save(path, WALK, supported(MAYBE))
    assert not rule(path, "maybe").enabled


def test_what_was_left_out_and_where_captions_came_from_stand_in_the_provenance(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    models = (ModelRef("induction", "mistral", "abc", prompt_sha256="12" * 32),)
    left_out = (Contradiction("Someone walks.", "People walk here."),)
    induction = Induction("votes", (WALK,), (), (), 60, models, left_out)
    save_rules(path, "depot", "gate", induction, dataclasses.replace(FOOTAGE, clips=(), videos=("01", "07")))
    written = provenance(path)
    assert written.videos == ("01", "07")
    assert [(one.text, one.normal) for one in written.contradicted] == [("Someone walks.", "People walk here.")]
    assert [(one.role, one.name, one.prompt_sha256) for one in written.models] == [("induction", "mistral", "12" * 32)]


def test_a_number_of_people_and_a_weight_are_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    many = Rule("many", "human", "anomaly", "Many are here.", (), "info", Support(3, 3), weight=0.2, more_people_than=4)
    save(path, many)
    assert rule(path, "many") == many
    save(path, replace(many, more_people_than=6))
    assert rule(path, "many").more_people_than == 6
    plain = replace(many, more_people_than=None, weight=1.0, keywords=("many",))
    save(path, plain)
    assert rule(path, "many") == plain
    assert save(path, plain).updated == ("many",)


def test_rules_without_a_weight_keep_the_fingerprint_that_they_had_before_there_were_weights() -> None:
    assert fingerprint(WALK) == "a7bcfab4524a8c6a83c371b1c3a8ec96ba74608d26ab8dac195b068ccee105ef"
    assert fingerprint(replace(WALK, weight=0.5)) != fingerprint(WALK)
