"""`inspect images` and `eval images`: pictures of one thing, held against normal ones and by an expert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamproc.commands.bars import bars
from streamproc.commands.output import JsonFlag, emit_json, note, say

if TYPE_CHECKING:
    from streamproc.inspection.nouns import Backbone
    from streamproc.inspection.serving import OnnxExpert

ExpertFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="An exported expert, which needs no normal pictures; `shipped` for the package's own."
    ),
]
BackboneName = Annotated[
    str,
    typer.Option(
        "--backbone",
        metavar="NAME",
        help="The encoder: dinov2-s, efficientnet-lite0, or siglip:MODEL, the vision tower of a LLaVA-OneVision by "
        "its folder or hub id.",
    ),
]
SidePx = Annotated[
    int | None,
    typer.Option(
        min=14,
        help="Edge of the squares that pictures become, a multiple of 14 (efficientnet-lite0: of 32); 224 if left out, "
        "siglip's own. Encoding costs its square.",
    ),
]
KindOption = Annotated[
    Literal["knn", "subspace"],
    typer.Option(help="knn: how far the nearest known place is; subspace: what the known ones' directions leave over."),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the encoder.")]


def images(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures of one thing; folders below it too.")],
    normal: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures of it as it should be, two or more; 16 are plenty.")
    ] = None,
    heatmaps: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write each picture here, with where it is not as it should be.")
    ] = None,
    expert: ExpertFile = None,
    kind: KindOption = "knn",
    backbone: BackboneName = "dinov2-s",
    side_px: SidePx = None,
    threads: Threads = 1,
    json: JsonFlag = False,
) -> None:
    """Score pictures: 0.5 is the threshold that the normal ones set, or the expert's own.

    Prints CSV, or JSON: image, score, whether it is a defect (1), by whom, memory, expert. The last two are each one's
    own times of its threshold: 0 at the median of the normal pictures, 1 where it speaks of a defect; without --normal
    the expert's threshold is a score of 0.5. With both, the score is not their mean: the memory's distances, raised
    where the expert sees more than in what is normal. The threshold is strict: 1 or 2 of 100 normal pictures reach it,
    and about a third of the defects; sort by score to see what comes next.

    A picture that cannot be read is told of and left out, and the command ends with 1.
    """
    from streamproc.inspected import as_csv, inspect_folder

    warn_of_few(normal)
    encoder, asked = inspection_parts(backbone, side_px, threads, expert)
    unread: list[str] = []
    with bars() as tell:
        rows = inspect_folder(
            directory, normal, encoder, asked, kind=kind, heatmaps=heatmaps, tell=tell, unread=unread.append
        )
    if json:
        emit_json(rows)
    else:
        say(as_csv(rows).rstrip("\n"))
    for words in unread:
        note(f"error: {words}")
    if unread:
        raise typer.Exit(1)


def evaluate(
    directory: Annotated[Path, typer.Option("--images", metavar="DIR", help="Where the labels' paths begin.")],
    labels: Annotated[
        Path, typer.Option(metavar="FILE", help="CSV: image,label and, where known, mask,class; label 1 is a defect.")
    ],
    shots: Annotated[int, typer.Option(min=0, help="Normal pictures to learn from; 0 asks the expert alone.")] = 16,
    seeds: Annotated[int, typer.Option(min=1, help="How often the normal pictures are drawn anew.")] = 5,
    expert: ExpertFile = None,
    kind: KindOption = "knn",
    backbone: BackboneName = "dinov2-s",
    side_px: SidePx = None,
    threads: Threads = 1,
    json: JsonFlag = False,
) -> None:
    """Learn from a few pictures of label 0, score all others, and measure what is told apart.

    Measures are anomalib's: over images AUROC, average precision and the best F1; over pixels, where there are masks,
    AUROC and AUPRO; false_alarms and caught are the shares of normal and of other pictures that reach the threshold.
    Classes that hold normal and other pictures are things of their own, each with a memory; classes of one label are
    kinds of defects of one thing.
    """
    from streamproc.evaluation.images import evaluate_images
    from streamproc.evaluation.labelled_images import load_labels

    labelled = load_labels(directory, labels)
    encoder, asked = inspection_parts(backbone, side_px, threads, expert)
    with bars() as tell:
        report = evaluate_images(labelled, encoder, asked, shots=shots, seeds=seeds, kind=kind, tell=tell)
    if json:
        emit_json(report)
    else:
        say(str(report))


def inspection_parts(
    backbone: str, side_px: int | None, threads: int, expert: Path | None
) -> tuple[Backbone, OnnxExpert | None]:
    """The encoder and, where one is named, an expert of its features.

    Raises:
        ConfigError: there is no such encoder, the edge does not fit it, or no expert for it comes with the package.
        ModelLoadError: a file does not load, or the expert was trained on another encoder.
    """
    from streamproc.inspection.backbones.opening import open_backbone
    from streamproc.inspection.serving import OnnxExpert
    from streamproc.inspection.shipped import expert_file

    encoder = open_backbone(backbone, side_px, threads)
    return encoder, None if expert is None else OnnxExpert(expert_file(expert, encoder.name), encoder)


def warn_of_few(normal: Path | None) -> None:
    """Say on standard error where the pictures under ``normal`` are few for a threshold.

    Raises:
        ConfigError: there are none.
    """
    from streamproc.inspected import pictures_in
    from streamproc.inspection.scale import few

    if normal is not None and (words := few(len(pictures_in(normal)))) is not None:
        note(f"warning: {normal}: {words}")
