"""What keyframes say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.decoding.keyframes import begins, leading_sets
from streamproc.testing_decoding import packets_of, write_vp9
from streamproc.testing_sources import packet, write_clip
from streamproc.types import StreamInfo

QUIET = "log-level=none:keyint=10:min-keyint=10:scenecut=0"


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
@pytest.mark.parametrize(
    ("codec", "options", "told"),
    [
        ("libx264", {}, [True] * 4),
        ("libx264", {"x264-params": "open-gop=1:scenecut=0", "bf": "2"}, [True, False, False, False]),
        ("libx264", {"x264-params": "intra-refresh=1:keyint=10:scenecut=0", "bf": "0"}, [True, False, False, False]),
        ("libx265", {"x265-params": QUIET}, [True] * 4),
        ("libx265", {"x265-params": f"{QUIET}:open-gop=1:bframes=3"}, [True] * 4),
    ],
)
def test_where_decoding_can_begin(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str], told: list[bool]
) -> None:
    stream, given = packets_of(write_clip(tmp_path / f"a.{suffix}", codec, count=40, options=options))
    assert [begins(one, stream) for one in given if one.is_keyframe][:4] == told


def test_other_codecs_keyframes_are_taken_at_their_word(tmp_path: Path) -> None:
    stream, given = packets_of(write_vp9(tmp_path / "a.webm", count=10))
    assert begins(given[0], stream)


@pytest.mark.parametrize("extradata", [b"", b"\x01d\x00\x0c\xff\xe1\x00"])
def test_damaged_ones_are_left_to_the_decoder(extradata: bytes) -> None:
    assert begins(packet(0, data=b"\xff" * 9), StreamInfo("h264", 320, 240, 10.0, extradata))


def test_parameter_sets_count_where_a_sequences_is_among_them() -> None:
    picture = b"\0\0\1\x65\1\2"
    assert leading_sets(b"\0\0\1\x67\5\0\0\1\x68\6" + picture, "h264") == b"\0\0\1\x67\5\0\0\1\x68\6"
    assert leading_sets(b"\0\0\1\x68\6" + picture, "h264") == b""
    assert leading_sets(picture + b"\0\0\1\x67\5", "h264") == b""
    assert leading_sets(b"\0\0\1", "h264") == b""
