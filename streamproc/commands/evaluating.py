"""`eval`: how well rules do on labelled footage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamproc.commands.evaluating_answers import visa_dr
from streamproc.commands.evaluating_perception import perception
from streamproc.commands.evaluating_video import show, video
from streamproc.commands.inspecting_images import evaluate as images
from streamproc.commands.output import JsonFlag, emit_json, say
from streamproc.commands.reasoning import reasoning
from streamproc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamproc.evaluation.captioned import CaptionedVideo
    from streamproc.evaluation.table import Induce
    from streamproc.rules.meaning import Embedder
    from streamproc.types import RuleSet

eval_app = typer.Typer(no_args_is_help=True, help="Measure rules on labelled footage.")

FrameRate = Annotated[
    float, typer.Option(min=0.01, help="Frames a second of the videos; delays and hours are told by it.")
]
Semantic = Annotated[
    bool, typer.Option("--semantic", help="Let meaning vote too, not keywords alone: slower, with the embedding model.")
]


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    eval_app.command("captions")(captions)
    eval_app.command("table")(table)
    eval_app.command("cross")(cross)
    eval_app.command("video")(video)
    eval_app.command("perception")(perception)
    eval_app.command("reasoning")(reasoning)
    eval_app.command("images")(images)
    eval_app.command("visa-dr")(visa_dr)
    app.add_typer(eval_app, name="eval")


def captions(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Lines of {video, frame, label, caption}: .jsonl or .jsonl.gz.")
    ],
    rules: Annotated[
        Path | None, typer.Option(help="The rule file. Videos that it was learned from are left out.")
    ] = None,
    variant: Annotated[
        Literal["ours", "base-causal", "base", "full"],
        typer.Option(
            help="ours: the rules. For comparison, AnomalyRuler's published keywords: base and full as published "
            "(they look at the whole video before they score), base-causal from the past alone."
        ),
    ] = "ours",
    include_sources: Annotated[
        bool, typer.Option("--include-sources", help="Score the videos that the rules were learned from too.")
    ] = False,
    semantic: Semantic = False,
    frame_rate: FrameRate = 25.0,
    plot: Annotated[Path | None, typer.Option(help="Write scores over time and the ROC to this picture.")] = None,
    json: JsonFlag = False,
) -> None:
    """Score captions of labelled videos, frame by frame, and measure what the rules tell apart.

    What is told of alarms (accuracy, precision, recall, events, delay, false alarms) is at the threshold that the
    rule file was calibrated to, else at the pipeline's own.
    """
    from streamproc.config import DeductionSettings
    from streamproc.evaluation.report import evaluate

    report = evaluate(
        file,
        rules,
        variant,
        DeductionSettings(),
        frame_rate=frame_rate,
        include_sources=include_sources,
        embedder=_embedder() if semantic and variant == "ours" else None,
    )
    show(report, f"{report.captions}, {variant}", plot, json)


def table(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Captions, a file a set.")],
    seeds: Annotated[int, typer.Option(min=1, help="How often to learn from two other videos.")] = 5,
    semantic: Semantic = False,
    json: JsonFlag = False,
) -> None:
    """Learn rules from two random videos of each set and score the others, beside AnomalyRuler's published keywords.

    They are learned as by `induce --captions FILE --seed N`, N from 0 on: from ten captions of normal frames, without a
    language model. All are scored on the same captions. A difference is in AUROC, in points, with its 95 % bootstrap
    interval over videos; over seeds where a set has fewer than ten videos.
    """
    from streamproc.config import DeductionSettings
    from streamproc.evaluation.captioned import load_captioned
    from streamproc.evaluation.table import compare

    embedder = _embedder()
    induce, voting = _inducing(embedder), embedder if semantic else None
    compared = []
    for file in files:
        compared.append(compare(_name(file), load_captioned(file), induce, range(seeds), DeductionSettings(), voting))
        if not json:
            say(f"{compared[-1]}\n")
    if json:
        emit_json(compared)


def cross(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Captions, a file a set; two or more.")],
    seeds: Annotated[int, typer.Option(min=1, help="How often to learn from two other videos.")] = 5,
    semantic: Semantic = False,
    json: JsonFlag = False,
) -> None:
    """Learn rules from two random videos of each set and score every set by them, beside the published keywords.

    A row a set that was learned from, as in `eval table`, a column a set that was scored: AUROC of ours, the mean over
    seeds, and in points what it has over the published keywords, scored from the past alone on the same videos, with
    the 95 % bootstrap interval over videos.
    """
    from streamproc.config import DeductionSettings
    from streamproc.evaluation.captioned import load_captioned
    from streamproc.evaluation.cross import cross as crossing

    sets = {_name(file): load_captioned(file) for file in files}
    if len(sets) < 2:
        raise ConfigError("eval cross takes two sets or more, in files of different names")
    embedder = _embedder()
    voting = embedder if semantic else None
    crossed = crossing(sets, _inducing(embedder), range(seeds), DeductionSettings(), voting)
    if json:
        emit_json(crossed)
    else:
        say(str(crossed))


def _inducing(embedder: Embedder) -> Induce:
    """Rules from captions, as `induce --captions` without a language model learns them."""
    from streamproc.captions_induction import induce_from_captions

    def induce(videos: Sequence[CaptionedVideo], seed: int) -> RuleSet:
        normal = {video.name: video.normal() for video in videos}
        return induce_from_captions(normal, seed=seed, embedder=embedder).rule_set()

    return induce


def _name(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".jsonl")


def _embedder() -> Embedder:
    from streamproc.models.sentences import SentenceEmbedder
    from streamproc.models.store import ModelStore

    # So many sentences that a set is embedded once, however often it is scored.
    return SentenceEmbedder(ModelStore().ensure("bge-small"), cache_size=65_536)
