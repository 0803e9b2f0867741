"""`feedback` and `rules recalibrate` as a shell knows them, on what a replay raises."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamproc import cli
from streamproc import replay as replay_module
from streamproc.rules.schema import load_rules
from streamproc.testing_sources import write_clip
from streamproc.testing_wiring import HURRIES, WALKS, FakeBackends, write_rules, write_site
from streamproc.types import ObservedWindow

Run = Callable[..., tuple[int, str, str]]

CART = "Two people walk with a cart in the middle."
RULE = "  - {id: no-carts, about: environment, says: anomaly, text: A cart is here., keywords: [cart]}\n"


def says(observed: ObservedWindow) -> str:
    at = observed.window.end_s
    return HURRIES if 1.0 <= at < 3.5 else CART if 10.0 <= at < 14.0 else WALKS


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, logging_as_it_was: None
) -> Run:
    """Runs ``streamproc`` in a site's folder: exit code, output, errors. In its clip somebody hurries, which is not
    normal, and later a cart comes, which a rule wrongly calls an anomaly."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(replay_module, "Backends", lambda *_: FakeBackends(says))
    rules = write_rules(tmp_path / "rules" / "gate.yaml")
    rules.write_text(rules.read_text() + RULE)
    write_clip(tmp_path / "clip.mp4", count=160, size=(64, 48))
    write_site(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["streamproc", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def raised(run: Run) -> dict[str, str]:
    """The alerts that a replay opens: the rule that each cites, and its id. What it printed is in ``alerts.txt``."""
    code, out, _ = run("replay", "site.yaml", "--camera", "gate", "--video", "clip.mp4")
    assert code == 0
    Path("alerts.txt").write_text(out)
    opened = [data for line in out.splitlines() if (data := json.loads(line)["data"])["action"] == "open"]
    return {data["cited_rules"][0]["id"]: data["alert_id"] for data in opened}


def of_json(ran: tuple[int, str, str]) -> Any:
    code, out, err = ran
    assert code == 0, err
    return json.loads(out)


def test_a_false_alarm_is_raised_no_more_and_a_right_one_is(run: Run) -> None:
    before = raised(run)
    assert before.keys() == {"people-hurry", "no-carts"}
    # A person wrote the rule: it is blamed where it is named.
    for verb, rule, named in (("right", "people-hurry", ()), ("false", "no-carts", ("--rule", "no-carts"))):
        code, out, err = run("feedback", verb, "site.yaml", before[rule], "--alerts", "alerts.txt", *named)
        assert code == 0
        assert ("as recalibrating takes it: 'cart' of rule no-carts had a part in 1 false alarm" in err) == bool(named)
        file = Path("rules/gate.yaml").absolute()
        assert out == f"{before[rule]}: {verb}; take it in with `streamproc rules recalibrate {file}`\n"

    assert raised(run) == before  # nothing is taken in unasked
    kept = Path("rules/gate.yaml").read_bytes()
    code, out, err = run("rules", "recalibrate", "rules/gate.yaml", "--dry-run")
    assert code == 0
    assert out.startswith(
        "rules/gate.yaml: 1 right, 1 false; as it would be, nothing was written\n~ no-carts [anomaly]"
    )
    assert "'cart' of rule no-carts had a part in 1 false alarm" in err
    assert Path("rules/gate.yaml").read_bytes() == kept
    code, out, err = run("rules", "recalibrate", "rules/gate.yaml")
    assert code == 0
    assert out.startswith("rules/gate.yaml: 1 right, 1 false; version 4\n~ no-carts [anomaly]: A cart is here.\n")
    assert "    weight of 'cart': (none) -> 0.25\n" in out
    assert err == (
        "note: 'cart' of rule no-carts had a part in 1 false alarm, so it weighs less and raises no alert by itself "
        "any more\n"
    )
    assert raised(run) == {"people-hurry": before["people-hurry"]}

    (*_, last) = of_json(run("rules", "history", "rules/gate.yaml", "--json"))
    assert (last["version"], last["how"], last["changed"]) == (4, "recalibrated from feedback", "1 changed")
    code, out, _ = run("rules", "recalibrate", "rules/gate.yaml")
    assert (code, out) == (0, "rules/gate.yaml: 1 right, 1 false; nothing changed\n")
    assert load_rules(Path("rules/gate.yaml")).version == 4

    code, _, err = run("rules", "rollback", "rules/gate.yaml", "--version", "3")
    assert code == 0
    assert err.startswith("note: there is feedback on 2 alerts that this version does not know of: ")
    assert raised(run) == before


def test_what_was_said_is_listed_changed_and_taken_back(run: Run) -> None:
    one = raised(run)["no-carts"]
    given = ("site.yaml", f"{one}-1", "--alerts", "alerts.txt")
    assert run("feedback", "false", *given, "--rule", "no-carts", "--note", "the  gardener\n")[0] == 0
    (row,) = of_json(run("feedback", "list", "site.yaml", "--json"))
    assert (row["alert_id"], row["says"], row["rule"], row["note"]) == (one, "false", "no-carts", "the gardener")
    _, out, _ = run("feedback", "list", "site.yaml")
    assert out.splitlines()[0].startswith(f"{one}  1970-01-01 00:00:1")
    assert "false, rule no-carts was wrong" in out
    assert out.splitlines()[-1] == "1 alert(s), 1 of them false"
    run("rules", "recalibrate", "rules/gate.yaml")

    _, out, _ = run("feedback", "right", *given)
    assert "right (it was false)" in out
    told = of_json(run("rules", "recalibrate", "rules/gate.yaml", "--json"))
    assert (told["version"], told["feedback"]["right"], told["feedback"]["blamed_keywords"]) == (5, [one], [])

    assert run("feedback", "withdraw", "site.yaml", one)[0] == 0
    assert of_json(run("feedback", "list", "site.yaml", "--json")) == []
    told = of_json(run("rules", "recalibrate", "rules/gate.yaml", "--json"))
    assert (told["version"], told["feedback"]) == (6, None)
    assert "feedback:" not in Path("rules/gate.yaml").read_text()


def test_mistakes_are_told_and_change_nothing(run: Run) -> None:
    one = raised(run)["no-carts"]
    before = sorted(Path().rglob("*"))
    for arguments, said in (
        (("false", "site.yaml", "0" * 32), f"there is no alert {'0' * 32} in "),
        (("false", "site.yaml", "gate"), "'gate' is no alert's id"),
        (("false", "site.yaml", one, "--alerts", "alerts.txt", "--rule", "dog"), "cites no-carts, not dog"),
        (("withdraw", "site.yaml", one), f"nothing was said of alert {one}"),
        (("list", "site.yaml", "--camera", "yard"), "no camera of the id 'yard'"),
    ):
        code, _, err = run("feedback", *arguments)
        assert (code, said in err) == (2, True), err
    assert run("rules", "recalibrate", "rules/none.yaml")[0] == 2
    assert sorted(Path().rglob("*")) == before
