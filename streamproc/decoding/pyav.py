"""Decoding with FFmpeg through PyAV, on the CPU, from bytes as they were demuxed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import cast

import av
import av.error
import numpy as np
import numpy.typing as npt
import structlog
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from streamproc.config import Area
from streamproc.config import PyavDecoder as PyavSettings
from streamproc.decoding.factory import Plan
from streamproc.decoding.masks import mask_picture
from streamproc.types import Frame, Packet, StreamInfo

log = structlog.get_logger(__name__)

_TICKS = 1_000_000
_HELD = 64
"""More packets than any codec holds back for reordering."""


class PyavDecoder:
    """Decodes every packet, because pictures build on one another, and converts only the wanted frames."""

    def __init__(
        self, stream: StreamInfo, settings: PyavSettings, plan: Plan, masks: Sequence[Area], width_px: int
    ) -> None:
        context = av.CodecContext.create(stream.codec, "r")
        assert isinstance(context, VideoCodecContext)  # noqa: S101 - StreamInfo is of a video stream
        context.width, context.height = stream.width_px, stream.height_px
        if stream.extradata:
            context.extradata = stream.extradata
        if stream.pix_fmt is not None:
            context.pix_fmt = stream.pix_fmt
        context.thread_count = settings.threads
        self._context = context
        self._plan = plan
        self._masks = tuple(masks)
        self._width_px = width_px
        self._scaler = VideoReformatter()
        self._received: OrderedDict[int, datetime] = OrderedDict()
        self._packet: Packet | None = None
        self._last_ticks = -1
        self._await_keyframe = True
        self.undecodable = 0

    def decode(self, packet: Packet) -> list[Frame]:
        """The wanted frames that ``packet`` completes."""
        if self._await_keyframe and not packet.is_keyframe:
            self.undecodable += 1
            return []
        self._await_keyframe = False
        # FFmpeg reads beyond a packet's end and wants zeros there, which a packet made from bytes does not have.
        encoded = av.Packet(len(packet.data))
        if packet.data:
            encoded.update(packet.data)
        encoded.time_base = Fraction(1, _TICKS)
        encoded.pts = round(packet.pts_s * _TICKS)
        encoded.dts = round(packet.dts_s * _TICKS)
        encoded.is_keyframe = packet.is_keyframe  # Without it FFmpeg's PNG decoder adds each picture to the one before.
        self._packet = packet
        self._received[encoded.pts] = packet.received_at
        while len(self._received) > _HELD:
            self._received.popitem(last=False)
        try:
            decoded = self._context.decode(encoded)
        except av.error.FFmpegError as error:
            self._give_up(packet, error.strerror or type(error).__name__)
            return []
        return self._frames(decoded)

    def flush(self) -> list[Frame]:
        """The wanted frames still held back."""
        try:
            return self._frames(self._context.decode(None))
        except (av.error.FFmpegError, EOFError):
            return []

    def _give_up(self, packet: Packet, reason: str) -> None:
        self.undecodable += 1
        self._await_keyframe = True
        self._context.flush_buffers()
        log.debug("packet_undecodable", camera=packet.camera_id, run=packet.run, pts_s=packet.pts_s, reason=reason)

    def _frames(self, decoded: list[VideoFrame]) -> list[Frame]:
        frames: list[Frame] = []
        for picture in decoded:
            # Where a container tells no presentation times, reordered pictures seem to go back in time.
            if self._packet is None or picture.pts is None or picture.pts <= self._last_ticks:
                continue
            if picture.is_corrupt:
                self._give_up(self._packet, "corrupt picture")
                break
            self._last_ticks = picture.pts
            pts_s = picture.pts / _TICKS
            received_at = self._received.pop(picture.pts, self._packet.received_at)
            if self._plan.wants(pts_s):
                pixels = self._convert(picture)
                frames.append(Frame(self._packet.camera_id, self._packet.run, pts_s, received_at, pixels))
        return frames

    def _convert(self, picture: VideoFrame) -> npt.NDArray[np.uint8]:
        width_px, height_px = picture.width, picture.height
        if width_px > self._width_px:
            height_px = max(2, 2 * round(height_px * self._width_px / width_px / 2))
            width_px = self._width_px
        scaled = self._scaler.reformat(
            picture, width_px, height_px, "rgb24", interpolation=Interpolation.BILINEAR, threads=1
        )
        pixels = cast("npt.NDArray[np.uint8]", scaled.to_ndarray())
        # What needed no conversion is a view of the decoder's own buffer, which later pictures build on or overwrite.
        own = pixels.copy() if scaled is picture else np.ascontiguousarray(pixels)
        return mask_picture(own, self._masks)
