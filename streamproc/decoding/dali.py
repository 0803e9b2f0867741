"""One camera's run, decoded group by group on an engine that all cameras share; by PyAV where that fails.

Frames come one keyframe interval late, and evenly: a group's pictures are all there at once, and handed on as the
packets of the next group arrive, so that the stages after this are not flooded with what they would have to drop.
"""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

import numpy as np
import numpy.typing as npt

from streamproc.config import Area
from streamproc.config import DaliDecoder as DaliSettings
from streamproc.config import PyavDecoder as PyavSettings
from streamproc.decoding.dali_pipeline import open_dali
from streamproc.decoding.engine import EncodedGop, Engine, Refusal, RefusedError
from streamproc.decoding.factory import Plan
from streamproc.decoding.gops import Gop, GopCutter
from streamproc.decoding.keyframes import begins
from streamproc.decoding.masks import mask_picture
from streamproc.decoding.pyav import PyavDecoder
from streamproc.decoding.remux import REMUXED, Remuxer
from streamproc.types import DecoderFault, Frame, Packet, Picture, StreamInfo

_UNDER_WAY = 2
"""Groups of a camera that wait or are decoded: one, and the next."""
_BROKEN = 3
"""Groups refused in a row after which a camera is left to PyAV: each makes its batch be decoded twice."""
_HELD = 1500
"""Packets of a group at most, whatever their times say: 30 s, the longest that may be set, at 50 a second."""
_TICKS = 1_000_000

_NO_BEGINNING = Refusal("dali_codec", "its keyframes are none at which decoding can begin", for_good=True)

Taken = list[Frame] | Future[list[Picture]]


_engines: dict[DaliSettings, Engine] = {}
_opening = threading.Lock()


def engine_for(settings: DaliSettings) -> Engine:
    """The process's engine for these settings, started; it ends with the process."""
    with _opening:
        if settings not in _engines:
            opens = partial(open_dali, settings)
            engine = Engine(opens, batch=settings.batch_gops, most_wait_s=settings.most_wait_ms / 1000)
            engine.start()
            atexit.register(engine.close)
            _engines[settings] = engine
        return _engines[settings]


