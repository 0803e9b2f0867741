"""Labelled footage to measure on: normal clips to learn from, and test clips with a label a picture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamproc.backtest.labels import Labels, load_labels
from streamproc.errors import ConfigError
from streamproc.evaluation.datasets import Name, load_dataset
from streamproc.sources.folder import pictures_in

VIDEOS = frozenset({".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"})
_CAMERAS: Mapping[Name, str] = {"shanghaitech": r"^\d+(?=_)", "ubnormal": r"scene_\d+"}
"""What of a clip's name tells its camera, in sets of several."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What is learned from and what is scored. A clip is a video file, or a folder of numbered pictures."""

    normal: tuple[Path, ...]
    test: Mapping[Path, Labels]
    frame_rate: float | None
    """Of folders of pictures, which do not tell; None where there are none."""
    cameras: str | None
    """A regular expression that finds the camera in a clip's name; None where all clips are of one camera."""
    held_out: tuple[Path, ...] = ()
    """Normal clips that are not learned from, but played: what they raise is false."""

    def by_camera(self) -> dict[str, Benchmark]:
        """A camera each, by its id, in order of their names; cameras that no test clip is of are left out.

        Raises:
            ConfigError: a clip's name does not tell its camera, or there are no normal clips of a test clip's camera.
        """
        if self.cameras is None:
            return {"camera": self}
        camera = re.compile(self.cameras)
        normal = {clip: _camera_of(clip, camera) for clip in self.normal}
        test = {clip: _camera_of(clip, camera) for clip in self.test}
        held_out = {clip: _camera_of(clip, camera) for clip in self.held_out}
        if strange := sorted(set(test.values()) - set(normal.values())):
            raise ConfigError(f"there are test clips of {', '.join(strange)}, and no normal clips to learn from")
        return {
            one: Benchmark(
                tuple(clip for clip in self.normal if normal[clip] == one),
                {clip: labels for clip, labels in self.test.items() if test[clip] == one},
                self.frame_rate,
                None,
                tuple(clip for clip in self.held_out if held_out[clip] == one),
            )
            for one in sorted(set(test.values()))
        }


def of_folders(
    train: Path, test: Path, labels: Path, *, frame_rate: float | None = None, cameras: str | None = None
) -> Benchmark:
    """The clips in two folders, with a CSV file of labels.

    Raises:
        ConfigError: a folder holds no clips, the labels do not fit, pictures come without a ``frame_rate``, or
            ``cameras`` is no regular expression.
    """
    normal, clips = clips_in(train, "--train"), clips_in(test, "--test")
    if frame_rate is None and (folder := next((clip for clip in (*normal, *clips) if clip.is_dir()), None)):
        raise ConfigError(
            f"{folder} is a folder of pictures, which does not tell its frames a second: say --frame-rate"
        )
    try:
        re.compile(cameras or "")
    except re.error as error:
        raise ConfigError(f"--cameras {cameras!r} is no regular expression: {error}") from None
    return Benchmark(normal, load_labels(labels, clips), frame_rate, cameras)


def of_dataset(name: Name, root: Path) -> Benchmark:
    """A benchmark as its authors hand it out.

    Raises:
        ConfigError: something is not where the official folder has it.
    """
    dataset = load_dataset(name, root)
    test = {video.source: dict(enumerate(video.labels)) for video in dataset.test}
    return Benchmark(dataset.normal, test, dataset.frame_rate, _CAMERAS.get(name))


def clips_in(folder: Path, option: str) -> tuple[Path, ...]:
    """The video files and folders of pictures that ``folder`` holds, by name.

    Raises:
        ConfigError: there are none; ``option`` is where the folder comes from.
    """
    try:
        clips = sorted(path for path in folder.iterdir() if _is_clip(path))
        if clips:
            return tuple(clips)
        inside = "holds pictures itself: name the folder above it" if pictures_in(folder) else "holds no clips"
    except OSError as error:
        raise ConfigError(f"{option} {folder} cannot be read: {error.strerror}") from None
    raise ConfigError(f"{option} {folder} {inside}; a clip is a video file or a folder of numbered pictures")


def _is_clip(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return bool(pictures_in(path)) if path.is_dir() else path.suffix.lower() in VIDEOS


def _camera_of(clip: Path, camera: re.Pattern[str]) -> str:
    found = camera.search(clip.name)
    slug = re.sub(r"[^a-z0-9_-]+", "-", (found[found.lastindex or 0] or "").lower()).strip("-_") if found else ""
    if not slug:
        raise ConfigError(f"{clip}: --cameras {camera.pattern!r} does not find a camera in its name")
    return slug[:63]
