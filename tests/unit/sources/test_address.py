"""What an address stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.errors import ConfigError
from streamproc.sources.address import (
    DeviceAddress,
    FileAddress,
    FolderAddress,
    RtspAddress,
    is_live,
    parse_address,
)


def test_kinds(tmp_path: Path) -> None:
    url = "rtsp://${USER}:${PASSWORD}@gate/stream?channel=1"
    assert parse_address(url) == RtspAddress(url)
    assert isinstance(parse_address("RTSPS://gate/1"), RtspAddress)
    assert parse_address("device:/dev/video0") == DeviceAddress(Path("/dev/video0"))
    assert parse_address("clips/a?b.mp4") == FileAddress(Path("clips/a?b.mp4"))
    assert parse_address(f"file://{tmp_path}/a.mp4") == FileAddress(tmp_path / "a.mp4")
    assert parse_address(str(tmp_path)) == FolderAddress(tmp_path, 1.0)
    assert parse_address(f"{tmp_path}?fps=2.5") == FolderAddress(tmp_path, 2.5)


@pytest.mark.parametrize("fps", ["0", "-1", "fast", "nan", "1e9"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, fps: str) -> None:
    with pytest.raises(ConfigError, match="pictures a second"):
        parse_address(f"{tmp_path}?fps={fps}")


def test_other_schemes_are_refused_with_what_is_permitted() -> None:
    with pytest.raises(ConfigError, match=r"rtsp://.*device:"):
        parse_address("http://gate/stream")


def test_what_goes_on_for_ever(tmp_path: Path) -> None:
    assert is_live("rtsp://gate/1")
    assert is_live("device:/dev/video0")
    assert not is_live("a.mp4")
    assert not is_live(str(tmp_path))
