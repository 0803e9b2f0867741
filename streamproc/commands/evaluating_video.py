"""`eval video`: how well a camera that learns from normal clips does on labelled ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamproc.commands.output import JsonFlag, emit_json, say
from streamproc.errors import ConfigError

if TYPE_CHECKING:
    from streamproc.backtest.benchmark import Benchmark
    from streamproc.backtest.video_report import VideoReport
    from streamproc.evaluation.report import Report

_OFFICIAL = "A benchmark's official folder, in place of --train, --test and --labels"
_WHAT = "What runs"
_LEARNED = "What is learned from (all normal clips if left out)"
_SHOWN = "What is shown"


def video(
    train: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Normal clips: video files, or folders of numbered pictures.")
    ] = None,
    test: Annotated[Path | None, typer.Option(metavar="DIR", help="Clips to score.")] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file clip,frame,label (frames from 0, 1 = anomalous).")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where what is anomalous lies: DIR/CLIP/FRAME.png, frames from 0, black elsewhere. Then it is told in "
            "how many pictures in alarm the place named lies on it.",
        ),
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
    score: Annotated[
        Literal["verdict", "novelty"],
        typer.Option(
            help="What a frame is scored by first: the verdict of rules and measurements, smoothed as alarms are; or "
            "novelty, the measurement that stands out most in times of its threshold, whatever rules say. The AUROC "
            "by the other is told too."
        ),
    ] = "verdict",
    learn_from: Annotated[
        str | None,
        typer.Option(
            metavar="CLIP,…", help="These normal clips alone, by file name, e.g. 01,02.", rich_help_panel=_LEARNED
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Two random normal clips of each camera, N times, and the mean of it; another run draws the same.",
            rich_help_panel=_LEARNED,
        ),
    ] = None,
    held_out: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Play N normal clips too that were not learned from: what is raised there is false.",
            rich_help_panel=_LEARNED,
        ),
    ] = 0,
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
        typer.Option(
            metavar="DIR",
            help="Leave what was learned there: site file, rules, calibration; for `replay`.",
            rich_help_panel=_SHOWN,
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the six strongest moments of each test clip to this picture (PNG): boxes, sentence, rule.",
            rich_help_panel=_SHOWN,
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write scores over time and the ROC to this picture.", rich_help_panel=_SHOWN)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Learn from normal clips as `induce` does, then play labelled clips as `replay` does, and score every frame.

    Labels are of the test alone. A frame's score is that of the last window that had ended by then: nothing looks
    ahead. What is told of alarms is at the threshold that the normal clips gave.
    """
    from streamproc.backtest.draws import DrawsReport
    from streamproc.backtest.sheet import Sheet
    from streamproc.backtest.split import drawn, holding_out, learning_from
    from streamproc.backtest.video_evaluation import evaluate_video

    if (site is None) != (camera is None):
        raise ConfigError("--site and --camera go together")
    if draws and (keep or sheet or plot or learn_from):
        raise ConfigError("--draws learns several times; --learn-from, --keep, --sheet and --plot are for one")
    benchmark = _benchmark(train, test, labels, frame_rate, cameras, dataset, root)
    if learn_from is not None:
        benchmark = learning_from(benchmark, [name.strip() for name in learn_from.split(",")])
    how: dict[str, Any] = {"preset": preset, "site": site, "camera": camera, "score": score, "masks": masks}
    if draws:
        each = [holding_out(one, held_out) for one in drawn(benchmark, draws)]
        names = tuple(tuple(clip.stem for clip in one.normal) for one in each)
        done = DrawsReport(tuple(evaluate_video(one, **how) for one in each), names)
        emit_json(done.as_dict()) if json else say(str(done))
        return
    moments = Sheet() if sheet else None
    if moments:
        how["heed"] = lambda recording, at_s, judged: moments.add(recording.path, at_s, judged)
    report = evaluate_video(holding_out(benchmark, held_out), keep=keep, **how)
    if moments and sheet:
        moments.write(sheet)
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
