"""A clip, or one picture, from packets that were never decoded.

PyAV's and FFmpeg's errors leave here as ``ClipError``, which says in words what could not be done.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamproc.annexb import length_size, parameter_sets, units
from streamproc.errors import StreamprocError
from streamproc.types import PacketBatch, StreamInfo

Pixels = npt.NDArray[np.uint8]
Mask = Callable[[Pixels], Pixels]
"""Blacks the privacy masks of a picture, (height, width, 3) uint8 RGB."""

COPYABLE = {"h264": "h264", "hevc": "hevc", "mpeg4": "m4v"}
"""Codecs that are put into MP4 as they are, with FFmpeg's name of the bare stream."""
_TICKS = 90_000
_ENCODED_WIDTH_PX = 960
_ENCODED_FPS = 12.5


class ClipError(StreamprocError):
    """No clip or picture could be made; the alert goes without."""


def copy_mp4(batch: PacketBatch, path: Path) -> None:
    """Write the packets into an MP4 file as they came, without re-encoding.

    Raises:
        ClipError: the codec is not one of ``COPYABLE``, or the packets are damaged.
    """
    stream, size = batch.stream, length_size(batch.stream)
    if stream.codec not in COPYABLE:
        raise ClipError(f"{stream.codec} cannot be copied into MP4")
    with _translated(stream):
        head = parameter_sets(stream)
        first = b"".join(units(packet.data, size) for packet in batch.packets[:8])
        # The muxer wants the codec's parameters as a demuxed stream has them, so the first packets are demuxed again.
        with (
            av.open(io.BytesIO(head + first), format=COPYABLE[stream.codec]) as bare,
            av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out,
        ):
            video = out.add_stream_from_template(bare.streams.video[0])
            _mux(batch, out, video, size)


def _mux(batch: PacketBatch, out: OutputContainer, video: VideoStream, size: int | None) -> None:
    base_s, last_dts = batch.packets[0].dts_s, -1
    for packet in batch.packets:
        encoded = av.Packet(units(packet.data, size))
        encoded.stream = video
        encoded.time_base = Fraction(1, _TICKS)
        encoded.dts = last_dts = max(last_dts + 1, round((packet.dts_s - base_s) * _TICKS))
        encoded.pts = max(last_dts, round((packet.pts_s - base_s) * _TICKS))
        encoded.is_keyframe = packet.is_keyframe
        out.mux(encoded)


def encode_mp4(batch: PacketBatch, path: Path, mask: Mask | None) -> None:
    """Decode, mask, scale to at most 960 px and 12.5 frames/s, and encode again as H.264.

    Raises:
        ClipError: nothing of it could be decoded.
    """
    with _translated(batch.stream), av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        video: VideoStream | None = None
        first = next_s = 0.0
        for frame in _decoded(batch):
            pts_s = float(frame.pts or 0) / _TICKS
            if video is None:
                first = next_s = pts_s
                video = _encoder(out, frame)
            if pts_s < next_s - 0.001:
                continue
            next_s += 1.0 / _ENCODED_FPS
            picture = VideoFrame.from_ndarray(_pixels(frame, mask), format="rgb24")
            picture = picture.reformat(video.width, video.height, "yuv420p")
            picture.pts, picture.time_base = round((pts_s - first) * _TICKS), Fraction(1, _TICKS)
            out.mux(video.encode(picture))
        if video is None:
            raise ClipError("no picture of the clip could be decoded")
        out.mux(video.encode(None))


def _encoder(out: OutputContainer, frame: VideoFrame) -> VideoStream:
    options = {"preset": "veryfast", "crf": "27", "threads": "1"}
    video = out.add_stream("libx264", rate=Fraction(25, 2), options=options)
    width_px = min(frame.width, _ENCODED_WIDTH_PX)
    video.width = width_px // 2 * 2
    video.height = max(2, round(frame.height * width_px / frame.width) // 2 * 2)
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = Fraction(1, _TICKS)
    return video


def decode_at(batch: PacketBatch, pts_s: float, mask: Mask | None, most_px: float = math.inf) -> Pixels:
    """The picture shown at media time ``pts_s``, full size, (height, width, 3) uint8 RGB, masked.

    Raises:
        ClipError: none could be decoded, or that would take decoding more than ``most_px`` pixels.
    """
    keyframes = [i for i, packet in enumerate(batch.packets) if packet.is_keyframe and packet.pts_s <= pts_s + 0.001]
    part = PacketBatch(batch.stream, batch.packets[keyframes[-1] if keyframes else 0 :])
    count = sum(packet.pts_s <= pts_s + 0.001 for packet in part.packets)
    if count * batch.stream.width_px * batch.stream.height_px > most_px:
        raise ClipError(f"the last keyframe lies {count} pictures back")
    shown: VideoFrame | None = None
    with _translated(batch.stream):
        for frame in _decoded(part):
            if shown is not None and float(frame.pts or 0) / _TICKS > pts_s + 0.001:
                break
            shown = frame
        if shown is None:
            raise ClipError("no picture could be decoded")
        return _pixels(shown, mask)


def _pixels(frame: VideoFrame, mask: Mask | None) -> Pixels:
    pixels = cast("Pixels", frame.to_ndarray(format="rgb24"))
    return pixels if mask is None else mask(pixels)


def _decoded(batch: PacketBatch) -> Iterator[VideoFrame]:
    """The batch's pictures in order of presentation; ``pts`` in 90 kHz of the batch's media time."""
    context = av.CodecContext.create(batch.stream.codec, "r")
    assert isinstance(context, VideoCodecContext)  # noqa: S101 - StreamInfo is of a video stream
    context.width, context.height = batch.stream.width_px, batch.stream.height_px
    if batch.stream.extradata:
        context.extradata = batch.stream.extradata
    if batch.stream.pix_fmt is not None:
        context.pix_fmt = batch.stream.pix_fmt
    context.thread_count = 1
    for packet in batch.packets:
        # FFmpeg reads beyond a packet's end and wants zeros there, which a packet made from bytes does not have.
        encoded = av.Packet(len(packet.data))
        if packet.data:
            encoded.update(packet.data)
        encoded.time_base = Fraction(1, _TICKS)
        encoded.is_keyframe = packet.is_keyframe  # without it FFmpeg adds each PNG picture to the one before
        encoded.pts, encoded.dts = round(packet.pts_s * _TICKS), round(packet.dts_s * _TICKS)
        try:
            yield from context.decode(encoded)
        except av.error.InvalidDataError:
            continue  # a damaged packet costs its picture, not the clip
    yield from context.decode(None)


@contextmanager
def _translated(stream: StreamInfo) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ClipError(f"{stream.codec}: {said}") from error
