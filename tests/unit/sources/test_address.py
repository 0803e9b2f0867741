"""What an address stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.config import CameraSettings
from streamproc.errors import ConfigError, SourceError
from streamproc.probe import probe
from streamproc.sources.address import (
    Address,
    DeviceAddress,
    FileAddress,
    FolderAddress,
    RtspAddress,
    is_live,
    parse_address,
)
from streamproc.sources.session import open_session


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


@pytest.mark.parametrize(
    ("value", "kind", "live"),
    [
        ("rtsp://admin:marked-pass@gate/1", RtspAddress("${WHOLE}"), True),
        ("device:/dev/video1", DeviceAddress(Path("/dev/video1")), True),
        ("/clips/a.mp4", FileAddress(Path("/clips/a.mp4")), False),
        ("file:///clips/a.mp4", FileAddress(Path("/clips/a.mp4")), False),
    ],
)
def test_a_placeholder_may_be_the_whole_address(
    monkeypatch: pytest.MonkeyPatch, value: str, kind: Address, live: bool
) -> None:
    monkeypatch.setenv("WHOLE", value)
    assert parse_address("${WHOLE}") == kind
    assert is_live("${WHOLE}") is live


def test_a_placeholder_may_be_a_part_of_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPS", "/clips")
    assert parse_address("${CLIPS}/a.mp4") == FileAddress(Path("/clips/a.mp4"))


def test_an_address_that_is_not_known_yet_is_taken_for_a_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHOLE", raising=False)
    assert is_live("${WHOLE}")
    with pytest.raises(ConfigError, match="WHOLE is not set"):
        parse_address("${WHOLE}")
    assert parse_address("rtsp://admin:${WHOLE}@gate/1") == RtspAddress("rtsp://admin:${WHOLE}@gate/1")


@pytest.mark.parametrize("value", ["rtps://admin:marked-pass@gate/1", "admin:marked-pass@gate/1"])
def test_a_whole_address_that_is_wrong_is_not_repeated(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("WHOLE", value)
    with pytest.raises((ConfigError, SourceError)) as caught:
        open_session("${WHOLE}", CameraSettings(id="gate", main="${WHOLE}"))
    with pytest.raises(ConfigError) as probed:
        probe("${WHOLE}")
    assert "marked" not in str(caught.value) + str(probed.value)
