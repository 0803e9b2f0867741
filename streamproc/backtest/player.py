"""Plays a benchmark's clips, video files and folders of pictures alike, on models that are loaded once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from streamproc.backends import Backends
from streamproc.backtest.benchmark import Benchmark
from streamproc.backtest.chosen import Chosen
from streamproc.backtest.films import film_of
from streamproc.backtest.labels import Labels, Recording, look_at
from streamproc.backtest.outcome import Outcome
from streamproc.backtest.progress import progress
from streamproc.backtest.video import Footage, Heed, run_on_video
from streamproc.runtime.spent import Spent
from streamproc.site import LoadedSite
from streamproc.sources.folder import pictures_in


@dataclass(frozen=True, slots=True)
class Player:
    """Plays clips on a site's models, which are loaded once."""

    path: Path
    loaded: LoadedSite
    backends: Backends
    spent: Spent
    recordings: Mapping[Path, Recording]

    def play(
        self,
        rules: Chosen,
        camera: str,
        group: Benchmark,
        labels: Mapping[Path, Labels] | None,
        heed: Heed = lambda *_: None,
    ) -> Outcome:
        """A camera's labelled clips; without ``labels`` those held out."""
        with tempfile.TemporaryDirectory(prefix="streamproc-eval-") as films:
            clips = {playable(c, group.frame_rate, Path(films)): c for c in (labels or group.held_out)}
            footage = Footage(
                self.path,
                camera,
                self.loaded.camera(camera).timezone,
                tuple(replace(self.recordings[clip], path=film) for film, clip in clips.items()),
                None if labels is None else {film: labels[clip] for film, clip in clips.items()},
                None,
                self.backends,
                self.spent,
            )
            with progress(sum(recording.duration_s for recording in footage.recordings)) as advance:
                return run_on_video(rules, footage, advance, pictures=False, heed=heed)


def seen(clip: Path, frame_rate: float | None) -> Recording:
    """When a clip's pictures were taken; those of a folder come ``frame_rate`` a second."""
    if not clip.is_dir() or frame_rate is None:
        return look_at(clip)
    return Recording(clip, tuple(index / frame_rate for index in range(len(pictures_in(clip)))))


def misfits(recording: Recording, labels: Labels) -> Iterator[str]:
    """What of the labels does not fit the recording, in words."""
    count = len(recording.times_s)
    if beyond := sum(frame >= count for frame in labels):
        yield f"{recording.path.name}: {beyond} labels are of frames after its last ({count - 1}), and are left out"
    if unknown := sum(frame not in labels for frame in range(count)):
        yield f"{recording.path.name}: {unknown} of its {count} frames have no label, and are not scored"


def playable(clip: Path, frame_rate: float | None, films: Path) -> Path:
    """The clip, or the film of a folder of pictures, made in ``films``."""
    if not clip.is_dir() or frame_rate is None:
        return clip
    return film_of(clip, frame_rate, films)


def preset_from_anywhere(preset: str) -> str:
    """A preset's name as it is, a file's path such that a site file in another folder finds it."""
    return str(Path(preset).absolute()) if Path(preset).suffix in (".yaml", ".yml") else preset
