"""A folder of pictures as a session: each file is one packet, each packet a keyframe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av

from streamproc.errors import SourceError
from streamproc.sources.session import RawPacket
from streamproc.sources.translate import translated
from streamproc.types import StreamInfo

_CODECS = {".png": "png", ".jpg": "mjpeg", ".jpeg": "mjpeg", ".tif": "tiff", ".tiff": "tiff"}


def pictures_in(folder: Path) -> list[Path]:
    """The pictures that are read from a folder, in order of their names: 2.jpg before 10.jpg.

    Files that are hidden are left out: a Mac leaves ``._001.tif`` beside ``001.tif``.

    Raises:
        OSError: it cannot be listed.
    """
    paths = (path for path in folder.iterdir() if path.suffix.lower() in _CODECS and not path.name.startswith("."))
    return sorted(paths, key=lambda path: (_parts(path.name), path.name))


def _parts(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name) if part]


class FolderSession:
    """Pictures in the order of their names, ``fps`` of them a second of media time."""

    live = False
    keeps = True

    def __init__(self, folder: Path, fps: float, camera_id: str) -> None:
        self._camera_id = camera_id
        self._fps = fps
        try:
            self._files = pictures_in(folder)
        except OSError as error:
            raise SourceError(camera_id, f"{folder}: {error.strerror}") from None
        if not self._files:
            raise SourceError(camera_id, f"{folder}: holds no .png, .jpg, .jpeg, .tif or .tiff pictures")
        codecs = {_CODECS[path.suffix.lower()] for path in self._files}
        if len(codecs) > 1:
            raise SourceError(camera_id, f"{folder}: mixes PNG, JPEG and TIFF pictures; a source has one of them")
        width_px, height_px = self._size_px(self._files[0])
        self.stream = StreamInfo(codecs.pop(), width_px, height_px, fps, b"")

    def _size_px(self, path: Path) -> tuple[int, int]:
        with translated(self._camera_id, str(path), 60.0), av.open(str(path)) as container:
            video = container.streams.video[0] if container.streams.video else None
            if video is None or not (video.width and video.height):
                raise SourceError(self._camera_id, f"{path}: not a picture that FFmpeg can read")
            return video.width, video.height

    def __iter__(self) -> Iterator[RawPacket]:
        for index, path in enumerate(self._files):
            try:
                data = path.read_bytes()
            except OSError as error:
                raise SourceError(self._camera_id, f"{path}: {error.strerror}") from None
            yield RawPacket(data, index / self._fps, index / self._fps, is_keyframe=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
