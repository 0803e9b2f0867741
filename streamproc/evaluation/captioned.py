"""Captioned, labelled videos: a JSON object a line, ``{video, frame, label, caption}``, plain or gzipped."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamproc.errors import ConfigError, Fault

_SUFFIXES = (".jsonl", ".jsonl.gz")
_KEYS = ("video", "frame", "label", "caption")


@dataclass(frozen=True, slots=True)
class CaptionedVideo:
    """One video's captioned frames: parallel tuples in order of ``frames``, which increase."""

    name: str
    frames: tuple[int, ...]
    """Frame numbers, from 0."""
    labels: tuple[int, ...]
    """1 where a frame is anomalous, else 0."""
    texts: tuple[str, ...]
    """Captions."""

    def normal(self) -> tuple[str, ...]:
        """The captions of the frames that are labelled normal."""
        return tuple(text for label, text in zip(self.labels, self.texts, strict=True) if not label)


def load_captioned(path: Path) -> tuple[CaptionedVideo, ...]:
    """The videos of a ``.jsonl`` or ``.jsonl.gz`` file, in the order in which the file first names them.

    Raises:
        ConfigError: names the file, and the line where a line is at fault.
    """
    if not path.name.endswith(_SUFFIXES):
        raise ConfigError(f"{path}: captions come as {' or '.join(_SUFFIXES)}")
    videos: dict[str, dict[int, tuple[int, str]]] = {}
    try:
        for number, line in _lines(path):
            video, frame, label, text = _row(path, number, line)
            frames = videos.setdefault(video, {})
            if frame in frames:
                raise _fault(path, number, "frame", f"frame {frame} of video {video} is there twice")
            frames[frame] = (label, text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error):
        raise ConfigError(f"{path} cannot be read: it is cut short or damaged") from None
    if not videos:
        raise ConfigError(f"{path} holds no captions")
    return tuple(_video(name, frames) for name, frames in videos.items())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _row(path: Path, number: int, line: bytes) -> tuple[str, int, int, str]:
    try:
        row: Any = json.loads(line)
    except ValueError as error:  # bytes that are not UTF-8 too
        raise _fault(path, number, "", f"not a JSON object: {error}") from None
    if not isinstance(row, dict):
        raise _fault(path, number, "", "not a JSON object")
    if missing := [key for key in _KEYS if key not in row]:
        raise _fault(path, number, missing[0], f"missing; a line holds {', '.join(_KEYS)}")
    video, frame, label, text = (row[key] for key in _KEYS)
    if not isinstance(video, str) or not video:
        raise _fault(path, number, "video", "must be a name in quotes")
    if type(frame) is not int or frame < 0:
        raise _fault(path, number, "frame", f"must be a whole number from 0 on, not {frame!r}")
    if type(label) is not int or label not in (0, 1):
        raise _fault(path, number, "label", f"must be 0 or 1, not {label!r}")
    if not isinstance(text, str):
        raise _fault(path, number, "caption", "must be text")
    return video, frame, label, text


def _fault(path: Path, line: int, field: str, message: str) -> ConfigError:
    return ConfigError(faults=(Fault(str(path), line, None, field, message),))


def _video(name: str, frames: dict[int, tuple[int, str]]) -> CaptionedVideo:
    order = sorted(frames)
    return CaptionedVideo(
        name=name,
        frames=tuple(order),
        labels=tuple(frames[frame][0] for frame in order),
        texts=tuple(frames[frame][1] for frame in order),
    )
