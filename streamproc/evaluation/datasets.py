"""Labelled videos from the official folders of the benchmarks, as they are unpacked.

Frame labels are the official ones: of Ped2 from its MATLAB list, of Avenue from its pixel masks, of ShanghaiTech from
its frame masks, of UBnormal from its tracks. Nothing is copied or converted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from streamproc.errors import ConfigError
from streamproc.sources.folder import pictures_in

Name = Literal["ped2", "avenue", "shanghaitech", "ubnormal"]


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """A test video."""

    name: str
    source: Path
    """A video file, or a folder of pictures in order of their names: either is a camera's address."""
    labels: tuple[int, ...]
    """A label a frame: 1 where it is anomalous, else 0."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A benchmark's videos."""

    name: Name
    normal: tuple[Path, ...]
    """What may be learned from: files, or folders of pictures."""
    test: tuple[LabelledVideo, ...]
    frame_rate: float
    """Frames a second, which folders of pictures do not tell."""


def load_dataset(name: Name, root: Path) -> Dataset:
    """The benchmark in the folder ``root``.

    Raises:
        ConfigError: something is not where the official folder has it, or has another number of pictures than labels.
    """
    return _LOADERS[name](root)


def _ped2(root: Path) -> Dataset:
    """``UCSDped2``: Train/Train001/001.tif, Test/Test001/001.tif, Test/UCSDped2.m."""
    listed = _there(root / "Test" / "UCSDped2.m")
    spans = re.findall(r"^[^%\n]*gt_frame\s*=\s*\[([^\]]*)\]", listed.read_text("utf-8", "replace"), re.MULTILINE)
    folders = _all(root / "Test", r"Test\d+")
    if len(spans) != len(folders):
        raise ConfigError(f"{listed} labels {len(spans)} videos, and there are {len(folders)} beside it")
    test = []
    for folder, span in zip(folders, spans, strict=True):
        labels = [0] * len(pictures_in(folder))
        for first, last in re.findall(r"(\d+)(?:\s*:\s*(\d+))?", span):
            start, end = int(first) - 1, int(last or first)  # MATLAB counts from 1 and includes the end
            if not 0 <= start < end <= len(labels):
                raise ConfigError(f"{listed}: {first}:{last or first} is not within {folder}, {len(labels)} pictures")
            labels[start:end] = [1] * (end - start)
        test.append(LabelledVideo(folder.name, folder, tuple(labels)))
    return Dataset("ped2", _all(root / "Train", r"Train\d+"), tuple(test), 10.0)


def _avenue(root: Path) -> Dataset:
    """``Avenue Dataset``: training_videos/01.avi, testing_videos/01.avi, and beside them or in ``ground_truth_demo``
    testing_label_mask/1_label.mat."""
    masks = root / "testing_label_mask"
    masks = masks if masks.is_dir() else root / "ground_truth_demo" / "testing_label_mask"
    test = [
        LabelledVideo(video.stem, video, _labels_of_masks(_there(masks / f"{int(video.stem)}_label.mat")))
        for video in _all(root / "testing_videos", r"\d+\.avi")
    ]
    return Dataset("avenue", _all(root / "training_videos", r"\d+\.avi"), tuple(test), 25.0)


def _shanghaitech(root: Path) -> Dataset:
    """training/videos/01_001.avi, testing/frames/01_0014/000.jpg, testing/test_frame_mask/01_0014.npy."""
    test = []
    for folder in _all(root / "testing" / "frames", r"\d+_\d+"):
        path = _there(root / "testing" / "test_frame_mask" / f"{folder.name}.npy")
        try:
            labels = _binary(np.load(path, allow_pickle=False))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from None
        test.append(LabelledVideo(folder.name, folder, _as_many(labels, len(pictures_in(folder)), path, folder)))
    return Dataset("shanghaitech", _all(root / "training" / "videos", r"\d+_\d+\.avi"), tuple(test), 24.0)


def _ubnormal(root: Path) -> Dataset:
    """Scene1/normal_scene_1_scenario_1.mp4, Scene1/abnormal_…_annotations/abnormal_…_tracks.txt; and the official lists
    of names, normal_training_video_names.txt and (ab)normal_test_video_names.txt, in ``root`` or ``root/scripts``."""
    test = []
    for video in [*_listed(root, "normal_test"), *_listed(root, "abnormal_test")]:
        labels = [0] * frames_of(video)
        if video.stem.startswith("abnormal"):
            tracks = _there(video.parent / f"{video.stem}_annotations" / f"{video.stem}_tracks.txt")
            for _, first, last in _rows_of_three(tracks):
                labels[first : last + 1] = [1] * len(labels[first : last + 1])
        test.append(LabelledVideo(video.stem, video, tuple(labels)))
    return Dataset("ubnormal", _listed(root, "normal_training"), tuple(test), 30.0)


_LOADERS: Mapping[Name, Callable[[Path], Dataset]] = {
    "ped2": _ped2,
    "avenue": _avenue,
    "shanghaitech": _shanghaitech,
    "ubnormal": _ubnormal,
}


def frames_of(video: Path) -> int:
    """How many frames a video file holds: counted, for what its header says is at times an estimate.

    Raises:
        ConfigError: it cannot be read.
    """
    import av

    try:
        with av.open(str(video)) as container:
            return sum(packet.size > 0 for packet in container.demux(video=0))
    except (av.FFmpegError, IndexError) as error:
        raise ConfigError(f"{video} cannot be read: {error}") from None


def _there(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(f"{path} is not there")
    return path


def _all(folder: Path, pattern: str) -> tuple[Path, ...]:
    """What a folder holds by such names, sorted."""
    found = sorted(path for path in _there(folder).iterdir() if re.fullmatch(pattern, path.name))
    if not found:
        raise ConfigError(f"{folder} holds nothing by the official names")
    return tuple(found)


def _listed(root: Path, which: str) -> tuple[Path, ...]:
    name = f"{which}_video_names.txt"
    path = root / name if (root / name).exists() else _there(root / "scripts" / name)
    names = path.read_text("utf-8").split()
    return tuple(_there(root / f"Scene{one.split('_')[2]}" / f"{one}.mp4") for one in sorted(names))


def _rows_of_three(path: Path) -> list[tuple[int, int, int]]:
    """Object, first frame and last frame, counted from 0, the last included."""
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2).astype(int)
        return [(int(a), int(b), int(c)) for a, b, c in rows]
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def _labels_of_masks(path: Path) -> tuple[int, ...]:
    """A frame is anomalous where any of its mask's pixels is."""
    from scipy.io import loadmat

    try:
        return tuple(int(np.any(mask)) for mask in loadmat(path)["volLabel"].ravel())
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def _binary(values: Any) -> tuple[int, ...]:
    return tuple(int(value != 0) for value in np.asarray(values).ravel())


def _as_many(labels: Sequence[int], frames: int, path: Path, folder: Path) -> tuple[int, ...]:
    if len(labels) != frames:
        raise ConfigError(f"{path} labels {len(labels)} frames, and {folder} holds {frames} pictures")
    return tuple(labels)
