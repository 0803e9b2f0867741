"""`eval perception`: captioners compared on the same frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.output import JsonFlag, emit_json, say
from streamproc.errors import ConfigError


def perception(
    clips: Annotated[list[str], typer.Argument(metavar="CLIPS...", help="Video files, or patterns in quotes.")],
    preset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A preset whose captioner describes the clips, or the path of one of your own; again for another.",
        ),
    ] = None,
    captions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Captions that were recorded, lines of {video, frame, label, caption}; again for another.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='What is there: lines of {"clip": "01", "frame": 60, "objects": ["bicycle|bike"], "actions": '
            '["ride|cycle"]} (.jsonl), or .csv with semicolons between entries. Words that mean the same are joined by '
            "a bar.",
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="A site file: its captioner is the first, and windows are measured by its calibration."),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="With --site: the camera's id in it.")] = None,
    every: Annotated[float, typer.Option(min=0.0, metavar="S", help="Seconds from one moment to the next.")] = 1.0,
    json: JsonFlag = False,
) -> None:
    """Have captioners describe the same frames, and compare what they say.

    All are given the windows of the site's camera, or of the first preset. Told are: objects and actions found, against
    labels where there are some, and named where they are not there; how far two captioners agree in nouns, in verbs and
    in the number of people; length; time a caption; and failures, which live would be unknown windows.
    """
    from streamproc.backtest.perceiving import compare_captioners

    if (site is None) != (camera is None):
        raise ConfigError("--site and --camera go together")
    report = compare_captioners(
        clips,
        presets=preset or (),
        recorded=captions or (),
        site=site,
        camera=camera,
        labels=labels,
        every_s=every,
    )
    if json:
        emit_json(report.as_dict())
    else:
        say(str(report))
