"""Public fakes for decoding: what decodes batches of recordings without DALI."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from streamproc.config import CameraSettings
from streamproc.decoding.engine import EncodedGop, Refusal, RefusedError
from streamproc.types import Packet, Picture, StreamInfo

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeBatches:
    """Decodes each recording with PyAV, as DALI would: numbered pictures, scaled, times the mask.

    Remembers its ``batches``. ``before`` is called with each batch first, and may raise or wait.
    """

    def __init__(self, before: Callable[[Sequence[EncodedGop]], None] = lambda _: None) -> None:
        self.batches: list[list[EncodedGop]] = []
        self.opened = 0
        self.decoded = threading.Semaphore(0)
        self._before = before

    def open(self) -> FakeBatches:
        """What an engine opens."""
        self.opened += 1
        return self

    def decode(self, gops: Sequence[EncodedGop]) -> list[list[Picture]]:
        """The wanted pictures of each."""
        self.batches.append(list(gops))
        try:
            self._before(gops)
            return [_pictures(gop) for gop in gops]
        finally:
            self.decoded.release()


def refuse(refusal: Refusal) -> Callable[[Sequence[EncodedGop]], None]:
    """Refuses every batch."""

    def before(_: Sequence[EncodedGop]) -> None:
        raise RefusedError(refusal)

    return before


def _pictures(gop: EncodedGop) -> list[Picture]:
    import av
    import av.error

    try:
        with av.open(io.BytesIO(gop.video), "r") as recording:
            shown = sorted(recording.decode(video=0), key=lambda frame: frame.pts or 0)
    except av.error.FFmpegError as error:
        raise RefusedError(Refusal("dali_broken_gop", str(error))) from None
    taken: list[Picture] = []
    for number in gop.numbers:
        if number >= len(shown):
            raise RefusedError(Refusal("dali_broken_gop", f"there is no picture {number}"))
        scaled = shown[number].reformat(gop.width_px, gop.height_px, "rgb24", interpolation="BILINEAR")
        taken.append(cast("npt.NDArray[np.uint8]", scaled.to_ndarray()) * gop.mask)
    return taken


def write_vp9(path: Path, count: int = 30, fps: int = 10, gop: int = 10, size: tuple[int, int] = (320, 240)) -> Path:
    """A recording that DALI decodes on a CPU."""
    from streamproc.testing_sources import write_clip

    options = {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0"}
    return write_clip(path, "libvpx-vp9", count=count, fps=fps, gop=gop, size=size, options=options)


def packets_of(path: Path, camera_id: str = "gate") -> tuple[StreamInfo, list[Packet]]:
    """What a recording is, and its packets as a camera's, received as fast as they are shown, from `START` on."""
    from streamproc.sources.session import open_session
    from streamproc.sources.timeline import Timeline

    with open_session(str(path), CameraSettings(id=camera_id, main=str(path))) as session:
        timeline = Timeline(camera_id, 1, session.stream.fps)
        got = []
        for raw in session:
            place = timeline.place(raw)
            if place is not None:
                at = START + timedelta(seconds=place.session_s)
                got.append(Packet(camera_id, 1, place.pts_s, place.dts_s, at, raw.is_keyframe, raw.data))
        return session.stream, got
