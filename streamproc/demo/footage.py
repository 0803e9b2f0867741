"""The demo's footage, cut from one recording: its first half is what is normal, only the rest is watched.

Camera one plays the rest as it is. Camera two plays it as it is, then for twenty seconds at three times the speed,
so that everybody hurries, then as it is again. No frame of the normal clip is ever played by a camera.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av

from streamproc.errors import ConfigError
from streamproc.models.hashes import sha256_of

RECIPE = 1
"""Part of the cache's name; one more whenever the clips would come out differently."""
HURRY = 3
"""How many times faster."""
HURRY_S = 20
CALM_S = 40
"""Seconds of camera two before the hurry, and again after it."""
_LEAST_S = 20
_MOST_NORMAL_S, _MOST_WATCHED_S = 300, 600
_MOST_WIDTH_PX = 1280

Tell = Callable[[str, int, int], None]
"""Told (clip, frames done, frames in all)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which frames of the recording go where, as ranges of frame numbers that are played one after the other."""

    fps: Fraction
    normal: tuple[range, ...]
    one: tuple[range, ...]
    two: tuple[range, ...]


@dataclass(frozen=True, slots=True)
class Footage:
    """The clips, H.264 in mp4 with a keyframe every two seconds."""

    normal: Path
    one: Path
    two: Path
    two_s: float
    """How long camera two's clip lasts."""


def plan(frames: int, fps: Fraction) -> Plan:
    """Share out a recording of ``frames`` frames.

    Raises:
        ConfigError: it is shorter than twenty seconds.
    """
    length_s = frames / fps
    if length_s < _LEAST_S:
        raise ConfigError(f"the recording lasts {float(length_s):.1f} s; the demo needs {_LEAST_S} s or more")
    split = int(min(round(length_s / 2), _MOST_NORMAL_S) * fps)
    rest = range(split, frames)[: int(_MOST_WATCHED_S * fps)]
    calm = rest[: int(CALM_S * fps)]
    hurry: list[range] = []
    missing, offset = int(HURRY_S * fps), 0
    while missing > 0:
        hurry.append(rest[offset::HURRY][:missing])
        missing -= len(hurry[-1])
        offset = hurry[-1][-1] + HURRY - rest.stop
    return Plan(fps, (range(split),), (rest,), (calm, *hurry, calm))


def prepare(recording: Path, cache_dir: Path, tell: Tell | None = None) -> Footage:
    """The clips of ``recording``, from the cache if they are there.

    Raises:
        ConfigError: the recording cannot be read, or is too short.
    """
    try:
        folder = cache_dir / "demo" / f"{sha256_of(recording)[:16]}-{RECIPE}"
        shares = plan(*_measure(recording))
        if not folder.is_dir():
            partial = folder.with_name(f".{folder.name}-{os.getpid()}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            try:
                for name in ("normal", "one", "two"):
                    _cut(recording, getattr(shares, name), shares.fps, partial / f"{name}.mp4", tell)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except (OSError, av.error.FFmpegError) as error:
        raise ConfigError(f"{recording} cannot be used as footage: {error}") from error
    clips = {name: folder / f"{name}.mp4" for name in ("normal", "one", "two")}
    return Footage(**clips, two_s=float(sum(map(len, shares.two)) / shares.fps))


def _measure(recording: Path) -> tuple[int, Fraction]:
    with av.open(str(recording)) as container:
        if not container.streams.video:
            raise ConfigError(f"{recording}: there is no video in it")
        stream = container.streams.video[0]
        fps = stream.average_rate or stream.guessed_rate
        if not fps:
            raise ConfigError(f"{recording}: it does not say how many frames a second it has")
        return sum(1 for packet in container.demux(stream) if packet.size), fps


def _frames(recording: Path, wanted: range) -> Iterator[av.VideoFrame]:
    with av.open(str(recording)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for number, frame in enumerate(container.decode(video=0)):
            if number >= wanted.stop:
                return
            if number in wanted:
                yield frame


def _cut(recording: Path, parts: Iterable[range], fps: Fraction, path: Path, tell: Tell | None) -> None:
    total = sum(map(len, parts))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt, stream.gop_size = "yuv420p", round(2 * fps)
        stream.options = {"preset": "veryfast", "crf": "20", "profile": "baseline", "x264-params": "scenecut=0"}
        for done, frame in enumerate(chain.from_iterable(_frames(recording, part) for part in parts)):
            if done == 0:
                scale = min(1.0, _MOST_WIDTH_PX / frame.width)
                stream.width, stream.height = (int(side * scale) // 2 * 2 for side in (frame.width, frame.height))
            picture = frame.reformat(stream.width, stream.height, "yuv420p")
            picture.pts, picture.time_base, picture.pict_type = done, 1 / fps, av.video.frame.PictureType.NONE
            container.mux(stream.encode(picture))
            if tell is not None:
                tell(path.stem, done + 1, total)
        container.mux(stream.encode(None))
