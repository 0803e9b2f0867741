"""`plan`: how many cores, megabytes and model servers a site of so many cameras needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamproc.commands.output import JsonFlag, emit_json, say
from streamproc.errors import ConfigError

if TYPE_CHECKING:
    from streamproc.planning.asked import Asked, Machine


def register(app: typer.Typer) -> None:
    """Add this module's command to ``app``."""
    app.command("plan")(plan)


def plan(
    cameras: Annotated[int | None, typer.Option(min=1, max=100_000, help="How many cameras.")] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="Preset, or its file; `embedded`, or the site's, if left out.")
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="A site file whose cameras, sub-streams and regions are counted instead.")
    ] = None,
    resolution: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the cameras' main stream.")] = "1280x720",
    fps: Annotated[float, typer.Option(min=0.1, max=120, help="Pictures a second that cameras send.")] = 25.0,
    keyframe_s: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between keyframes.")] = 2.0,
    sub_resolution: Annotated[
        str | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="Of a site's sub-streams; 640x360 if left out."),
    ] = None,
    regions: Annotated[
        int | None,
        typer.Option(min=0, max=1000, help="Inspected regions a camera, one if left out; a site's are counted."),
    ] = None,
    moving: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the time in which something moves; always if left out.")
    ] = None,
    standing_out: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the time in which something stands out; always if left out."),
    ] = None,
    replies_per_s: Annotated[
        float | None, typer.Option(min=1e-6, help="Windows/s one server puts into words, as `models check` tells.")
    ] = None,
    window_s: Annotated[
        float | None,
        typer.Option(min=1e-6, help="In its place: p50 of a window with as many at once as the preset permits."),
    ] = None,
    judge_replies_per_s: Annotated[
        float | None, typer.Option(min=1e-6, help="Windows/s that one server of the deciding language model answers.")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=1, max=64, help="GPUs one server spreads its model over.")] = None,
    cores: Annotated[int | None, typer.Option(min=1, max=4096, help="Of the machine; this one's if left out.")] = None,
    json: JsonFlag = False,
) -> None:
    """Reckon what a site needs, from measured figures: each row says which, and what is assumed.

    Figures are those of the machine they were measured on; measure a site of two cameras on yours before you buy.
    """
    from dataclasses import replace

    from streamproc.planning.asked import Asked, Servers, of_site, parse_stream
    from streamproc.planning.figures import load_figures
    from streamproc.planning.plan import plan as reckon
    from streamproc.site import load_preset, load_site

    if (cameras is None) == (site is None):
        raise ConfigError("plan takes either --cameras N or --site FILE, whose cameras it counts")
    if replies_per_s is not None and window_s is not None:
        raise ConfigError("plan takes either --replies-per-s or --window-s: one follows from the other")
    main = parse_stream(resolution, fps, keyframe_s)
    sub = parse_stream(sub_resolution or "640x360", fps, keyframe_s, "--sub-resolution")
    if site is not None:
        loaded = load_site(site)
        asked = of_site(loaded, load_preset(pipeline) if pipeline else loaded.pipeline, main, sub, _machine(cores))
    else:
        preset = load_preset(pipeline or "embedded")
        asked = Asked(
            preset, cameras or 1, main, _machine(cores), regions=(1 if regions is None else regions) * (cameras or 1)
        )
    captions, judge = Servers(replies_per_s, window_s), Servers(judge_replies_per_s)
    _refuse_idle(
        asked,
        {
            "--replies-per-s": replies_per_s,
            "--window-s": window_s,
            "--judge-replies-per-s": judge_replies_per_s,
            "--gpus": gpus,
            "--regions": regions,
            "--sub-resolution": sub_resolution,
            "--standing-out": standing_out,
        },
    )
    asked = replace(
        asked, moving=moving, standing_out=standing_out, captions=captions, judge=judge, gpus_a_replica=gpus
    )
    found = reckon(asked, load_figures())
    if json:
        emit_json(found.as_dict())
    else:
        say(str(found))


def _refuse_idle(asked: Asked, options: Mapping[str, object]) -> None:
    """Nobody should think that an option which changes nothing was heard."""
    rated = any(options[name] is not None for name in ("--replies-per-s", "--window-s", "--judge-replies-per-s"))
    idle = [(name, why) for name, why in asked.idle_options(rated).items() if options[name] is not None]
    if idle:
        raise ConfigError("; ".join(f"{name} changes nothing here: {why}" for name, why in idle))


def _machine(cores: int | None) -> Machine:
    from streamproc.planning.asked import Machine
    from streamproc.runtime.cores import cores as cores_here

    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    return Machine(cores or cores_here(), memory_mb, given=cores is not None)
