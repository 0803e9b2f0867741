"""`rules`: what is in rule files, what changed in them, and what they would have raised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamproc.commands.output import MISTAKE, JsonFlag, coloured, emit_json, note, say
from streamproc.commands.watching import parse_start
from streamproc.errors import ConfigError

if TYPE_CHECKING:
    from streamproc.backtest.outcome import Backtest
    from streamproc.rules.diff import Diff
    from streamproc.rules.lint import Finding

RulesArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A rule file, e.g. rules/gate.yaml.")]
_FRAME_RATE = 25.0

rules_app = typer.Typer(no_args_is_help=True, help="Look after rule files.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    for command in (lint, history, diff, rollback, recalibrate, backtest):
        rules_app.command(command.__name__)(command)
    app.add_typer(rules_app, name="rules")


def lint(
    files: Annotated[list[Path], typer.Argument(help="Rule files.")],
    json: JsonFlag = False,
) -> None:
    """Check rule files, with line numbers; exits 2 if one would not load."""
    from streamproc.rules.lint import lint as look

    findings = [finding for path in files for finding in (*look(path), *_hints(path))]
    if json:
        emit_json(findings)
    else:
        for finding in findings:
            note(str(finding))
        say(f"{len(files)} file(s), {len(findings)} finding(s)")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(MISTAKE)


def _hints(path: Path) -> list[Finding]:
    """What raises no alert by itself, with the voters' usual weights."""
    from streamproc.camera_rules import hints
    from streamproc.config import DeductionSettings
    from streamproc.rules.lint import Finding
    from streamproc.rules.schema import load_rules

    try:
        rules, usual = load_rules(path), DeductionSettings()
    except ConfigError:
        return []
    score = max(usual.alarm_score, rules.alarm_score or 0.0)
    if not (found := hints(rules, usual.weights, score)):
        return []
    said = f"raise no alert by themselves, only with others (alarm from {score:.2f} on): {', '.join(found)}"
    return [Finding("info", str(path), None, None, "rules", said)]


def history(file: RulesArgument, json: JsonFlag = False) -> None:
    """List the versions of a rule file, oldest first: when each was written, how, and what it changed.

    Each `induce`, `recalibrate` and `rollback` keeps what it replaces, and `run` what it takes over, your edits
    included, in `.history` beside the file (the last 50). An edit keeps its version's number; its hash, which alerts
    tell, is its own.
    """
    from streamproc.rules.versions import told

    rows = told(file)
    if json:
        emit_json(rows)
        return
    for row in rows:
        say(str(row))


