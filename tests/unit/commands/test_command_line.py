"""The command line as a shell knows it: exit codes, what is on standard output, what a mistake is told with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from streamproc import cli
from streamproc.alerts import tail as tail_module
from streamproc.config import KafkaSinkSettings
from streamproc.errors import DeliveryError, ModelLoadError, StageError
from streamproc.learn import Learned
from streamproc.models.catalog import CATALOG
from streamproc.site import load_site
from streamproc.testing_sources import write_clip, write_pictures
from streamproc.testing_wiring import FakeBackends, write_rules, write_site

MARKED = "marked-Geheim77"
START = "2026-11-21T08:00:00Z"


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, logging_as_it_was: None
) -> Run:
    """Runs ``streamproc`` with arguments, in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["streamproc", *map(str, arguments)])
        for stream in ("stdout", "stderr"):
            monkeypatch.setattr(sys, stream, getattr(sys, stream))  # a broken pipe has them replaced
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return call


def commands(app: typer.Typer, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command there is, by its words."""
    group: Any = typer.main.get_command(app)
    for word in path:
        group = group.commands[word]
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(app, *path, name)
        yield (*path, name), command


# ---- help


def test_every_command_says_what_it_is_for_and_what_its_options_mean(run: Run) -> None:
    found = dict(commands(cli.app))
    assert {" ".join(words) for words in found} == {
        "init", "probe", "check", "induce", "rules", "rules lint", "rules history", "rules diff", "rules rollback",
        "rules recalibrate", "rules backtest", "feedback", "feedback right", "feedback false", "feedback withdraw",
        "feedback list", "eval", "eval captions", "eval table", "eval reasoning", "eval video", "eval cross",
        "eval perception", "run",
        "replay", "alerts", "alerts tail", "normality", "normality show",
        "eval images", "eval visa-dr", "inspect", "inspect images", "inspect enrol", "inspect train", "inspect explain",
        "inspect instructions", "inspect train-answers", "inspect export", "inspect projector",
        "models", "models list", "models pull", "models check", "plan", "demo",
    }  # fmt: skip
    for words, command in found.items():
        ran = run(*words, "--help")
        assert ran.code == 0
        assert (command.help or "").strip().endswith("."), words
        first = command.help.strip().splitlines()[0].split()[:3]
        assert " ".join(first) in ran.out, words
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{words}: {parameter.name}"


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["-h"], 0), ([], 2), (["models"], 2)])
def test_help_where_it_is_asked_for_or_nothing_is(run: Run, arguments: list[str], code: int) -> None:
    ran = run(*arguments)
    assert ran.code == code
    assert "Usage: streamproc" in ran.out + ran.err


def test_the_version(run: Run) -> None:
    assert run("--version").out.startswith("streamproc 0.")


# ---- exit codes


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (StageError(f"camera rtsp://u:{MARKED}@h did not end"), 1, "error: camera rtsp://***@h did not end\n"),
        (ModelLoadError("nanodet could not be fetched"), 1, "error: nanodet could not be fetched\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(32, "Broken pipe"), 1, ""),
    ],
)
def test_failures_are_one_sentence_and_an_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def fails(_: object) -> int:
        raise error

    monkeypatch.setattr("streamproc.running.run_site", fails)
    assert run("run", "site.yaml") == Ran(code, "", said)


def test_a_command_that_ends_well_exits_with_what_it_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Path] = []

    def runs(path: Path) -> int:
        given.append(path)
        return 0

    monkeypatch.setattr("streamproc.running.run_site", runs)
    assert run("run", "configs/site.yaml") == Ran(0, "", "")
    assert given == [Path("configs/site.yaml")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run"],
        ["check", "no.yaml"],
        ["run", "no.yaml"],
        ["replay", "no.yaml", "--camera", "gate", "--video", "x.mp4"],
        ["induce", "no.yaml", "--camera", "gate", "--clips", "x.mp4"],
        ["rules", "lint", "no.yaml"],
        ["models", "pull", "nonsense"],
        ["probe", "no.mp4"],
        ["probe", "clip.mp4", "--transport", "quic"],
        ["probe", "clip.mp4", "--seconds", "0"],
        ["probe", "http://10.0.0.5/1"],
        ["probe", ""],
        ["demo", "--minutes", "soon"],
    ],
)
def test_the_operators_mistakes_exit_with_2_and_print_nothing_for_programs(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert ran.out == "" or arguments[:2] == ["rules", "lint"]
    assert ran.err.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ["probe", f"rtsp://admin:{MARKED}@10.0.0.5/1"],
        ["probe", f"rtsp://10.0.0.5/1?user=a&password={MARKED}"],
        ["init", "--camera", f"gate=rtsp://admin:{MARKED}@10.0.0.5/1"],
        ["init", "--camera", f"rtsp://admin:{MARKED}@10.0.0.5/1"],
        ["check", "site.yaml", f"rtsp://admin:{MARKED}@10.0.0.5/1"],
        ["replay", "--start", f"rtsp://admin:{MARKED}@10.0.0.5/1"],
        [f"--nonsense=rtsp://admin:{MARKED}@10.0.0.5/1"],
    ],
)
def test_a_literal_password_is_refused_with_the_remedy_and_never_repeated(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert "an address must not hold a password" in ran.err
    assert "rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@host/path" in ran.err
    assert MARKED not in ran.out + ran.err
    assert list(tmp_path.iterdir()) == []


# ---- init, probe, check


def test_init_writes_a_file_that_loads_and_tells_what_comes_next(run: Run, tmp_path: Path) -> None:
    ran = run("init", "--camera", "gate=rtsp://${U}:${P}@10.0.0.5/1", "--kafka", "a:9092", "--kafka", "b:9092")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "wrote configs/site.yaml",
        "next: streamproc probe 'rtsp://${U}:${P}@10.0.0.5/1'",
        "      streamproc induce configs/site.yaml --camera gate --clips 'normal/*.mp4'",
    ]
    settings = load_site(tmp_path / "configs" / "site.yaml").settings
    assert settings.alerts.sinks[0].kind == "kafka"
    again = run("init", "--camera", "yard=clip.mp4")
    assert (again.code, again.out) == (2, "")
    assert "is there already" in again.err
    assert load_site(tmp_path / "configs" / "site.yaml").settings == settings
    assert run("init", "--camera", "yard=clip.mp4", "--force").code == 0


def test_init_writes_the_schema_that_the_file_names_beside_it(run: Run, tmp_path: Path) -> None:
    assert run("init", "my/site.yaml").code == 0
    first = (tmp_path / "my" / "site.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=site.schema.json"
    schema = json.loads((tmp_path / "my" / "site.schema.json").read_text())
    assert "cameras" in schema["properties"]


@pytest.mark.parametrize("host", ["kafka-1", "10.0.0.7", "[fe80::1]"])
def test_init_takes_the_usual_port_of_a_broker_and_says_so(run: Run, tmp_path: Path, host: str) -> None:
    ran = run("init", "--kafka", host)
    assert f"--kafka {host} names no port: {host}:9092 is taken" in ran.out
    (sink,) = load_site(tmp_path / "configs" / "site.yaml").settings.alerts.sinks
    assert isinstance(sink, KafkaSinkSettings)
    assert sink.bootstrap_servers == (f"{host}:9092",)


@pytest.mark.parametrize("host", ["fe80::1", "kafka:port", "a b", "kafka:9092,other:9092"])
def test_init_says_how_a_broker_is_written(run: Run, tmp_path: Path, host: str) -> None:
    ran = run("init", "--kafka", host)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("--kafka takes HOST:PORT")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("camera", ["gate", "gate=", "=clip.mp4"])
def test_init_says_how_a_camera_is_written(run: Run, tmp_path: Path, camera: str) -> None:
    ran = run("init", "--camera", camera)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("--camera takes ID=ADDRESS")
    assert list(tmp_path.iterdir()) == []


def test_init_without_flags_writes_a_file_to_start_from(run: Run, tmp_path: Path) -> None:
    assert run("init", "my.yaml").code == 0
    assert load_site(tmp_path / "my.yaml").settings.cameras[0].main.startswith("rtsp://${CAMERA_USER}")


def test_probe_tells_people_and_programs_what_a_recording_holds(run: Run, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", count=20, size=(64, 48))
    ran = run("probe", "clip.mp4", "--seconds", "1")
    assert ran.code == 0
    assert "h264" in ran.out
    assert (tmp_path / "probe.jpg").stat().st_size > 100
    report = run("probe", "clip.mp4", "--json", "--out", "x.png").json
    assert (report["codec"], report["width_px"], report["height_px"]) == ("h264", 64, 48)
    assert report["frame"] == "x.png"


def test_probe_of_a_folder_of_pictures(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures")
    assert run("probe", "pictures", "--json").json["codec"] == "png"


@pytest.mark.parametrize("empty", [True, False])
def test_probe_of_what_is_no_video_is_a_failure_in_words(run: Run, tmp_path: Path, empty: bool) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "nonsense.mp4").write_text("this is no video")
    ran = run("probe", "folder" if empty else "nonsense.mp4")
    assert (ran.code, ran.out) == (1, "")
    assert ("holds no .png" if empty else "not a video") in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "probe.jpg").exists()


def test_probe_says_which_credential_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATE_PASSWORD", raising=False)
    ran = run("probe", "rtsp://admin:${GATE_PASSWORD}@127.0.0.1:1/x")
    assert ran.code == 2
    assert "environment variable GATE_PASSWORD is not set" in ran.err


def test_check_tells_people_and_programs(run: Run, tmp_path: Path) -> None:
    write_rules(tmp_path / "rules" / "gate.yaml")
    site = write_site(tmp_path)
    ran = run("check", site)
    assert ran.code == 0
    assert ran.out.startswith("site site, pipeline embedded: ok\n")
    page = run("check", site, "--json").json
    assert page["ok"] is True
    assert page["cameras"][0]["id"] == "gate"


def test_check_tells_faults_to_people_and_programs(run: Run, tmp_path: Path) -> None:
    site = write_site(tmp_path, "gate", "yard")
    ran = run("check", site)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 2
    ran = run("check", site, "--json")
    assert ran.code == 2
    assert ran.json["ok"] is False
    assert [fault["field"] for fault in ran.json["faults"]] == ["cameras.0.rules", "cameras.1.rules"]
    assert ran.json["faults"][0]["path"] == str(site)


# ---- induce, rules lint, models


def test_induce_tells_people_and_programs_what_was_learned(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, str, list[str], Path | None]] = []

    def learn(site: Path, camera: str, clips: list[str], out: Path | None) -> Learned:
        asked.append((site, camera, clips, out))
        return Learned(Path("r.yaml"), Path("r.normality.json"), 2, 3, 14, 40.0, 39.0, 0.5, "none", ("look",))

    monkeypatch.setattr("streamproc.learn.learn", learn)
    flags = ["induce", "site.yaml", "--camera", "gate", "--clips", "a*.mp4", "--clips", "b.mp4"]
    ran = run(*flags)
    assert ran.code == 0
    assert "r.yaml, version 2: 3 normal, 14 anomaly" in ran.out
    assert ran.out.endswith("note: look\n")
    page = run(*flags, "--out", "x.yaml", "--json").json
    assert (page["rules"], page["version"], page["notes"]) == ("r.yaml", 2, ["look"])
    assert asked == [
        (Path("site.yaml"), "gate", ["a*.mp4", "b.mp4"], None),
        (Path("site.yaml"), "gate", ["a*.mp4", "b.mp4"], Path("x.yaml")),
    ]


def test_lint_tells_findings_with_lines_and_exits_2_for_what_would_not_load(run: Run, tmp_path: Path) -> None:
    good = write_rules(tmp_path / "good.yaml")
    odd = write_rules(tmp_path / "odd.yaml")
    odd.write_text(odd.read_text().replace("[walk]", "[the]"))
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("says: normal", "says: maybe"))
    assert run("rules", "lint", good) == Ran(0, "1 file(s), 0 finding(s)\n", "")
    weak = write_rules(tmp_path / "weak.yaml")
    weak.write_text(weak.read_text().replace("id: people-hurry", "id: people-hurry, weight: 0.3"))
    ran = run("rules", "lint", weak)
    assert (ran.code, ran.out) == (0, "1 file(s), 1 finding(s)\n")
    hint = "raise no alert by themselves, only with others (alarm from 0.50 on): people-hurry"
    assert ran.err == f"{weak}: info: rules: {hint}\n"
    ran = run("rules", "lint", odd)
    assert ran.code == 0
    assert f"{odd}:6:" in ran.err
    ran = run("rules", "lint", good, bad)
    assert ran.code == 2
    assert f"{bad}:6:" in ran.err
    ran = run("rules", "lint", good, odd, bad, "--json")
    assert ran.code == 2
    assert [(Path(one["path"]).name, one["level"], one["line"]) for one in ran.json] == [
        ("odd.yaml", "warning", 6),
        ("bad.yaml", "error", 6),
    ]


def test_models_list_tells_people_and_programs_without_fetching(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPROC_CACHE", str(tmp_path / "cache"))
    rows = run("models", "list", "--json").json
    assert [row["name"] for row in rows] == [asset.name for asset in CATALOG]
    assert {row["cached"] for row in rows} == {False}
    assert all(len(row["sha256"]) == 64 and row["licence"] for row in rows)
    said = run("models", "list").out.splitlines()
    assert len(said) == len(CATALOG)
    assert said[0].startswith("nanodet")
    assert "not cached" in said[0]
    assert not (tmp_path / "cache").exists()


def test_models_pull_fetches_what_is_named_or_all_models(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.models.store.ModelStore.ensure", lambda _, name: Path("cache") / name)
    assert run("models", "pull", "vtest").out == "vtest: cache/vtest\n"
    assert [line.partition(":")[0] for line in run("models", "pull").out.splitlines()] == [
        "nanodet",
        "movenet",
        "bge-small",
    ]
    ran = run("models", "pull", "vtest", "nope")
    assert ran.err == f"no model is called nope; there are {', '.join(asset.name for asset in CATALOG)}\n"


# ---- replay


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows_of_a_second: None) -> Path:
    """A site whose recording shows somebody who hurries, in windows of a second."""
    monkeypatch.setattr("streamproc.replay.Backends", lambda *_: FakeBackends(lambda _: "One person hurries."))
    write_clip(tmp_path / "clip.mp4", count=40, size=(64, 48))
    write_rules(tmp_path / "rules" / "gate.yaml")
    return write_site(tmp_path)


def test_replay_prints_json_lines_and_nothing_else_on_standard_output(run: Run, site: Path) -> None:
    ran = run("replay", site, "--camera", "gate", "--video", "clip.mp4", "--start", START)
    assert ran.code == 0
    alerts = [json.loads(row) for row in ran.out.splitlines()]
    assert [alert["data"]["action"] for alert in alerts] == ["open", "resolve"]
    assert alerts[0]["time"] == "2026-11-21T08:00:01.900000Z"
    assert "times real time" in ran.err


def test_replay_draws_the_strongest_moments(run: Run, site: Path) -> None:
    play = ("replay", site, "--camera", "gate", "--video", "clip.mp4", "--start", START)
    sheet = site.parent / "sheet.png"
    alerts = run(*play)
    drawn = run(*play, "--sheet", sheet)
    assert drawn.out == alerts.out
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_replay_explains_each_window_in_place_of_the_alerts(run: Run, site: Path) -> None:
    play = ("replay", site, "--camera", "gate", "--video", "clip.mp4", "--start", START, "--explain")
    ran = run(*play, "--json")
    rows = [json.loads(row) for row in ran.out.splitlines()]
    assert [row["time"][11:19] for row in rows] == ["08:00:00", "08:00:01", "08:00:02", "08:00:03"]
    assert [row["alarm"] for row in rows] == [False, True, True, True]
    assert rows[0]["smoothed"] < rows[0]["threshold"] <= rows[1]["smoothed"]
    assert rows[0]["cited_rules"] == ["people-hurry"]
    assert {vote["voter"]: vote["verdict"] for vote in rows[0]["votes"]}["keyword"] == "anomaly"
    text = run(*play).out
    assert "2026-11-21 08:00:00.9 UTC  no alarm  anomaly: score 0." in text
    assert 'vote      keyword: anomaly (weight 1, cites people-hurry): rule people-hurry is met by "hurries"' in text


def test_replay_says_of_a_window_without_a_verdict_that_it_has_none(
    run: Run, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamproc.line.CameraLine.watch", lambda *_: None)
    play = ("replay", site, "--camera", "gate", "--video", "clip.mp4", "--start", START, "--explain")
    assert run(*play).out.startswith("2026-11-21 08:00:00.9 UTC  not judged: nothing moves\n")
    row = json.loads(run(*play, "--json").out.splitlines()[0])
    assert (row["time"], row["reason"][:10]) == ("2026-11-21T08:00:00.900000+00:00", "not judged")


def test_several_recordings_are_replayed_one_after_the_other(run: Run, site: Path) -> None:
    write_clip(site.parent / "more.mp4", count=40, size=(64, 48))
    ran = run("replay", site, "--camera", "gate", "--video", "[cm]*.mp4", "--start", START)
    alerts = [json.loads(row) for row in ran.out.splitlines()]
    assert [(alert["data"]["action"], alert["time"][17:19]) for alert in alerts] == [
        ("open", "01"), ("resolve", "03"), ("open", "05"), ("resolve", "07"),
    ]  # fmt: skip
    assert len({alert["data"]["alert_id"] for alert in alerts}) == 2
    told = [line.partition(": 4 windows")[0] for line in ran.err.splitlines() if "not_calibrated" not in line]
    assert told == ["clip.mp4", "more.mp4"]
    none = run("replay", site, "--camera", "gate", "--video", "x*.mp4")
    assert (none.code, none.out) == (2, "")
    assert "--video 'x*.mp4' names no file" in none.err


def test_the_explanation_tells_what_a_rule_weighs(run: Run, site: Path) -> None:
    rules = site.parent / "rules" / "gate.yaml"
    play = ("replay", site, "--camera", "gate", "--video", "clip.mp4", "--start", START, "--explain")
    in_full, text = run(*play).out, rules.read_text(encoding="utf-8")
    assert "  rule      people-hurry: Somebody hurries here. (anomaly)\n" in in_full
    rules.write_text(text.replace("id: people-hurry", "id: people-hurry, weight: 0.9"), encoding="utf-8")
    less = run(*play).out
    assert "  rule      people-hurry: Somebody hurries here. (anomaly, weight 0.9)\n" in less
    assert 'rule people-hurry (weight 0.9) is met by "hurries"' in less
    assert 'rule people-hurry is met by "hurries"' in in_full


@pytest.mark.parametrize(
    ("start", "time"),
    [
        (None, "1970-01-01T00:00:01.900000Z"),
        ("2026-11-21T09:00:00+01:00", "2026-11-21T08:00:01.900000Z"),
        ("2026-11-21 08:00Z", "2026-11-21T08:00:01.900000Z"),
    ],
)
def test_replay_begins_when_it_is_told_to(run: Run, site: Path, start: str | None, time: str) -> None:
    flags = [] if start is None else ["--start", start]
    ran = run("replay", site, "--camera", "gate", "--video", "clip.mp4", *flags)
    assert json.loads(ran.out.splitlines()[0])["time"] == time


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("tomorrow", "'tomorrow' is not a time; write e.g. 2026-11-21T08:00:00Z"),
        ("2026-13-01T00:00:00Z", "is not a time"),
        ("", "is not a time"),
        ("2026-11-21T08:00:00", "has no time zone; add Z for UTC or an offset"),
        ("2026-11-21", "has no time zone"),
        ("0001-01-01T00:00:00+14:00", "is not a time"),
    ],
)
def test_replay_says_how_a_start_is_written(run: Run, site: Path, start: str, said: str) -> None:
    ran = run("replay", site, "--camera", "gate", "--video", "clip.mp4", "--start", start)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.startswith("--start: ")


def test_a_reader_that_goes_away_ends_a_command_quietly(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "streamproc.cli", "models", "list"]
    environ = {**os.environ, "STREAMPROC_CACHE": str(tmp_path)}
    ran = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environ, timeout=60, check=False)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, b"")


# ---- alerts tail


@pytest.fixture
def tailed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[KafkaSinkSettings, dict[str, Any]]]:
    """What the topic was asked for; it holds two messages."""
    asked: list[tuple[KafkaSinkSettings, dict[str, Any]]] = []

    def read(settings: KafkaSinkSettings, **options: Any) -> Iterator[dict[str, Any]]:
        asked.append((settings, options))
        return iter([{"id": "a-1"}, {"id": "a-2"}])

    monkeypatch.setattr(tail_module, "tail", read)
    return asked


def test_tail_prints_json_lines(run: Run, tailed: list[tuple[KafkaSinkSettings, dict[str, Any]]]) -> None:
    ran = run("alerts", "tail", "--bootstrap", "a:9092,b:9092", "--from-beginning", "--no-follow", "--json")
    assert [json.loads(row) for row in ran.out.splitlines()] == [{"id": "a-1"}, {"id": "a-2"}]
    ((settings, options),) = tailed
    assert (settings.bootstrap_servers, settings.alerts_topic) == (("a:9092", "b:9092"), "streamproc.alerts")
    assert options == {"from_beginning": True, "follow": False}


def test_tail_reads_where_the_site_file_sends(
    run: Run, tmp_path: Path, tailed: list[tuple[KafkaSinkSettings, dict[str, Any]]]
) -> None:
    sinks = "alerts: {sinks: [{kind: jsonl}, {kind: kafka, bootstrap_servers: [k:1], alerts_topic: mine}]}\n"
    site = write_site(tmp_path, more=sinks)
    assert run("alerts", "tail", site, "--json").code == 0
    assert (tailed[0][0].bootstrap_servers, tailed[0][0].alerts_topic) == (("k:1",), "mine")
    assert tailed[0][1] == {"from_beginning": False, "follow": True}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "takes either a site file or --bootstrap"),
        (["--topic", "x"], "takes either a site file or --bootstrap"),
        (["--bootstrap", ""], "takes either a site file or --bootstrap"),
        (["--bootstrap", "a:1,,b:1"], "takes either a site file or --bootstrap"),
        (["site.yaml", "--bootstrap", "a:1"], "in place of a site file"),
        (["site.yaml", "--topic", "x"], "in place of a site file"),
        (["site.yaml"], "holds no kafka sink; its alerts are JSON lines in a file: tail -F "),
        (["no.yaml"], "no such file"),
    ],
)
def test_tail_says_what_is_wrong_with_its_flags(
    run: Run,
    tmp_path: Path,
    tailed: list[tuple[KafkaSinkSettings, dict[str, Any]]],
    arguments: list[str],
    said: str,
) -> None:
    write_site(tmp_path)
    ran = run("alerts", "tail", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert tailed == []


def test_tail_of_a_broker_that_is_away_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> Iterator[dict[str, Any]]:
        raise DeliveryError(f"Kafka at user:x: rtsp://a:{MARKED}@b")

    monkeypatch.setattr(tail_module, "tail", away)
    ran = run("alerts", "tail", "--bootstrap", "a:9092")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: Kafka at user:x: rtsp://***@b\n"
