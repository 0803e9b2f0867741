"""Pictures of a test: how scores run beside the labels, and the ROC."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamproc.errors import ConfigError
from streamproc.evaluation.metrics import Measures, ScoredVideo, sklearn_metrics

_COLUMNS = 4
_PANEL_IN = (3.6, 1.3)
_ROC_IN = 4.0


def draw(videos: Sequence[ScoredVideo], measures: Measures, title: str, path: Path) -> None:
    """Write a picture to ``path``: the ROC, then a panel a video with its score over its frames, anomalous ones shaded
    and the threshold dashed.

    Raises:
        ConfigError: matplotlib is not installed, or the picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure  # without pyplot: no window system, nothing global
    except ImportError:
        raise ConfigError("plots need matplotlib: pip install 'streamproc[evaluation]'") from None
    rows = -(-len(videos) // _COLUMNS)
    height = _ROC_IN + rows * _PANEL_IN[1]
    figure = Figure(figsize=(_COLUMNS * _PANEL_IN[0], height), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(_ROC_IN, rows * _PANEL_IN[1])).ravel()
    figure.suptitle(title)
    _roc(above.subplots(1, 1), videos, measures)
    panels = below.subplots(rows, _COLUMNS, squeeze=False, sharey=True).ravel()
    most = max([1.0, *(score for video in videos for score in video.scores)])
    for panel, video in zip(panels, videos, strict=False):
        _over_time(panel, video, measures.threshold, most)
    for panel in panels[len(videos) :]:
        panel.set_axis_off()
    try:
        figure.savefig(path, dpi=100)
    except (OSError, ValueError) as error:  # the latter: a kind of file that it does not know
        raise ConfigError(f"{path} cannot be written: {error}") from None


def _roc(axes: Any, videos: Sequence[ScoredVideo], measures: Measures) -> None:
    axes.set(xlabel="share of normal frames that alarm", ylabel="share of anomalous frames that alarm", aspect="equal")
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    if measures.auroc is None:
        axes.set_title("no ROC: all frames are of one kind", fontsize=10)
        return
    labels = [label for video in videos for label in video.labels]
    scores = [score for video in videos for score in video.scores]
    false_alarms, hits, _ = sklearn_metrics().roc_curve(labels, scores)
    axes.plot(false_alarms, hits, color="C0")
    axes.set_title(f"AUROC {measures.auroc:.3f}, AP {measures.ap:.3f}", fontsize=10)


def _over_time(axes: Any, video: ScoredVideo, threshold: float, most: float) -> None:
    frames = range(len(video.scores))
    axes.fill_between(frames, 0, most, where=[bool(y) for y in video.labels], step="mid", color="C3", alpha=0.25, lw=0)
    axes.plot(frames, video.scores, color="C0", linewidth=0.8)
    axes.axhline(threshold if video.threshold is None else video.threshold, color="0.4", linewidth=0.6, linestyle="--")
    axes.set_ylim(0, most)
    axes.set_title(video.name, fontsize=7, pad=2)
    axes.tick_params(labelsize=6)
