"""`streamproc eval video`: learns from normal clips as `induce` does, plays others as `replay` does, and measures."""

from __future__ import annotations

import glob
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from streamproc.backtest.benchmark import Benchmark
from streamproc.backtest.chosen import chosen
from streamproc.backtest.labels import Recording
from streamproc.backtest.located import Locating
from streamproc.backtest.player import Player, misfits, playable, preset_from_anywhere, seen
from streamproc.backtest.speed import time_models
from streamproc.backtest.video import Heed
from streamproc.backtest.video_report import CameraReport, Score, VideoReport
from streamproc.errors import ConfigError
from streamproc.evaluation.metrics import ScoredVideo, measure, sklearn_metrics
from streamproc.learn import Learned, learn
from streamproc.replay import Judged, load_backends
from streamproc.runtime.spent import Spent
from streamproc.scaffold import Scaffold
from streamproc.site import load_site


def evaluate_video(
    benchmark: Benchmark,
    *,
    preset: str = "embedded",
    site: Path | None = None,
    camera: str | None = None,
    keep: Path | None = None,
    score: Score = "verdict",
    masks: Path | None = None,
    heed: Heed = lambda *_: None,
) -> VideoReport:
    """Learn each camera's normal, without a label, and score its test clips from their past alone.

    ``preset`` is what runs, or the settings of one ``camera`` of a ``site``. What was learned is left in ``keep``.
    ``score`` is told first; ``masks`` is a folder of what is anomalous where; ``heed`` is told of each window.

    Raises:
        ConfigError: clips or settings do not fit, or ``keep`` holds something.
        SourceError: a clip cannot be read.
        ModelError: a model cannot be had, or failed.
    """
    sklearn_metrics()  # what is missing is told before anything is looked at
    groups = benchmark.by_camera()
    locating = Locating(masks) if masks is not None else None
    recordings = {clip: seen(clip, benchmark.frame_rate) for clip in (*benchmark.test, *benchmark.held_out)}
    notes = [note for clip, labels in benchmark.test.items() for note in misfits(recordings[clip], labels)]
    done, learning_took_s, test_took_s = [], 0.0, 0.0

    def heard(recording: Recording, at_s: float, judged: Judged) -> None:
        heed(recording, at_s, judged)
        if locating is not None:
            locating.heed(recording, at_s, judged)

    with _folder(keep) as folder:
        ids = list(groups) if camera is None else [camera]
        if len(ids) != len(groups):
            raise ConfigError(f"--camera is one camera, and the clips are of {len(groups)}")
        path = site or _site(folder, ids, preset, benchmark)
        loaded = load_site(path)
        with load_backends(loaded) as backends:
            player = Player(path, loaded, backends, Spent(), recordings)
            time_models(backends, player.spent)
            for one, group in zip(ids, groups.values(), strict=True):
                began_s = time.monotonic()
                learned = _learn(path, one, group, folder)
                tested_s = time.monotonic()
                learning_took_s += tested_s - began_s
                notes += [note for note in learned.notes if str(learned.rules) not in note]
                rules = replace(chosen(learned.rules), name=one)
                outcome = player.play(rules, one, group, group.test, heard)
                quiet = player.play(rules, one, group, None) if group.held_out else None
                test_took_s += time.monotonic() - tested_s
                notes += outcome.notes
                done.append(CameraReport(one, len(group.normal), learned, outcome, quiet))
    pictures = [len(recordings[clip].times_s) for clip in benchmark.test]
    frame_rate = sum(pictures) / sum(recordings[clip].duration_s for clip in benchmark.test)
    scored_by = _scored(done)
    threshold: Mapping[Score, float] = {"verdict": max(one.outcome.threshold for one in done), "novelty": 1.0}
    return VideoReport(
        preset=loaded.pipeline.name,
        cameras=tuple(done),
        score=score,
        by_score={name: measure(videos, threshold[name], frame_rate) for name, videos in scored_by.items()},
        scored_by=scored_by,
        located={} if locating is None else locating.found,
        ms=_together([(one.outcome.ms, sum(len(video.labels) for video in one.outcome.scored)) for one in done]),
        learning_took_s=learning_took_s,
        test_took_s=test_took_s,
        notes=tuple(dict.fromkeys(notes)),
    )


def _learn(site: Path, camera: str, group: Benchmark, folder: Path) -> Learned:
    with tempfile.TemporaryDirectory(prefix="streamproc-eval-") as films:
        normal = [playable(clip, group.frame_rate, Path(films)) for clip in group.normal]
        return learn(site, camera, [glob.escape(str(clip)) for clip in normal], folder / "rules" / f"{camera}.yaml")


def _scored(done: Sequence[CameraReport]) -> Mapping[Score, tuple[ScoredVideo, ...]]:
    """All cameras' clips, by either score; verdicts with their own camera's threshold where there are several."""
    return {
        "verdict": tuple(
            replace(video, threshold=one.outcome.threshold if len(done) > 1 else None)
            for one in done
            for video in one.outcome.scored
        ),
        "novelty": tuple(video for one in done for video in one.outcome.novelty),
    }


def _together(parts: Sequence[tuple[Mapping[str, float], int]]) -> Mapping[str, float]:
    """Milliseconds a frame by part, over cameras with so many frames each."""
    names = dict.fromkeys(name for ms, _ in parts for name in ms)
    count = sum(frames for _, frames in parts)
    return {name: sum(ms.get(name, 0.0) * frames for ms, frames in parts) / max(count, 1) for name in names}


def _site(folder: Path, ids: Sequence[str], preset: str, benchmark: Benchmark) -> Path:
    """A site file of its own: with what is learned it can be kept, and replayed."""
    path = folder / "site.yaml"
    first, rate = benchmark.normal[0].absolute(), benchmark.frame_rate
    address = f"{first}?fps={rate:g}" if first.is_dir() and rate is not None else str(first)
    Scaffold("evaluation", tuple((one, address) for one in ids), pipeline=preset_from_anywhere(preset)).write(path)
    return path


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="streamproc-eval-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise ConfigError(f"--keep {keep} holds something already: what is learned must not mix with it")
    except OSError as error:
        raise ConfigError(f"--keep {keep} cannot be written: {error.strerror}") from None
    yield keep