def diff(
    file: RulesArgument,
    other: Annotated[Path | None, typer.Argument(metavar="[OTHER]", help="The rule file to compare it with.")] = None,
    version: Annotated[
        str | None, typer.Option(metavar="N", help="The earlier version to compare it with, from `rules history`.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Show how FILE differs from OTHER, from an earlier version, or (with neither) from the version before, by rule.

    `+` added, `-` removed, `~` changed, `>` switched on, `x` switched off; below a rule its changed fields, old -> new.
    """
    from streamproc.rules.versions import since

    if other is not None and version is not None:
        raise ConfigError("rules diff takes another file or --version, not both")
    changes = since(file, other, version)
    if json:
        emit_json(changes.as_dict())
        return
    say(f"{changes.old.name} (version {changes.old.version}) -> {changes.new.name} (version {changes.new.version})")
    _show(changes)


def rollback(
    file: RulesArgument,
    version: Annotated[str, typer.Option(metavar="N", help="The version to put back, from `rules history`.")],
    json: JsonFlag = False,
) -> None:
    """Put an earlier version back, with its calibration, under a new number; the present one stays in the history.

    A running pipeline takes it over within 2 s, like any edit.
    """
    from streamproc.rollback import roll_back

    done = roll_back(file, version)
    if json:
        emit_json(done.as_dict())
        return
    say(f"{file}: version {done.restored} is back, as version {done.version}")
    if done.changes is not None:
        _show(done.changes)
    for one in done.notes:
        note(f"note: {one}")


def recalibrate(
    file: RulesArgument,
    site: Annotated[
        Path | None, typer.Option(help="The site file, where its preset's weights or alarm score are its own.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    json: JsonFlag = False,
) -> None:
    """Take what operators said of alerts (`streamproc feedback`) into FILE, as its next version.

    Keywords that raised false alarms and no right alert weigh less; the alarm's threshold moves above what false alarms
    still score, but no alert that was right is given up. A running pipeline takes it over within 2 s; `rules rollback`
    undoes it.
    """
    from streamproc.feedback.recalibrating import recalibrate as take_in
    from streamproc.site import load_site

    done = take_in(file, None if site is None else load_site(site).pipeline.deduction, dry_run=dry_run)
    if json:
        emit_json(done.as_dict())
        return
    told = done.feedback
    said = "no feedback" if told is None else f"{len(told.right)} right, {len(told.false_alarms)} false"
    nothing = "nothing would change" if dry_run else "nothing changed"
    would_be = "as it would be, nothing was written" if dry_run else f"version {done.version}"
    say(f"{file}: {said}; " + (nothing if done.changes is None else would_be))
    if done.changes is not None:
        _show(done.changes)
    for one in done.notes:
        note(f"note: {one}")


def _show(changes: Diff) -> None:
    for line, colour in changes.lines():
        say(coloured(line, colour))


def backtest(
    rules: Annotated[Path, typer.Argument(metavar="RULES", help="The rule file to try; it need not be the site's.")],
    site: Annotated[
        Path | None, typer.Option(help="The site file; its settings and the camera's zones are used.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="The camera's id in the site file.")] = None,
    video: Annotated[
        list[str] | None,
        typer.Option(help="Recorded footage: files or a quoted glob, e.g. 'archive/*.mp4'. May be repeated."),
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(help="In place of footage: lines of {video, frame, label, caption}, .jsonl or .jsonl.gz."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="With --video: a CSV file clip,frame,label (frames from 0, 1 = anomalous); tells AUROC."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="OTHER", help="Another rule file, or an earlier version from `rules history`, beside it."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the first recording began, e.g. 2026-11-21T08:00:00Z; for hours."),
    ] = None,
    semantic: Annotated[
        bool, typer.Option("--semantic", help="With --captions: let meaning vote too, not keywords alone.")
    ] = False,
    frame_rate: Annotated[
        float, typer.Option(min=0.01, help="With --captions: frames a second of the videos; hours are told by it.")
    ] = _FRAME_RATE,
    html: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write a contact sheet of the moments, pictures included.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Tell what RULES would have raised on recorded footage: alerts by hour and by rule, false alarms an hour.

    Footage is played as `replay` plays it, so what is raised is what a live run would have raised. Without labels all
    of it is taken to be normal. Captions of videos that the rules were learned from are left out. Nothing is sent.
    """
    from streamproc.backtest.run import write_page

    if bool(video) == (captions is not None):
        raise ConfigError("rules backtest takes either --video or --captions")
    if captions is not None:
        done = _on_captions(rules, captions, site, against, frame_rate, semantic, labels, start)
    else:
        done = _on_video(rules, site, camera, video or [], labels, against, start, pictures=html is not None)
    if html is not None:
        write_page(done, html)
        note(f"wrote {html}")
    if json:
        emit_json(done.as_dict())
    else:
        say(str(done))


def _on_video(
    rules: Path,
    site: Path | None,
    camera: str | None,
    video: list[str],
    labels: Path | None,
    against: str | None,
    start: str | None,
    *,
    pictures: bool,
) -> Backtest:
    from streamproc.backtest.run import backtest_video

    if site is None or camera is None:
        raise ConfigError("rules backtest --video needs --site SITE and --camera ID: the camera's zones and settings")
    began = None if start is None else parse_start(start)
    return backtest_video(rules, site, camera, video, labels=labels, against=against, start=began, pictures=pictures)


def _on_captions(
    rules: Path,
    captions: Path,
    site: Path | None,
    against: str | None,
    frame_rate: float,
    semantic: bool,
    labels: Path | None,
    start: str | None,
) -> Backtest:
    from streamproc.backtest.run import backtest_captions

    if labels is not None or start is not None:
        raise ConfigError("--labels and --start go with --video: captions bring labels, and tell no time")
    return backtest_captions(rules, captions, fps=frame_rate, site=site, against=against, semantic=semantic)
