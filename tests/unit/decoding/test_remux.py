"""Groups of pictures as recordings in memory, read again with FFmpeg."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from streamproc.decoding.factory import Everything
from streamproc.decoding.gops import Gop, GopCutter
from streamproc.decoding.remux import Remuxer
from streamproc.testing_decoding import packets_of, write_vp9
from streamproc.testing_sources import write_clip
from streamproc.types import Packet, StreamInfo

QUIET = {"x265-params": "log-level=none:keyint=10:min-keyint=10:scenecut=0"}
OPEN = {"x265-params": "log-level=none:keyint=10:min-keyint=10:scenecut=0:open-gop=1:bframes=3"}


def groups(given: list[Packet]) -> list[Gop]:
    cutter = GopCutter(Everything())
    found = [gop for one in given if (gop := cutter.add(one))]
    return found + cutter.end()


def shown(recording: bytes) -> list[int]:
    """The left edge of the white bar in each picture, tenths of the frames' numbers."""
    with av.open(io.BytesIO(recording), "r") as container:
        pictures = sorted(container.decode(video=0), key=lambda picture: picture.pts or 0)
        rows = [picture.to_ndarray(format="gray")[120] for picture in pictures]
    return [int(np.argmax(row > 215)) // 10 for row in rows]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {}),
        ("a.ts", "libx264", {"x264-params": "open-gop=1:scenecut=0"}),
        ("a.mp4", "libx265", QUIET),
        ("a.ts", "libx265", OPEN),
        ("a.mkv", "libx265", OPEN),
    ],
)
def test_each_recording_shows_its_groups_pictures_in_order(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    stream, given = packets_of(write_clip(tmp_path / name, codec, count=28, options=options))
    remuxer = Remuxer(stream)
    found = groups(given)
    assert len(found) == 3
    seen = []
    for gop in found:
        pictures = shown(remuxer.remux(gop))
        assert len(pictures) == len(gop.packets)
        seen += [pictures[number] for number in gop.numbers]
    assert seen == list(range(28))
    assert remuxer.size == (320, 240)


def test_vp9(tmp_path: Path) -> None:
    stream, given = packets_of(write_vp9(tmp_path / "a.webm", count=20))
    remuxer = Remuxer(stream)
    assert [number for gop in groups(given) for number in shown(remuxer.remux(gop))] == list(range(20))


def test_a_stream_without_configuration_beside_it_has_it_in_the_keyframes(tmp_path: Path) -> None:
    stream, given = packets_of(write_clip(tmp_path / "a.ts", count=12))
    assert shown(Remuxer(replace(stream, extradata=b"")).remux(groups(given)[0])) == list(range(10))


def test_a_new_size_within_a_run_is_noticed(tmp_path: Path) -> None:
    stream, given = packets_of(write_clip(tmp_path / "a.ts", count=10))
    _, larger = packets_of(write_clip(tmp_path / "b.ts", count=10, size=(640, 480)))
    remuxer = Remuxer(stream)
    remuxer.remux(groups(given)[0])
    assert remuxer.size == (320, 240)
    assert len(shown(remuxer.remux(groups(larger)[0]))) == 10
    assert remuxer.size == (640, 480)


@pytest.mark.parametrize("data", [b"", b"\xff" * 40])
def test_packets_of_which_no_recording_can_be_made(tmp_path: Path, data: bytes) -> None:
    stream, given = packets_of(write_clip(tmp_path / "a.mp4", count=4))
    broken = Gop((replace(given[0], data=data),), (given[0],))
    with pytest.raises(ValueError, match=r"Invalid|longer|range"):
        Remuxer(stream).remux(broken)


def test_a_configuration_that_is_cut_short(tmp_path: Path) -> None:
    stream, given = packets_of(write_clip(tmp_path / "a.mp4", count=4))
    cut = StreamInfo(stream.codec, 320, 240, 10.0, stream.extradata[:9])
    with pytest.raises(ValueError, match="cut short"):
        Remuxer(cut).remux(groups(given)[0])
