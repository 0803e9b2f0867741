"""`inspect export` and `inspect projector`: published weights in the forms that are served."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.output import say
from streamproc.errors import ConfigError

_EXTRA = "pip install 'streamproc[inspection]'"


def export(
    weights: Annotated[
        Path, typer.Argument(metavar="FILE", help="Of an expert: the published .pth, or expert.pt of `inspect train`.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the ONNX file goes.")] = Path("expert.onnx"),
) -> None:
    """Write an expert as the ONNX file that --expert and `inspection.expert.path` take.

    The published weights belong to one LLaVA-OneVision's tower each, and the file does not say to which: tell
    `inspect images` and the others by --backbone siglip:MODEL.
    """
    _require("torch", "onnx")
    from streamproc.inspection.checkpoint import load_expert
    from streamproc.inspection.export import export_expert

    expert = load_expert(weights)
    try:
        export_expert(expert, out)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error
    header = expert.header
    say(f"{out}: reads {header.backbone} {header.revision or '(any revision)'}, {header.channels} channels")


def projector(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A LLaVA-OneVision's folder or hub id.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where it goes.")] = Path("projector.npz"),
) -> None:
    """Take out of a LLaVA-OneVision what `inspect explain --projector` needs of it.

    Its projector, its newline and the embedding of the words of doubt: 7 MB of the 0.5B model, 70 MB of the 7B one.
    """
    _require("torch", "safetensors")
    from streamproc.inspection.answers.extract import extract_projector

    written = extract_projector(model, out)
    say(f"{out}: reads tokens of {written.channels} channels")


def _require(*packages: str) -> None:
    if absent := [name for name in packages if find_spec(name) is None]:
        raise ConfigError(f"this needs {', '.join(absent)}: {_EXTRA}")
