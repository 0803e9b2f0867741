"""What decodes, from settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, assert_never

from streamproc.config import Area
from streamproc.config import PyavDecoder as PyavSettings
from streamproc.types import Frame, Packet, StreamInfo


class Plan(Protocol):
    """Which frames will be looked at; asked once a frame, in the order of presentation."""

    def wants(self, pts_s: float) -> bool:
        """Whether the frame at ``pts_s`` seconds of media time will be looked at."""
        ...


class Decoder(Protocol):
    """Pictures of one run. A packet that cannot be decoded costs the frames up to the next keyframe, nothing else."""

    undecodable: int
    """Packets so far that gave no frame because they, or one they build on, were damaged."""

    def decode(self, packet: Packet) -> list[Frame]:
        """The wanted frames that ``packet`` completes, masked and scaled, oldest first."""
        ...

    def flush(self) -> list[Frame]:
        """The wanted frames still held back for reordering; the run is over."""
        ...


def make_decoder(
    stream: StreamInfo, settings: PyavSettings, plan: Plan, masks: Sequence[Area], width_px: int
) -> Decoder:
    """A decoder for one run of a camera; pictures are scaled down to ``width_px`` where they are wider.

    Raises:
        ValueError: FFmpeg has no decoder for the stream's codec.
    """
    match settings:
        case PyavSettings():
            from streamproc.decoding.pyav import PyavDecoder

            return PyavDecoder(stream, settings, plan, masks, width_px)
        case _ as unreachable:
            assert_never(unreachable)
