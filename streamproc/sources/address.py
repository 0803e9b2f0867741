"""What an address stands for: a camera on the network, a webcam, a recording, or a folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from streamproc.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RtspAddress:
    """``rtsp://`` or ``rtsps://``, still with its placeholders."""

    template: str


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """``device:/dev/video0``: a webcam through Video4Linux."""

    path: Path


@dataclass(frozen=True, slots=True)
class FileAddress:
    """A recording in any container that FFmpeg reads."""

    path: Path


@dataclass(frozen=True, slots=True)
class FolderAddress:
    """A folder of PNG or JPEG pictures, in the order of their names."""

    path: Path
    fps: float


Address = RtspAddress | DeviceAddress | FileAddress | FolderAddress


def parse_address(template: str) -> Address:
    """What ``template`` stands for; a folder takes ``?fps=``, one picture a second if left out.

    Raises:
        ConfigError: the scheme is none of those that are read, or ``?fps=`` is no positive number.
    """
    scheme, separator, rest = template.partition("://")
    if separator and scheme.lower() in {"rtsp", "rtsps"}:
        return RtspAddress(template)
    if template.startswith("device:"):
        return DeviceAddress(Path(template.removeprefix("device:")))
    if separator and scheme.lower() != "file":
        raise ConfigError(
            f"addresses of {scheme}:// are not read; write rtsp://, rtsps://, device:/dev/video0, a file or a folder"
        )
    name, _, query = (rest if separator else template).partition("?")
    if Path(name).is_dir():
        return FolderAddress(Path(name), _fps(query))
    return FileAddress(Path(rest if separator else template))


def is_live(template: str) -> bool:
    """Whether the address is of something that goes on for ever, so that its end is a disconnect."""
    return isinstance(parse_address(template), RtspAddress | DeviceAddress)


def _fps(query: str) -> float:
    values = parse_qs(query).get("fps", ["1"])
    try:
        fps = float(values[-1])
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 1000:
        raise ConfigError(f"?fps={values[-1]} is not a number of pictures a second from above 0 to 1000")
    return fps
