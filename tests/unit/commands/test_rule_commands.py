"""`rules history|diff|rollback|backtest` as a shell knows them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamproc import cli
from streamproc import replay as replay_module
from streamproc.rules import history
from streamproc.testing_sources import write_clip
from streamproc.testing_wiring import HURRIES, FakeBackends, write_rules, write_site

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, logging_as_it_was: None
) -> Run:
    """Runs ``streamproc rules`` in a folder with two versions of ``gate.yaml``: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    path = write_rules(tmp_path / "gate.yaml")
    history.keep(path, path.read_bytes())
    path.write_text(path.read_text().replace("version: 3", "version: 4").replace("[hurry]", "[hurry, rush]"))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["streamproc", "rules", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def of_json(ran: tuple[int, str, str]) -> Any:
    code, out, _ = ran
    assert code == 0
    return json.loads(out)


def test_a_history_is_listed(run: Run) -> None:
    code, out, _ = run("history", "gate.yaml")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["3", "*"]
    rows = of_json(run("history", "gate.yaml", "--json"))
    assert [(row["version"], row["current"], row["how"], row["changed"]) for row in rows] == [
        (3, False, "by hand", "2 rules"),
        (4, True, "by hand", "1 changed"),
    ]
    assert run("history", "none.yaml")[0] == 2


def test_a_diff_is_told_rule_by_rule_and_is_no_failure(run: Run) -> None:
    code, out, _ = run("diff", "gate.yaml")
    assert code == 0
    assert out.splitlines() == [
        "gate.yaml, version 3 (version 3) -> gate.yaml (version 4)",
        "~ people-hurry [anomaly]: Somebody hurries here.",
        "    keywords: +rush",
        "1 changed",
    ]
    (change,) = of_json(run("diff", "gate.yaml", "--version", "3", "--json"))["rules"]
    assert change["fields"] == [{"field": "keywords", "old": ["hurry"], "new": ["hurry", "rush"]}]
    write_rules(Path("other.yaml"))
    assert of_json(run("diff", "gate.yaml", "other.yaml", "--json"))["old"]["name"] == "other.yaml"
    code, _, err = run("diff", "gate.yaml", "other.yaml", "--version", "3")
    assert (code, err) == (2, "rules diff takes another file or --version, not both\n")


def test_a_terminal_is_told_in_colour_unless_it_wants_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[33m~ people-hurry" not in run("diff", "gate.yaml")[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[33m~ people-hurry" in run("diff", "gate.yaml")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("diff", "gate.yaml")[1]


def test_a_rollback_says_what_it_changed(run: Run) -> None:
    code, out, _ = run("rollback", "gate.yaml", "--version", "3")
    assert code == 0
    assert out.splitlines()[0] == "gate.yaml: version 3 is back, as version 5"
    assert "    keywords: -rush" in out
    assert of_json(run("rollback", "gate.yaml", "--version", "4", "--json"))["version"] == 6
    code, _, err = run("rollback", "gate.yaml", "--version", "9")
    assert code == 2
    assert "no version 9 is kept; there are 3, 4, 5" in err


def test_a_backtest_is_told_written_and_compared(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "Backends", lambda *_: FakeBackends(lambda _: HURRIES))
    write_clip(Path("clip.mp4"), count=60, size=(64, 48))
    site = write_site(Path())
    options = ("--site", site, "--camera", "gate", "--video", "clip.mp4")
    code, out, err = run("backtest", "gate.yaml", *options, "--against", "3", "--html", "sheet.html")
    assert code == 0
    assert "gate.yaml (version 4): 1 alert in 6 s of footage" in out
    assert "raised by gate.yaml, version 3 (version 3) alone: 0" in out
    assert "wrote sheet.html" in err
    assert "data:image/jpeg" in Path("sheet.html").read_text()
    found = of_json(run("backtest", "gate.yaml", *options, "--start", "2026-11-21T08:00:00Z", "--json"))
    assert found["by_hour"] == {"2026-11-21 08:00": 1}
    assert found["false_alarms_per_hour_max"] > found["false_alarms_per_hour"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "takes either --video or --captions"),
        (("--video", "a.mp4", "--captions", "b.jsonl", "--site", "s", "--camera", "c"), "either --video or --captions"),
        (("--video", "a.mp4"), "needs --site SITE and --camera ID"),
        (("--captions", "b.jsonl", "--labels", "l.csv"), "--labels and --start go with --video"),
        (("--video", "a", "--site", "s", "--camera", "c", "--start", "now"), "--start: 'now' is not a time"),
    ],
)
def test_options_that_do_not_go_together_are_told(run: Run, options: tuple[str, ...], said: str) -> None:
    code, _, err = run("backtest", "gate.yaml", *options)
    assert code == 2
    assert said in err
