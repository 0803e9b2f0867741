"""Decoding with FFmpeg through PyAV, on the CPU, from bytes as they were demuxed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import cast

import av
import av.error
import numpy as np
import numpy.typing as npt
import structlog
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from streamproc.config import Area
from streamproc.config import PyavDecoder as PyavSettings
from streamproc.decoding.factory import Plan
from streamproc.decoding.masks import mask_picture
from streamproc.decoding.selection import Selection
from streamproc.types import Frame, Packet, StreamInfo

log = structlog.get_logger(__name__)

_TICKS = 1_000_000
_SKIPPING = ("h264", "hevc")
"""Codecs whose decoders leave out pictures on which no other builds, when told to."""


class PyavDecoder:
    """Decodes what ``Selection`` says, and converts only the wanted frames, once."""

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
        self._skips = stream.codec in _SKIPPING
        self._masks = tuple(masks)
        self._width_px = width_px
        self._scaler = VideoReformatter()
        self._selection = Selection(plan, self)
        self._early: dict[int, VideoFrame] = {}
        """Pictures that came before it was known whether they are wanted."""
        self._keyframes: set[int] = set()
        """Whose pictures have not come."""
        self._frames: list[Frame] = []
        self._last_s = -math.inf
        self.decoded = 0

    @property
    def undecodable(self) -> int:
        """Packets that gave no frame because of damage."""
        return self._selection.undecodable

    @property
    def keyframe_every_s(self) -> float | None:
        """How far apart keyframes are."""
        return self._selection.keyframe_every_s

    def decode(self, packet: Packet) -> list[Frame]:
        """The wanted frames that can be had now."""
        self._selection.add(packet)
        if self._early:
            open_ticks = {_ticks(pts_s) for pts_s in self._selection.undecided}
            self._early = {ticks: picture for ticks, picture in self._early.items() if ticks in open_ticks}
        return self._taken()

    def flush(self) -> list[Frame]:
        """The wanted frames still held back."""
        self._selection.end()
        return self._taken()

    def _taken(self) -> list[Frame]:
        frames: list[Frame] = []
        for frame in sorted(self._frames, key=lambda frame: frame.pts_s):
            # Where a container tells no presentation times, reordered pictures seem to go back in time.
            if frame.pts_s > self._last_s:
                frames.append(frame)
                self._last_s = frame.pts_s
        self._frames = []
        return frames

    # ---- what the selection asks for

    def feed(self, packet: Packet, skippable: bool) -> bool:
        """Decode ``packet``; False where it is damaged."""
        # FFmpeg reads beyond a packet's end and wants zeros there, which a packet made from bytes does not have.
        encoded = av.Packet(len(packet.data))
        if packet.data:
            encoded.update(packet.data)
        encoded.time_base = Fraction(1, _TICKS)
        encoded.pts = _ticks(packet.pts_s)
        encoded.dts = _ticks(packet.dts_s)
        encoded.is_keyframe = packet.is_keyframe  # Without it FFmpeg's PNG decoder adds each picture to the one before.
        if packet.is_keyframe:
            self._keyframes.add(encoded.pts)
        if self._skips:
            self._context.skip_frame = "NONREF" if skippable else "DEFAULT"
        try:
            return self._pictures(self._context.decode(encoded))
        except av.error.FFmpegError as error:
            reason = error.strerror or type(error).__name__
            log.debug("packet_undecodable", camera=packet.camera_id, run=packet.run, pts_s=packet.pts_s, reason=reason)
            return False

    def claim(self, packet: Packet) -> bool:
        """Take the picture of ``packet`` if it came already."""
        picture = self._early.pop(_ticks(packet.pts_s), None)
        if picture is not None:
            self._take(packet, picture)
        return picture is not None

    def drain(self) -> None:
        """Give what is held back."""
        try:
            self._pictures(self._context.decode(None))
        except (av.error.FFmpegError, EOFError):
            return

    def restart(self) -> None:
        """Forget everything."""
        if self._context.is_open:
            self._context.flush_buffers()

    def _pictures(self, decoded: list[VideoFrame]) -> bool:
        """Keep what is wanted; False from a damaged one on."""
        wanted = {_ticks(pts_s): pts_s for pts_s in self._selection.wanted}
        undecided = {_ticks(pts_s) for pts_s in self._selection.undecided}
        for picture in decoded:
            if picture.pts is None:
                continue
            if picture.is_corrupt:
                return False
            self.decoded += 1
            if picture.pts in self._keyframes:
                self._keyframes.clear()
                self._selection.saw_keyframe(whole=picture.pict_type == PictureType.I)
            if picture.pts in wanted:
                self._take(self._selection.wanted.pop(wanted.pop(picture.pts)), picture)
            elif picture.pts in undecided:
                self._early[picture.pts] = picture
        return True

    def _take(self, packet: Packet, picture: VideoFrame) -> None:
        pixels = self._convert(picture)
        self._frames.append(Frame(packet.camera_id, packet.run, packet.pts_s, packet.received_at, pixels))

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


def _ticks(pts_s: float) -> int:
    return round(pts_s * _TICKS)