class DaliDecoder:
    """Groups go to the engine; frames come back in order."""

    def __init__(
        self,
        stream: StreamInfo,
        settings: DaliSettings,
        plan: Plan,
        masks: Sequence[Area],
        width_px: int,
        fault: Callable[[DecoderFault], None],
        engine: Engine,
    ) -> None:
        """``fault`` is told, once a camera and process, why PyAV has to step in."""
        self._settings, self._plan, self._fault, self._engine = settings, plan, fault, engine
        self._masks, self._width_px = tuple(masks), width_px
        pyav = PyavSettings(threads=settings.fallback_threads)
        self._by_pyav: Callable[[Plan], PyavDecoder] = lambda plan: PyavDecoder(stream, pyav, plan, masks, width_px)
        self._direct: PyavDecoder | None = None
        """What decodes once the engine was given up for this run."""
        self._refused = engine.refused or _unfit(stream, settings)
        self._broken = 0
        self._begins = partial(begins, stream=stream)
        self._cutter = GopCutter(plan, self._begins)
        self._remuxer = Remuxer(stream)
        self._under_way: deque[tuple[Gop, Taken]] = deque()
        self._ready: deque[Frame] = deque()
        self._lost = 0
        self._decoded = 0
        if self._refused is not None:
            self._by_pyav(plan)  # Raises where PyAV does not know the codec either.

    @property
    def undecodable(self) -> int:
        """Packets that gave no frame because of damage."""
        return self._cutter.undecodable + self._lost + (self._direct.undecodable if self._direct else 0)

    @property
    def decoded(self) -> int:
        """Packets that were decoded."""
        return self._decoded + (self._direct.decoded if self._direct else 0)

    @property
    def keyframe_every_s(self) -> float | None:
        """How far apart keyframes are."""
        return self._direct.keyframe_every_s if self._direct else self._cutter.every_s

    def decode(self, packet: Packet) -> list[Frame]:
        """The wanted frames whose time has come: those as old as the keyframe interval."""
        if self._direct is not None:
            return self._direct.decode(packet)
        if packet.is_keyframe and not self._cutter.held and not self._begins(packet):
            return self._give_up(self._refused or _NO_BEGINNING, [packet])
        gop = self._cutter.add(packet)
        if gop is not None:
            self._submit(gop)
        self._collect()
        self._check_length(packet)
        if self._refused is None or not self._cutter.held:
            return self._due(packet.pts_s)
        return self._give_up(self._refused, self._cutter.held)

    def flush(self) -> list[Frame]:
        """All that is left."""
        if self._direct is not None:
            return self._direct.flush()
        for gop in self._cutter.end():
            self._submit(gop)
        self._remuxer.close()
        return self._all()

    # ---- to the engine

    def _submit(self, gop: Gop) -> None:
        while len(self._under_way) >= _UNDER_WAY:
            self._take()
        try:
            video = self._remuxer.remux(gop)
        except ValueError as error:
            refusal = Refusal("dali_broken_gop", f"no recording of it can be made: {error}")
            self._under_way.append((gop, self._instead(gop, refusal)))
            return
        width_px, height_px = _scaled(self._remuxer.size, self._width_px)
        mask = _mask(self._masks, width_px, height_px)
        self._under_way.append((gop, self._engine.submit(EncodedGop(video, gop.numbers, width_px, height_px, mask))))

    def _check_length(self, packet: Packet) -> None:
        held = self._cutter.held
        if held and (packet.pts_s - held[0].pts_s > self._settings.most_gop_s or len(held) > _HELD):
            detail = f"keyframes are more than {self._settings.most_gop_s:g} s apart (most_gop_s)"
            self._refused = self._refused or Refusal("dali_long_gop", detail, for_good=True)

    # ---- from the engine

    def _collect(self) -> None:
        while self._under_way:
            taken = self._under_way[0][1]
            if isinstance(taken, Future) and not taken.done():
                return
            self._take()

    def _take(self) -> None:
        """The oldest group's frames; waits for them."""
        gop, taken = self._under_way.popleft()
        if isinstance(taken, Future):
            try:
                pictures = self._engine.result(taken)
                if len(pictures) != len(gop.wanted):
                    told = f"{len(pictures)} pictures came and {len(gop.wanted)} were wanted"
                    raise RefusedError(Refusal("dali_broken_gop", told))
            except RefusedError as error:
                taken = self._instead(gop, error.refusal)
            else:
                self._broken = 0
                self._decoded += len(gop.packets)
                taken = [_frame(packet, picture) for packet, picture in zip(gop.wanted, pictures, strict=True)]
        self._ready += taken

    def _due(self, now_s: float) -> list[Frame]:
        late_s = min(self._cutter.every_s or 0.0, self._settings.most_gop_s)
        frames = []
        while self._ready and self._ready[0].pts_s <= now_s - late_s:
            frames.append(self._ready.popleft())
        return frames

    def _all(self) -> list[Frame]:
        while self._under_way:
            self._take()
        frames, self._ready = list(self._ready), deque()
        return frames

    # ---- without it

    def _instead(self, gop: Gop, refusal: Refusal) -> list[Frame]:
        """The group by PyAV; the run too, if the engine would refuse it all or refused one group after the other."""
        self._broken += 1
        if refusal.for_good or self._broken >= _BROKEN:
            self._refused = self._refused or refusal
        self._tell(gop.packets[0].camera_id, refusal)
        decoder = self._by_pyav(_Chosen(gop.wanted))
        frames = [frame for packet in gop.packets for frame in decoder.decode(packet)] + decoder.flush()
        self._lost += decoder.undecodable
        self._decoded += decoder.decoded
        return frames

    def _give_up(self, refusal: Refusal, packets: Sequence[Packet]) -> list[Frame]:
        """Let PyAV decode the rest of the run, beginning with ``packets``."""
        frames = self._all()
        self._tell(packets[0].camera_id, refusal)
        self._direct = self._by_pyav(self._plan)
        self._remuxer.close()
        return frames + [frame for packet in packets for frame in self._direct.decode(packet)]

    def _tell(self, camera_id: str, refusal: Refusal) -> None:
        if self._engine.say_once(camera_id, refusal):
            self._fault(refusal.fault)


class _Chosen:
    """A plan that wants what was chosen already."""

    def __init__(self, wanted: Sequence[Packet]) -> None:
        self._ticks = {round(packet.pts_s * _TICKS) for packet in wanted}
        self._last = max(self._ticks)
        self._asked = -1

    def wants(self, pts_s: float, keyframe_s: float, every_s: float) -> bool:  # noqa: ARG002 - it was decided
        self._asked = round(pts_s * _TICKS)
        return self._asked in self._ticks

    def wants_before(self, keyframe_s: float, every_s: float) -> bool:  # noqa: ARG002
        return self._asked < self._last


def _unfit(stream: StreamInfo, settings: DaliSettings) -> Refusal | None:
    decodable = REMUXED if settings.device == "mixed" else ("vp9",)
    if stream.codec in decodable:
        return None
    return Refusal("dali_codec", f"{stream.codec} is none of {', '.join(decodable)}", for_good=True)


def _scaled(size: tuple[int, int], most_width_px: int) -> tuple[int, int]:
    width_px, height_px = size
    if width_px <= most_width_px:
        return width_px, height_px
    return most_width_px, max(2, 2 * round(height_px * most_width_px / width_px / 2))


def _mask(masks: tuple[Area, ...], width_px: int, height_px: int) -> npt.NDArray[np.uint8]:
    if not masks:
        return np.ones((1, 1, 1), np.uint8)
    return np.ascontiguousarray(mask_picture(np.ones((height_px, width_px, 3), np.uint8), masks)[:, :, :1])


def _frame(packet: Packet, picture: Picture) -> Frame:
    return Frame(packet.camera_id, packet.run, packet.pts_s, packet.received_at, picture)
