"""How many of a stream's pictures are decoded and looked at: the decoder's own choice, tried without decoding."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from streamproc.config import SamplingSettings
from streamproc.decoding.selection import Selection
from streamproc.sampling.plan import BurstPlan
from streamproc.types import Packet

_UNUSUAL_GROUPS = 3
"""The first groups of a run are decoded whole, until keyframes are known to be some."""
_GROUPS = 10
_LEAST_S = 60.0
"""At least so many groups and so much media time are tried."""
_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stream:
    """What a camera sends; without B-frames."""

    width_px: int
    height_px: int
    fps: float
    keyframe_s: float

    @property
    def megapixels(self) -> float:
        """Of a picture."""
        return self.width_px * self.height_px / 1e6

    def __str__(self) -> str:
        return f"{self.width_px}x{self.height_px} at {self.fps:g}/s, keyframes {self.keyframe_s:g} s apart"


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one camera, a second."""

    packets: float
    decoded: float
    """Pictures, keyframes among them."""
    keyframes: float
    """Those that are decoded."""
    looked_at: float
    """Pictures that are converted and observed."""
    windows: float


def rates(stream: Stream, sampling: SamplingSettings) -> Rates:
    """What ``sampling`` makes of ``stream``, once its first groups are over."""
    codec = _Counting()
    selection = codec.selection = Selection(BurstPlan(sampling), codec)
    group = max(1, round(stream.keyframe_s * stream.fps))
    groups = max(_GROUPS, round(_LEAST_S * stream.fps / group))
    begins = _UNUSUAL_GROUPS * group
    fed = keys = taken = 0
    for number in range((_UNUSUAL_GROUPS + groups) * group):
        if number == begins:
            fed, keys, taken = codec.fed, codec.keyframes, codec.taken
        at_s = number / stream.fps
        selection.add(Packet("planned", 1, at_s, at_s, _AT, number % group == 0, b""))
    watched_s = groups * group / stream.fps
    looked_at = (codec.taken - taken) / watched_s
    return Rates(
        packets=stream.fps,
        decoded=(codec.fed - fed) / watched_s,
        keyframes=(codec.keyframes - keys) / watched_s,
        looked_at=looked_at,
        windows=min(1 / sampling.window_s, looked_at / sampling.burst_frames),
    )


class _Counting:
    """Stands in for FFmpeg: each picture comes as soon as its packet is fed."""

    selection: Selection

    def __init__(self) -> None:
        self.fed = self.keyframes = self.taken = 0

    def feed(self, packet: Packet, skippable: bool) -> bool:  # noqa: ARG002 - others build on each picture
        self.fed += 1
        if packet.is_keyframe:
            self.keyframes += 1
            self.selection.saw_keyframe(whole=True)
        self.taken += self.selection.wanted.pop(packet.pts_s, None) is not None
        return True

    def claim(self, packet: Packet) -> bool:  # noqa: ARG002 - without reordering none is fed before it is asked about
        return False

    def drain(self) -> None: ...

    def restart(self) -> None: ...
