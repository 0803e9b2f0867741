"""`induce` and `rules`: from normal footage to a rule file, and what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.output import MISTAKE, JsonFlag, SiteArgument, emit_json, note, say

rules_app = typer.Typer(no_args_is_help=True, help="Look after rule files.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command("induce")(induce)
    rules_app.command("lint")(lint)
    app.add_typer(rules_app, name="rules")


def induce(
    site: SiteArgument,
    camera: Annotated[str, typer.Option(help="The camera's id in the site file.")],
    clips: Annotated[
        list[str], typer.Option(help="Normal footage: files or a quoted glob, e.g. 'normal/*.mp4'. May be repeated.")
    ],
    out: Annotated[Path | None, typer.Option(help="The rule file; where the site file expects it if left out.")] = None,
    json: JsonFlag = False,
) -> None:
    """Learn what is normal on a camera: writes its rule file and, beside it, its calibration.

    A rule file that is there already is merged with: what people edited stays.
    """
    from streamproc.learn import learn
    from streamproc.rules.schema import RuleSetModel
    from streamproc.schemas import write_beside

    report = learn(site, camera, clips, out)
    write_beside(report.rules, RuleSetModel)
    if json:
        emit_json(report.as_dict())
    else:
        say(str(report))


def lint(
    files: Annotated[list[Path], typer.Argument(help="Rule files.")],
    json: JsonFlag = False,
) -> None:
    """Check rule files, with line numbers; exits 2 if one would not load."""
    from streamproc.rules.lint import lint as look

    findings = [finding for path in files for finding in look(path)]
    if json:
        emit_json(findings)
    else:
        for finding in findings:
            note(str(finding))
        say(f"{len(files)} file(s), {len(findings)} finding(s)")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(MISTAKE)
