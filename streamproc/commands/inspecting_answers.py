"""`inspect explain`: what is wrong with a thing, why, and how to prevent it, by a vision-language model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.bars import bars
from streamproc.commands.inspecting_images import (
    BackboneName,
    ExpertFile,
    SidePx,
    Threads,
    inspection_parts,
    warn_of_few,
)
from streamproc.commands.output import JsonFlag, emit_json, note, say
from streamproc.commands.servers import checked
from streamproc.errors import ConfigError, ModelError


def explain(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="Of one thing.")],
    server: Annotated[str, typer.Option(metavar="URL", help="An OpenAI-compatible API: http://gpu1:8000/v1.")],
    model: Annotated[str, typer.Option(metavar="NAME", help="A vision-language model, as the server lists it.")],
    thing: Annotated[str, typer.Option(help="What it is, in words: 'a valve'.")] = "a thing",
    api_key: Annotated[str | None, typer.Option(metavar="${NAME}", help="Where the key is; never the key.")] = None,
    normal: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures of it as it should be, two or more.")
    ] = None,
    expert: ExpertFile = None,
    projector: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="As `inspect projector` writes it: send what the expert selects as tokens. Needs --backbone "
            "siglip:MODEL of the model served, an expert of its tower, and vLLM with --enable-mm-embeds.",
        ),
    ] = None,
    backbone: BackboneName = "dinov2-s",
    side_px: SidePx = None,
    threads: Threads = 1,
    json: JsonFlag = False,
) -> None:
    """Score a picture, and have a model say what is not as it should be, why, and how to prevent it.

    It is shown the picture and where it was looked at hardest; with --projector, the tokens that Anomaly-OV's expert
    selects. It explains; the score is not its own.
    """
    from streamproc.inspected import learned
    from streamproc.inspection.answers.explainer import Explainer
    from streamproc.inspection.answers.routes import Found, make_route
    from streamproc.inspection.answers.settings import AnswersSettings
    from streamproc.inspection.fused import Inspector
    from streamproc.inspection.reading import read_picture
    from streamproc.modelserver import ModelServer
    from streamproc.runtime.clock import SystemClock

    if projector is not None and expert is None:
        raise ConfigError("--projector needs --expert: what is sent are the tokens that it selects")
    asked = {"base_url": server, "model": model, "api_key": api_key}
    by = {} if projector is None else {"route": {"kind": "embeds", "projector": projector}}
    settings = checked(AnswersSettings, asked | by, {"base_url": "server"})
    route = make_route(settings.route)
    warn_of_few(normal)
    encoder, known = inspection_parts(backbone, side_px, threads, expert)
    if projector is not None and known is not None and known.close_ups == 1:
        raise ConfigError(
            f"--projector needs an expert of close-ups, as the published ones; {expert} is of one picture"
        )
    with bars() as tell:
        inspector = Inspector(encoder, learned(normal, encoder, known, "knn", tell))
    pixels = read_picture(picture)
    features = inspector.look(pixels)
    opinions = inspector.judge(features)
    found = Found(pixels, opinions.score, thing, features, opinions.reading)
    with closing(ModelServer(settings, SystemClock())) as client:
        try:
            said = Explainer(client, settings, route).explain(found)
        except ModelError:
            note(f"score {opinions.score.value:.2f}; not explained:")
            raise
    if json:
        emit_json(said)
        return
    say(f"score {said.score:.2f} ({said.doubt} suspicious); {model}: {'yes' if said.there else 'no'}")
    for question, answer in (("what", said.what), ("why", said.why), ("prevention", said.prevention)):
        say(f"{question}: {answer or '-'}")
