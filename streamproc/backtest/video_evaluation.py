"""`streamproc eval video`: learns from normal clips as `induce` does, plays others as `replay` does, and measures."""

from __future__ import annotations

import glob
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from streamproc.backtest.benchmark import Benchmark
from streamproc.backtest.chosen import chosen
from streamproc.backtest.films import film_of
from streamproc.backtest.labels import Labels, Recording, look_at
from streamproc.backtest.progress import progress
from streamproc.backtest.video import Footage, run_on_video
from streamproc.backtest.video_report import CameraReport, VideoReport
from streamproc.errors import ConfigError
from streamproc.evaluation.metrics import measure, sklearn_metrics
from streamproc.learn import learn
from streamproc.scaffold import Scaffold
from streamproc.site import load_site
from streamproc.sources.folder import pictures_in


def evaluate_video(
    benchmark: Benchmark,
    *,
    preset: str = "embedded",
    site: Path | None = None,
    camera: str | None = None,
    keep: Path | None = None,
) -> VideoReport:
    """Learn each camera's normal, without a label, and score its test clips from their past alone.

    ``preset`` is what runs, or the settings of one ``camera`` of a ``site``. What was learned is left in ``keep``.

    Raises:
        ConfigError: clips or settings do not fit, or ``keep`` holds something.
        SourceError: a clip cannot be read.
        ModelError: a model cannot be had, or failed.
    """
    sklearn_metrics()  # what is missing is told before anything is looked at
    groups = benchmark.by_camera()
    recordings = {clip: _seen(clip, benchmark.frame_rate) for clip in benchmark.test}
    notes = [note for clip, labels in benchmark.test.items() for note in _misfits(recordings[clip], labels)]
    done, learning_took_s, test_took_s = [], 0.0, 0.0
    with _folder(keep) as folder:
        ids = list(groups) if camera is None else [camera]
        if len(ids) != len(groups):
            raise ConfigError(f"--camera is one camera, and the clips are of {len(groups)}")
        path = site or _site(folder, ids, preset, benchmark)
        loaded = load_site(path)
        for one, group in zip(ids, groups.values(), strict=True):
            began_s = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="streamproc-eval-") as films:
                normal = [_playable(clip, group.frame_rate, Path(films)) for clip in group.normal]
                learned = learn(
                    path, one, [glob.escape(str(clip)) for clip in normal], folder / "rules" / f"{one}.yaml"
                )
            tested_s = time.monotonic()
            learning_took_s += tested_s - began_s
            notes += [note for note in learned.notes if str(learned.rules) not in note]
            with tempfile.TemporaryDirectory(prefix="streamproc-eval-") as films:
                test = {_playable(clip, group.frame_rate, Path(films)): clip for clip in group.test}
                played = tuple(replace(recordings[clip], path=film) for film, clip in test.items())
                labels = {film: group.test[clip] for film, clip in test.items()}
                footage = Footage(path, one, loaded.camera(one).timezone, played, labels, None)
                with progress(sum(recording.duration_s for recording in played)) as advance:
                    rules = replace(chosen(learned.rules), name=one)
                    outcome = run_on_video(rules, footage, advance, pictures=False)
            test_took_s += time.monotonic() - tested_s
            notes += outcome.notes
            done.append(CameraReport(one, len(group.normal), learned, outcome))
    return _report(loaded.pipeline.name, done, list(recordings.values()), learning_took_s, test_took_s, notes)


def _report(
    preset: str,
    done: Sequence[CameraReport],
    recordings: Sequence[Recording],
    learning_took_s: float,
    test_took_s: float,
    notes: Sequence[str],
) -> VideoReport:
    scored = tuple(
        replace(video, threshold=one.outcome.threshold if len(done) > 1 else None)
        for one in done
        for video in one.outcome.scored
    )
    pictures = sum(len(recording.times_s) for recording in recordings)
    frame_rate = pictures / sum(recording.duration_s for recording in recordings)
    busy_s = [len(video.labels) / one.outcome.fps for one in done for video in one.outcome.scored if one.outcome.fps]
    return VideoReport(
        preset=preset,
        cameras=tuple(done),
        measures=measure(scored, max(one.outcome.threshold for one in done), frame_rate),
        scored=scored,
        fps=sum(len(video.labels) for video in scored) / sum(busy_s) if busy_s else None,
        learning_took_s=learning_took_s,
        test_took_s=test_took_s,
        notes=tuple(dict.fromkeys(notes)),
    )


def _seen(clip: Path, frame_rate: float | None) -> Recording:
    if not clip.is_dir() or frame_rate is None:
        return look_at(clip)
    return Recording(clip, tuple(index / frame_rate for index in range(len(pictures_in(clip)))))


def _misfits(recording: Recording, labels: Labels) -> Iterator[str]:
    count = len(recording.times_s)
    if beyond := sum(frame >= count for frame in labels):
        yield f"{recording.path.name}: {beyond} labels are of frames after its last ({count - 1}), and are left out"
    if unknown := sum(frame not in labels for frame in range(count)):
        yield f"{recording.path.name}: {unknown} of its {count} frames have no label, and are not scored"


def _playable(clip: Path, frame_rate: float | None, films: Path) -> Path:
    if not clip.is_dir() or frame_rate is None:
        return clip
    return film_of(clip, frame_rate, films)


def _site(folder: Path, ids: Sequence[str], preset: str, benchmark: Benchmark) -> Path:
    """A site file of its own: with what is learned it can be kept, and replayed."""
    named = Path(preset).absolute() if Path(preset).suffix in (".yaml", ".yml") else preset
    path = folder / "site.yaml"
    first, rate = benchmark.normal[0].absolute(), benchmark.frame_rate
    address = f"{first}?fps={rate:g}" if first.is_dir() and rate is not None else str(first)
    Scaffold("evaluation", tuple((one, address) for one in ids), pipeline=str(named)).write(path)
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
