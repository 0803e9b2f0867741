"""Public fakes for sources: sessions without a camera, small clips in any codec, a recorder of what a unit emits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from streamproc.errors import ChannelClosed, SourceError
from streamproc.sources.session import Demuxed, RawPacket, Session
from streamproc.types import (
    CameraFault,
    CameraState,
    DropCause,
    Frame,
    ObservedWindow,
    Packet,
    PacketBatch,
    StreamInfo,
    Window,
)

if TYPE_CHECKING:
    from av.video.stream import VideoStream

STREAM = StreamInfo(codec="mjpeg", width_px=32, height_px=24, fps=10.0, extradata=b"")


def raw_packets(count: int, fps: float = 10.0, gop: int = 5, start_s: float = 0.0) -> list[RawPacket]:
    """``count`` packets, a keyframe every ``gop``; the bytes are the packet's number."""
    return [RawPacket(b"%d" % i, start_s + i / fps, start_s + i / fps, i % gop == 0) for i in range(count)]


def packet(pts_s: float, *, key: bool = True, run: int = 1, data: bytes = b"x", at: datetime | None = None) -> Packet:
    """A packet of camera ``gate``."""
    return Packet("gate", run, pts_s, pts_s, at or datetime(2026, 1, 1, tzinfo=UTC), key, data)


def frame(pts_s: float, run: int = 1) -> Frame:
    """A small black frame of camera ``gate``."""
    return Frame("gate", run, pts_s, datetime(2026, 1, 1, tzinfo=UTC), np.zeros((24, 32, 3), np.uint8))


class FakeSession:
    """Hands out ``packets``, calls ``then``, and ends, or raises ``error``; keeps count of being closed."""

    def __init__(
        self,
        packets: Sequence[Demuxed],
        *,
        stream: StreamInfo = STREAM,
        live: bool = True,
        keeps: bool = False,
        error: SourceError | None = None,
        then: Callable[[], object] | None = None,
    ) -> None:
        self.stream = stream
        self.live = live
        self.keeps = keeps
        self.closed = threading.Event()
        self._packets = packets
        self._error = error
        self._then = then

    def __iter__(self) -> Iterator[Demuxed]:
        yield from self._packets
        if self._then is not None:
            self._then()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed.set()


class FakeOpener:
    """Opens the given sessions one after the other, and raises the errors among them; then calls ``spent``."""

    def __init__(self, sessions: Sequence[Session | Exception], spent: Callable[[], object] = lambda: None) -> None:
        self._sessions = list(sessions)
        self._spent = spent
        self.opened = 0

    def __call__(self) -> Session:
        """The next session."""
        if self.opened >= len(self._sessions):
            self._spent()
            threading.Event().wait(0.02)  # A fake clock lets retries follow one another at once.
            raise SourceError("gate", "no further session")
        self.opened += 1
        session = self._sessions[self.opened - 1]
        if isinstance(session, Exception):
            raise session
        return session


class FakeObserver:
    """Observes nothing in particular: every window moves by ``motion``."""

    def __init__(self, motion: float = 0.0) -> None:
        self._motion = motion

    def observe(self, window: Window) -> ObservedWindow:
        """The window without tracks or measurements."""
        return ObservedWindow(window, (), (), self._motion)


class RecordingEmit:
    """Keeps what a unit emits; ``arrived`` waits for it."""

    def __init__(self) -> None:
        self.batches: list[PacketBatch] = []
        self.states: list[CameraState] = []
        self.main_batches: list[PacketBatch] = []
        self.main_states: list[CameraState] = []
        self.windows: list[ObservedWindow] = []
        self.drops: dict[DropCause, int] = {}
        self.pictures = 0
        self.keyframe_every_s: float | None = None
        self.faults: list[CameraFault] = []
        self.closed = False
        self._changed = threading.Condition()

    def packets(self, batch: PacketBatch) -> None:
        """Keep a batch."""
        with self._changed:
            self.batches.append(batch)
            self._changed.notify_all()

    def state(self, state: CameraState) -> None:
        """Keep a state."""
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def window(self, observed: ObservedWindow) -> None:
        """Keep a window, unless ``closed`` was set."""
        if self.closed:
            raise ChannelClosed
        with self._changed:
            self.windows.append(observed)
            self._changed.notify_all()

    def main_packets(self, batch: PacketBatch) -> None:
        """Keep a batch of the main stream."""
        with self._changed:
            self.main_batches.append(batch)
            self._changed.notify_all()

    def main_state(self, state: CameraState) -> None:
        """Keep a state of the main stream."""
        with self._changed:
            self.main_states.append(state)
            self._changed.notify_all()

    def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:
        """Add to the cause's count."""
        with self._changed:
            self.drops[cause] = self.drops.get(cause, 0) + count
            self._changed.notify_all()

    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None:
        """Add to the pictures; keep the distance of keyframes."""
        with self._changed:
            self.pictures += pictures
            self.keyframe_every_s = keyframe_every_s
            self._changed.notify_all()

    def fault(self, camera_id: str, fault: CameraFault) -> None:
        """Keep a fault."""
        with self._changed:
            self.faults.append(fault)
            self._changed.notify_all()

    @property
    def packets_kept(self) -> list[Packet]:
        """All packets, in the order they were told."""
        return [packet for batch in self.batches for packet in batch.packets]

    @property
    def main_packets_kept(self) -> list[Packet]:
        """All packets of the main stream."""
        return [packet for batch in self.main_batches for packet in batch.packets]

    @property
    def phases(self) -> list[str]:
        """Phases in the order they were told."""
        return [state.phase for state in self.states]

    def arrived(self, condition: Callable[[RecordingEmit], bool], timeout_s: float = 10.0) -> bool:
        """Wait until ``condition`` holds of this recorder; whether it did within ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_s)


def write_clip(
    path: Path,
    codec: str = "libx264",
    *,
    count: int = 30,
    fps: int = 10,
    size: tuple[int, int] = (320, 240),
    gop: int = 10,
    options: dict[str, str] | None = None,
) -> Path:
    """A small recording at ``path``: frame ``i`` is grey ``8 * i`` with a white bar that moves right."""
    import av

    width_px, height_px = size
    with av.open(str(path), "w") as container:
        # Keyframes where ``gop`` says, and nowhere else.
        options = {"x264-params": "scenecut=0"} | (options or {}) if codec == "libx264" else options or {}
        stream = cast("VideoStream", container.add_stream(codec, rate=fps, options=options))
        stream.width, stream.height, stream.gop_size = width_px, height_px, gop
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(count):
            pixels = np.full((height_px, width_px, 3), 8 * index % 200, np.uint8)
            left_px = 10 * index % (width_px - 20)
            pixels[:, left_px : left_px + 20] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_pictures(folder: Path, suffix: str = ".png", count: int = 4) -> Path:
    """A folder of ``count`` pictures, 64x48, each lighter than the one before."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:03d}{suffix}"), np.full((48, 64, 3), 40 * index % 240, np.uint8))
    return folder
