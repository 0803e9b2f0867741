"""`induce`: from normal footage to a rule file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.output import JsonFlag, SiteArgument, emit_json, say


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command("induce")(induce)


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
