"""`induce`: from normal footage to a rule file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamproc.commands.output import JsonFlag, emit_json, say
from streamproc.errors import ConfigError

if TYPE_CHECKING:
    from streamproc.learn import Learned
    from streamproc.learn_captions import LearnedFromCaptions

_CAPTIONS = "From captions"


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command("induce")(induce)


def induce(
    site: Annotated[
        Path | None, typer.Argument(metavar="SITE", help="The site's YAML file, e.g. configs/site.yaml.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="The camera's id in the site file.")] = None,
    clips: Annotated[
        list[str] | None,
        typer.Option(help="Normal footage: files or a quoted glob, e.g. 'normal/*.mp4'. May be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The rule file; where the site file expects it if left out.")] = None,
    captions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Instead of clips: captioned frames, .jsonl or .jsonl.gz.", rich_help_panel=_CAPTIONS
        ),
    ] = None,
    videos: Annotated[
        str, typer.Option(metavar="A,B,…", help="Its videos to learn from; two drawn.", rich_help_panel=_CAPTIONS)
    ] = "",
    references: Annotated[
        int, typer.Option(min=1, max=1000, help="Captions that rules are read from.", rich_help_panel=_CAPTIONS)
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of every choice.", rich_help_panel=_CAPTIONS)] = 0,
    preset: Annotated[
        str | None, typer.Option(help="Preset that says what learns; no model.", rich_help_panel=_CAPTIONS)
    ] = None,
    site_id: Annotated[
        str | None, typer.Option(help="The rule file's site; the file's name.", rich_help_panel=_CAPTIONS)
    ] = None,
    camera_id: Annotated[
        str | None, typer.Option(help="The rule file's camera; the file's name.", rich_help_panel=_CAPTIONS)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Learn what is normal on a camera: writes its rule file and, beside it, its calibration.

    A rule file that is there already is merged with: what people edited stays. With `--captions` rules are learned from
    captions of frames labelled normal, without a site and without a calibration.
    """
    from streamproc.rules.schema import RuleSetModel
    from streamproc.schemas import write_beside

    report: Learned | LearnedFromCaptions
    if captions is not None:
        if site or camera or clips:
            raise ConfigError("--captions goes without SITE, --camera and --clips")
        report = _from_captions(captions, videos, references, seed, out, preset, site_id, camera_id)
    elif site and camera and clips:
        from streamproc.learn import learn

        report = learn(site, camera, clips, out)
    else:
        raise ConfigError("induce needs SITE, --camera and --clips, or --captions")
    write_beside(report.rules, RuleSetModel)
    if json:
        emit_json(report.as_dict())
    else:
        say(str(report))


def _from_captions(
    file: Path,
    videos: str,
    references: int,
    seed: int,
    out: Path | None,
    preset: str | None,
    site_id: str | None,
    camera_id: str | None,
) -> LearnedFromCaptions:
    from streamproc.learn_captions import learn_captions, slug_of
    from streamproc.site import load_preset

    names = [name for name in (part.strip() for part in videos.split(",")) if name]
    own = slug_of(file)
    path = out or Path(f"{own}.yaml")
    settings = load_preset(preset) if preset else None
    return learn_captions(file, names, references, seed, path, site_id or own, camera_id or own, settings)
