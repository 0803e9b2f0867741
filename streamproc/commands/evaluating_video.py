"""`eval video`: how well a camera that learns from normal clips does on labelled ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamproc.commands.output import JsonFlag, emit_json, say
from streamproc.errors import ConfigError

if TYPE_CHECKING:
    from streamproc.backtest.benchmark import Benchmark
    from streamproc.backtest.video_report import VideoReport
    from streamproc.evaluation.report import Report

_OFFICIAL = "A benchmark's official folder, in place of --train, --test and --labels"
_WHAT = "What runs"


def video(
    train: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Normal clips: video files, or folders of numbered pictures.")
    ] = None,
    test: Annotated[Path | None, typer.Option(metavar="DIR", help="Clips to score.")] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file clip,frame,label (frames from 0, 1 = anomalous).")
    ] = None,
    frame_rate: Annotated[
        float | None, typer.Option(min=0.01, max=1000, help="Frames a second of folders of pictures.")
    ] = None,
    cameras: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help=r"Where clips are of several cameras: what finds the camera in a clip's name, e.g. '^\d+'. Each then "
            "learns from its own normal clips.",
        ),
    ] = None,
    dataset: Annotated[
        Literal["ped2", "avenue", "shanghaitech", "ubnormal"] | None,
        typer.Option(help="Whose folder it is.", rich_help_panel=_OFFICIAL),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder, as unpacked.", rich_help_panel=_OFFICIAL)
    ] = None,
    preset: Annotated[
        str, typer.Option(help="A preset's name, or the path of one of your own.", rich_help_panel=_WHAT)
    ] = "embedded",
    site: Annotated[
        Path | None,
        typer.Option(help="Instead: a site file, whose preset and camera settings are used.", rich_help_panel=_WHAT),
    ] = None,
    camera: Annotated[
        str | None, typer.Option(help="With --site: the camera's id in it.", rich_help_panel=_WHAT)
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Leave what was learned there: site file, rules, calibration; for `replay`."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write scores over time and the ROC to this picture.")] = None,
    json: JsonFlag = False,
) -> None:
    """Learn from normal clips as `induce` does, then play labelled clips as `replay` does, and score every frame.

    Labels are of the test alone. A frame's score is that of the last window that had ended by then: nothing looks
    ahead. What is told of alarms is at the threshold that the normal clips gave.
    """
    from streamproc.backtest.video_evaluation import evaluate_video

    if (site is None) != (camera is None):
        raise ConfigError("--site and --camera go together")
    benchmark = _benchmark(train, test, labels, frame_rate, cameras, dataset, root)
    report = evaluate_video(benchmark, preset=preset, site=site, camera=camera, keep=keep)
    show(report, f"{dataset or test}, preset {report.preset}", plot, json)


def show(report: Report | VideoReport, title: str, plot: Path | None, json: bool) -> None:
    """Print a measurement, and draw it under ``title`` where ``plot`` names a picture."""
    if plot is not None:
        from streamproc.evaluation.plots import draw

        draw(report.scored, report.measures, title, plot)
    if json:
        emit_json(report.as_dict())
    else:
        say(str(report))


def _benchmark(
    train: Path | None,
    test: Path | None,
    labels: Path | None,
    frame_rate: float | None,
    cameras: str | None,
    dataset: Literal["ped2", "avenue", "shanghaitech", "ubnormal"] | None,
    root: Path | None,
) -> Benchmark:
    from streamproc.backtest.benchmark import of_dataset, of_folders

    if dataset and root and not (train or test or labels or frame_rate or cameras):
        return of_dataset(dataset, root)
    if train and test and labels and not (dataset or root):
        return of_folders(train, test, labels, frame_rate=frame_rate, cameras=cameras)
    raise ConfigError("eval video takes either --train, --test and --labels, or --dataset and --root")
