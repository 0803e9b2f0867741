"""`inspect train-answers`: a model that explains what the expert finds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.bars import bars
from streamproc.commands.output import say
from streamproc.errors import ConfigError

_HOW = "How it learns"


def train_answers(
    conversations: Annotated[
        Path, typer.Argument(metavar="CONVERSATIONS", help="JSON Lines, as `inspect instructions` writes them.")
    ],
    model: Annotated[Path, typer.Option(metavar="DIR", help="A LLaVA-OneVision to begin with, in transformers' form.")],
    expert: Annotated[
        Path, typer.Option(metavar="FILE", help="Weights of an expert for its tower: the published .pth, or expert.pt.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the model goes, with its projector.npz, the state and history.")
    ],
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the pictures' paths begin; beside CONVERSATIONS if left out."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW, help="The paper has 1.")] = 1,
    batch: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW, help="Conversations a step.")] = 128,
    rate: Annotated[float, typer.Option(min=0, rich_help_panel=_HOW, help="Highest learning rate.")] = 1e-5,
    projector_only: Annotated[
        bool, typer.Option("--projector-only", rich_help_panel=_HOW, help="The language model stays as it is.")
    ] = False,
    save_every: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW, help="Steps between two saves.")] = 50,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=_HOW, help="Of the order.")] = 0,
    threads: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW, help="Cores to use.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", rich_help_panel=_HOW, help="Go on where OUT stopped.")] = False,
) -> None:
    """Train LLaVA-OneVision to speak of what an expert selects: Anomaly-OV's stage 2.

    Its projector and language model learn, its tower and the expert stay as they are. A training that was cut short
    goes on with --resume to the same end. On one GPU where there is one, else on the processor.
    """
    if absent := [name for name in ("torch", "transformers", "safetensors") if find_spec(name) is None]:
        raise ConfigError(f"training needs {', '.join(absent)}: pip install 'streamproc[inspection]'")
    import hashlib

    from streamproc.inspection.instructions.conversations import read_conversations
    from streamproc.inspection.tuning.speaker import Speaker
    from streamproc.inspection.tuning.tune import HISTORY, MODEL, Settings, tune

    data = read_conversations(conversations)
    speaker = Speaker(model, expert, images or conversations.parent, language=not projector_only, threads=threads)
    read = (conversations, expert, model / "config.json")
    digests = (hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in read)
    about = f"conversations {next(digests)}, expert {next(digests)}, model {next(digests)}"
    settings = Settings(epochs=epochs, batch=batch, rate=rate, save_every=save_every, seed=seed)
    with bars() as told:
        steps = tune(speaker, data, f"{about}{', projector only' * projector_only}", settings, out, told, resume=resume)
    say(f"{out / MODEL}: {len(steps)} steps over {len(data)} conversations")
    if steps:
        say((out / HISTORY).read_text().splitlines()[-1])
