"""`inspect enrol`: how a camera's regions and objects look when they are as they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.output import JsonFlag, emit_json, note, say


def enrol(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="The site's YAML file.")],
    camera: Annotated[str, typer.Option(help="The camera's id in the site file.")],
    clips: Annotated[
        list[str], typer.Option(help="Normal footage: files or a quoted glob, e.g. 'normal/*.mp4'. May be repeated.")
    ],
    json: JsonFlag = False,
) -> None:
    """Learn how a camera's regions and objects look when they are as they should be; `induce` does it as well.

    Writes some pictures of each beside the rule file. A site that runs reads them when it is started again.
    """
    from streamproc.enrolment import enrol as learn
    from streamproc.inspection.scale import few

    report = learn(site, camera, clips)
    for thing, pictures in report.pictures.items():
        if (words := few(pictures)) is not None:
            note(f"warning: {thing}: {words}")
    if json:
        emit_json(report.as_dict())
    else:
        say(str(report))
