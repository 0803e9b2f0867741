"""A group of pictures as a small recording in memory, which is what a decoder of whole files takes."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import cast

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from streamproc.annexb import length_size, parameter_sets, units
from streamproc.decoding.gops import Gop
from streamproc.decoding.keyframes import leading_sets
from streamproc.types import Packet, StreamInfo

REMUXED = ("h264", "hevc", "vp9")
"""Codecs that are put into recordings here."""
_STEP_MS = 40
"""Between pictures. Their own times are not needed, and any even ones are right for a decoder that counts pictures."""


class Remuxer:
    """Makes recordings of one run's groups: MP4 for H.264 and HEVC, Matroska for VP9."""

    def __init__(self, stream: StreamInfo) -> None:
        self._stream = stream
        self._length_size = length_size(stream)
        self._head = b""
        self._bare: InputContainer | None = None
        self.size = (stream.width_px, stream.height_px)
        """Width and height of the last group's pictures, in pixels."""

    def remux(self, gop: Gop) -> bytes:
        """The recording.

        Raises:
            ValueError: the packets are damaged.
        """
        packets = gop.packets
        places = {id(packet): place for place, packet in enumerate(sorted(packets, key=lambda packet: packet.pts_s))}
        late = max(place - places[id(packet)] for place, packet in enumerate(packets))
        out = io.BytesIO()
        try:
            with self._container(out) as container:
                video = self._video(container, packets[0])
                for place, packet in enumerate(packets):
                    encoded = av.Packet(units(packet.data, self._length_size))
                    encoded.stream = video
                    encoded.time_base = Fraction(1, 1000)
                    encoded.dts = place * _STEP_MS
                    encoded.pts = (places[id(packet)] + late) * _STEP_MS
                    encoded.is_keyframe = place == 0
                    container.mux(encoded)
        except (av.error.FFmpegError, IndexError) as error:
            raise ValueError(str(error)) from None
        return out.getvalue()

    def close(self) -> None:
        """Let go of what was kept from group to group."""
        if self._bare is not None:
            self._bare.close()
            self._bare = None

    def _container(self, out: io.BytesIO) -> OutputContainer:
        if self._stream.codec == "vp9":
            return av.open(out, "w", format="matroska")
        # An edit list would have the reader leave out pictures before the keyframe.
        return av.open(out, "w", format="mp4", options={"use_editlist": "0"})

    def _video(self, container: OutputContainer, keyframe: Packet) -> VideoStream:
        if self._stream.codec == "vp9":
            muxed = container.add_mux_stream("vp9", rate=25, width=self.size[0], height=self.size[1])
            return cast("VideoStream", muxed)
        # The muxer wants the codec's parameters as a demuxed stream has them, so each new set of them is demuxed once.
        data = units(keyframe.data, self._length_size)
        own = leading_sets(data, self._stream.codec)
        head = own or parameter_sets(self._stream)
        if self._bare is None or head != self._head:
            self.close()
            self._bare = av.open(io.BytesIO(data if own else head + data), "r", format=self._stream.codec)
            self._head = head
        template = self._bare.streams.video[0]
        self.size = (template.width, template.height)
        return container.add_stream_from_template(template)
