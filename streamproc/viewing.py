"""A camera's packets become windows: decoding at the planned times, run after run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from streamproc.config import Area, DecoderSettings, SamplingSettings
from streamproc.decoding.factory import Decoder, make_decoder
from streamproc.errors import SourceError
from streamproc.sampling.plan import BurstPlan
from streamproc.sampling.windows import WindowBuilder
from streamproc.types import DecoderFault, Frame, PacketBatch, Window

_TOLD_S = 5.0
"""At least so often, in media time, it is told how much was decoded; else at each keyframe."""


class Viewing:
    """One camera's decoder and window builder; each run has a decoder and a plan of its own."""

    def __init__(
        self,
        camera_id: str,
        sampling: SamplingSettings,
        decoder: DecoderSettings,
        masks: Sequence[Area],
        undecodable: Callable[[int], None],
        decoded: Callable[[int, float | None], None] = lambda _pictures, _keyframe_every_s: None,
        fault: Callable[[DecoderFault], None] = lambda _: None,
        rest_s: Callable[[], float] = lambda: 0.0,
        shed: Callable[[int], None] = lambda _: None,
    ) -> None:
        """``undecodable`` is told how many packets gave no frame because they were damaged; ``decoded``, by the group,
        how many pictures were decoded and how far apart keyframes are; ``fault`` why another decoder has to step in.
        ``rest_s`` is asked for how long to look away after each second that was watched; ``shed`` is told how many
        windows were not looked at for that."""
        self._camera_id = camera_id
        self._sampling = sampling
        self._settings = decoder
        self._masks = masks
        self._undecodable = undecodable
        self._fault = fault
        self._windows = WindowBuilder(sampling)
        self._run: int | None = None
        self._rest_s, self._shed = rest_s, shed
        self._plan = BurstPlan(sampling)
        self._decoder: Decoder | None = None
        self._decoded = decoded
        self._told = self._told_decoded = 0
        self._told_at_s = 0.0
        self._keyframe_s = 0.0
        self.due_s = -math.inf
        """Media time, in the present run, before which no frame will be looked at; may be read by any thread."""

    def add(self, batch: PacketBatch) -> list[Window]:
        """The windows that the batch completes, oldest first.

        Raises:
            SourceError: nothing here decodes the stream's codec.
        """
        windows: list[Window] = []
        for packet in batch.packets:
            if packet.run != self._run:
                windows += self.end()
                self._run = packet.run
                self._decoder = self._make(batch)
            if packet.is_keyframe:
                self._keyframe_s = packet.pts_s
            if self._decoder is not None:
                windows += self._group(self._decoder.decode(packet))
        self.due_s = self._due()
        newest_s = batch.packets[-1].pts_s
        self._tell(batch.packets[0].is_keyframe or newest_s - self._told_at_s > _TOLD_S, newest_s)
        return windows

    def end(self) -> list[Window]:
        """What the decoder and the last window still hold; the run is over."""
        windows = self._group(self._decoder.flush()) if self._decoder is not None else []
        self._tell(True, 0.0)
        self._decoder = self._run = None
        self._told = self._told_decoded = 0
        self.due_s = -math.inf
        return windows + self._windows.flush()

    def _due(self) -> float:
        every_s = self._decoder.keyframe_every_s if self._decoder is not None else None
        return self._plan.due_s if every_s is None else self._plan.due_by(self._keyframe_s + every_s, every_s)

    def _make(self, batch: PacketBatch) -> Decoder:
        plan = self._plan = BurstPlan(self._sampling, self._rest_s)
        try:
            return make_decoder(batch.stream, self._settings, plan, self._masks, self._sampling.width_px, self._fault)
        except ValueError:
            raise SourceError(
                self._camera_id, f"no decoder for codec {batch.stream.codec}; set the camera to H.264 or H.265"
            ) from None

    def _group(self, frames: list[Frame]) -> list[Window]:
        return [window for frame in frames for window in self._windows.add(frame, self._plan.told(frame.pts_s))]

    def _tell(self, decoded: bool, at_s: float) -> None:
        if self._plan.rested:
            self._shed(self._plan.rested)
            self._plan.rested = 0
        if self._decoder is None:
            return
        if self._decoder.undecodable > self._told:
            self._undecodable(self._decoder.undecodable - self._told)
            self._told = self._decoder.undecodable
        if decoded:
            self._told_at_s = at_s
            self._decoded(self._decoder.decoded - self._told_decoded, self._decoder.keyframe_every_s)
            self._told_decoded = self._decoder.decoded
