"""What an address stands for: a camera on the network, a webcam, a recording, or a folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from streamproc.errors import ConfigError
from streamproc.secrets import redact, resolve


@dataclass(frozen=True, slots=True)
class RtspAddress:
    """``rtsp://`` or ``rtsps://``, still with its placeholders; one of them may stand for the whole of it."""

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
    """A folder of PNG, JPEG or TIFF pictures, in the order of their names."""

    path: Path
    fps: float


Address = RtspAddress | DeviceAddress | FileAddress | FolderAddress


def parse_address(template: str) -> Address:
    """What ``template`` stands for; a folder takes ``?fps=``, one picture a second if left out.

    Placeholders are filled in to tell what it is, except in an address that says so itself.

    Raises:
        ConfigError: the scheme is none of those that are read, ``?fps=`` is no positive number, or a placeholder that
            must be filled in stands for nothing.
    """
    if _is_rtsp(template):
        return RtspAddress(template)
    text = resolve(template)
    if _is_rtsp(text):
        return RtspAddress(template)
    if text.startswith("device:"):
        return DeviceAddress(Path(text.removeprefix("device:")))
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() != "file":
        raise ConfigError(
            f"addresses of {redact(scheme)}:// are not read; write rtsp://, rtsps://, device:/dev/video0, a file or a "
            "folder"
        )
    name, _, query = (rest if separator else text).partition("?")
    if Path(name).is_dir():
        return FolderAddress(Path(name), _fps(query))
    return FileAddress(Path(rest if separator else text))


def is_live(template: str) -> bool:
    """Whether the address is of something that goes on for ever, so that its end is a disconnect.

    One whose placeholders stand for nothing yet is taken for a camera's: it is tried again until they do.
    """
    if "${" in template:
        try:
            resolve(template)
        except ConfigError:
            return True
    return isinstance(parse_address(template), RtspAddress | DeviceAddress)


def _is_rtsp(text: str) -> bool:
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.lower() in {"rtsp", "rtsps"}


def _fps(query: str) -> float:
    values = parse_qs(query).get("fps", ["1"])
    try:
        fps = float(values[-1])
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 1000:
        raise ConfigError(f"?fps={values[-1]} is not a number of pictures a second from above 0 to 1000")
    return fps
