"""Folders of numbered pictures become films, so that they are learned from and played like any recording."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from streamproc.errors import ConfigError
from streamproc.sources.folder import FolderSession, pictures_in

_CLOCK = Fraction(1, 90_000)


def film_of(folder: Path, fps: float, into: Path) -> Path:
    """A film of ``folder``'s pictures, ``fps`` a second, in the folder ``into``; its name is the folder's.

    The pictures are not encoded again: their files' bytes are the film's packets.

    Raises:
        ConfigError: it cannot be written.
        SourceError: the pictures cannot be read.
    """
    path = into / f"{folder.name}.mov"  # a container that takes PNG, JPEG and TIFF alike
    session = FolderSession(folder, fps, "eval")
    try:
        with av.open(str(pictures_in(folder)[0])) as first, av.open(str(path), "w") as film:
            stream = film.add_stream_from_template(first.streams.video[0])
            stream.time_base = _CLOCK
            for raw in session:
                packet = av.Packet(raw.data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, _CLOCK, True
                packet.pts = packet.dts = round((raw.pts_s or 0.0) / _CLOCK)
                packet.duration = round(1 / fps / _CLOCK)
                film.mux(packet)
    except (OSError, av.FFmpegError) as error:
        raise ConfigError(f"{folder} cannot be made a film of: {error.strerror or error}") from None
    return path
