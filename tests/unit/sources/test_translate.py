"""What FFmpeg's errors become: a reason and what to do about it, in one line."""

from __future__ import annotations

import errno

import av.error
import pytest

from streamproc.config import PyavDecoder, SamplingSettings
from streamproc.errors import SourceError, SourceRefused, SourceTimeout
from streamproc.sources.translate import translated
from streamproc.testing_sources import STREAM, packet
from streamproc.types import PacketBatch, StreamInfo
from streamproc.viewing import Viewing


@pytest.mark.parametrize(
    ("error", "kind", "reason", "remedy"),
    [
        (av.error.HTTPUnauthorizedError, SourceRefused, "credentials (401)", "check the login"),
        (av.error.HTTPForbiddenError, SourceRefused, "credentials (403)", "check the login"),
        (av.error.HTTPNotFoundError, SourceError, "that path (404)", "take the stream's path from"),
        (av.error.ConnectionRefusedError, SourceError, "connection refused", "check the port, 554"),
        (av.error.TimeoutError, SourceTimeout, "no answer within 5 s", "check that the camera can be reached"),
        (av.error.ExitError, SourceTimeout, "no answer within 5 s", "check that the camera can be reached"),
    ],
)
def test_a_reason_comes_with_a_remedy_in_one_line(
    error: type[av.error.FFmpegError], kind: type[SourceError], reason: str, remedy: str
) -> None:
    with pytest.raises(SourceError) as caught, translated("gate", "rtsp://admin:pw@10.0.0.5/1", 5.0):
        raise error(errno.EIO, "said by FFmpeg")
    assert type(caught.value) is kind
    said = caught.value.reason
    assert said.startswith("rtsp://***@10.0.0.5/1: ")
    assert reason in said
    assert f"; {remedy}" in said
    assert "\n" not in said


def test_a_codec_that_nothing_here_decodes_says_which_to_set() -> None:
    viewing = Viewing("gate", SamplingSettings(), PyavDecoder(), (), lambda _: None)
    unknown = StreamInfo("smokesignal", STREAM.width_px, STREAM.height_px, 10.0, b"")
    with pytest.raises(SourceError, match=r"no decoder for codec smokesignal; set the camera to H\.264 or H\.265"):
        viewing.add(PacketBatch(unknown, (packet(0.0),)))
