"""`inspect train`: an expert of one's own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from streamproc.commands.bars import bars
from streamproc.commands.inspecting_images import BackboneName
from streamproc.commands.output import say
from streamproc.errors import ConfigError

_HOW = "How it learns"
_SHAPE = "What it becomes"


def train(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the expert goes: expert.pt, expert.onnx, recipe.json, history.")
    ],
    sources: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="`synthetic` (the default), or LAYOUT:DIR, a labelled folder in its set's layout: mvtec, mpdd, "
            "btad, visa, elpv, aitex, bmad, yes-no, head-ct, rendered. May be given several times.",
        ),
    ] = None,
    backbone: BackboneName = "dinov2-s",
    features: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where encoded pictures are kept, 1 MB each; OUT/features if left out."),
    ] = None,
    pictures: Annotated[int, typer.Option(min=2, help="How many pictures `synthetic` draws.")] = 4000,
    held_out: Annotated[int, typer.Option(min=0, help="How many more are drawn to be watched.")] = 400,
    epochs: Annotated[
        int, typer.Option(min=1, rich_help_panel=_HOW, help="The paper has 2, of far more pictures.")
    ] = 20,
    batch: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW, help="Pictures a step.")] = 128,
    rate: Annotated[float, typer.Option(min=0, rich_help_panel=_HOW, help="First learning rate.")] = 1e-4,
    map_weight: Annotated[
        float,
        typer.Option(min=0, rich_help_panel=_HOW, help="Of learning where to look, from masks; 0 as in the paper."),
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=_HOW, help="Of pictures, weights and order.")] = 0,
    threads: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW, help="Cores to use.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", rich_help_panel=_HOW, help="Go on where OUT stopped.")] = False,
    hidden: Annotated[int, typer.Option(min=1, rich_help_panel=_SHAPE, help="Width; the paper's is 512.")] = 512,
    variant: Annotated[
        Literal["released", "paper"],
        typer.Option(rich_help_panel=_SHAPE, help="As the released code, or as the paper."),
    ] = "released",
    look_back: Annotated[
        bool, typer.Option(rich_help_panel=_SHAPE, help="Descriptions know the whole picture.")
    ] = True,
    selector: Annotated[bool, typer.Option(rich_help_panel=_SHAPE, help="Suspicious tokens gather their like.")] = True,
    own_picture: Annotated[
        bool,
        typer.Option(rich_help_panel=_SHAPE, help="How unlike itself a picture is counts as well; not the paper's."),
    ] = False,
) -> None:
    """Train Anomaly-OV's expert on an encoder's features: on drawn defects alone, or on labelled folders.

    Encoded pictures are kept, and a training that was cut short goes on with --resume to the same end.
    """
    # Asked before the hours of work, as the last of them is needed at its end.
    if absent := [name for name in ("torch", "skimage") if find_spec(name) is None]:
        raise ConfigError(f"training needs {', '.join(absent)}: pip install 'streamproc[inspection]'")
    from streamproc.inspection.backbones.opening import open_backbone
    from streamproc.inspection.training.recipe import Recipe, follow
    from streamproc.inspection.training.train import Settings, use_threads

    use_threads(threads)
    recipe = Recipe(
        sources=tuple(sources or ("synthetic",)),
        pictures=pictures,
        held_out=held_out,
        hidden=hidden,
        variant=variant,
        look_back=look_back,
        selector=selector,
        own_picture=own_picture,
        settings=Settings(epochs=epochs, batch=batch, rate=rate, map_weight=map_weight, seed=seed),
    )
    encoder = open_backbone(backbone, threads=threads)
    with bars() as told:
        header = follow(recipe, encoder, out, features or out / "features", told, resume=resume)
    say(f"{out / 'expert.onnx'}: {header.recipe}")
    say((out / "history.jsonl").read_text().splitlines()[-1])
