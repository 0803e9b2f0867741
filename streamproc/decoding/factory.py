"""What decodes, from settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, assert_never

from streamproc.config import Area, DecoderSettings
from streamproc.config import DaliDecoder as DaliSettings
from streamproc.config import PyavDecoder as PyavSettings
from streamproc.types import DecoderFault, Frame, Packet, StreamInfo


class Plan(Protocol):
    """Which frames will be looked at; asked once a frame, in the order of presentation, before it is decoded."""

    def wants(self, pts_s: float, keyframe_s: float, every_s: float) -> bool:
        """Whether the frame at ``pts_s`` seconds of media time will be looked at.

        ``keyframe_s`` is when the next keyframe is expected: ``pts_s`` itself for one, infinity where nobody knows.
        ``every_s`` is how far apart keyframes are.
        """
        ...

    def wants_before(self, keyframe_s: float, every_s: float) -> bool:
        """Whether any frame that is still to come before the keyframe at ``keyframe_s`` will be looked at."""
        ...


class Everything:
    """A plan that looks at every frame."""

    def wants(self, pts_s: float, keyframe_s: float, every_s: float) -> bool:  # noqa: ARG002 - any will do
        """True."""
        return True

    def wants_before(self, keyframe_s: float, every_s: float) -> bool:  # noqa: ARG002
        """True."""
        return True


class Decoder(Protocol):
    """Pictures of one run. A packet that cannot be decoded costs the frames up to the next keyframe, nothing else."""

    @property
    def undecodable(self) -> int:
        """Packets so far that gave no frame because they, or one they build on, were damaged."""
        ...

    @property
    def decoded(self) -> int:
        """Pictures so far that were decoded; of the other packets nobody wanted one, nor what builds on it."""
        ...

    @property
    def keyframe_every_s(self) -> float | None:
        """How far apart keyframes are, the most of the last few; None while nobody knows."""
        ...

    def decode(self, packet: Packet) -> list[Frame]:
        """The wanted frames that ``packet`` completes, masked and scaled, oldest first."""
        ...

    def flush(self) -> list[Frame]:
        """The wanted frames still held back for reordering; the run is over."""
        ...


def make_decoder(
    stream: StreamInfo,
    settings: DecoderSettings,
    plan: Plan,
    masks: Sequence[Area],
    width_px: int,
    fault: Callable[[DecoderFault], None] = lambda _: None,
) -> Decoder:
    """A decoder for one run of a camera; pictures are scaled down to ``width_px`` where they are wider.

    ``fault`` is told why another decoder has to step in, once a camera and reason.

    Raises:
        ValueError: FFmpeg has no decoder for the stream's codec.
    """
    match settings:
        case PyavSettings():
            from streamproc.decoding.pyav import PyavDecoder

            return PyavDecoder(stream, settings, plan, masks, width_px)
        case DaliSettings():
            from streamproc.decoding.dali import DaliDecoder, engine_for

            return DaliDecoder(stream, settings, plan, masks, width_px, fault, engine_for(settings))
        case _ as unreachable:
            assert_never(unreachable)
