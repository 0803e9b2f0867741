"""`normality`: what a camera's calibration holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.output import JsonFlag, emit_json, note, say

normality_app = typer.Typer(no_args_is_help=True, help="Look at what was measured of normal footage.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    normality_app.command("show")(show)
    # With a single command Typer would leave its name out.
    normality_app.callback()(_group)
    app.add_typer(normality_app, name="normality")


def _group() -> None:
    pass


def show(
    target: Annotated[
        Path, typer.Argument(metavar="SITE|FILE", help="The site's YAML file, a rule file, or a .normality.json.")
    ],
    camera: Annotated[str | None, typer.Option(help="With SITE: the camera's id; needless where it has one.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Where to write the picture; named after the calibration.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Show what normal is on a camera, as `induce` measured it: a picture, and the numbers.

    The picture: normal speed by place, where things move, how long things stay, and what is known by its look.
    """
    from streamproc.showing.found import find
    from streamproc.showing.page import drawn, write
    from streamproc.showing.words import as_dict, sections

    named = find(target, camera)
    path = out or Path(named.file.with_suffix(".png").name)
    write(drawn(named.calibration, named.doubt), path)
    if json:
        emit_json({**as_dict(named.calibration, named.doubt), "file": named.file, "picture": path})
        return
    for heading, lines in sections(named.calibration, named.doubt):
        for number, line in enumerate(lines):
            say(f"{'' if number else heading:<14}{line}")
    note(f"wrote {path}")
