"""One session with a camera: open it, take packets from it, close it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, assert_never

from streamproc.config import CameraSettings
from streamproc.errors import SourceError
from streamproc.secrets import redact, resolve
from streamproc.sources.address import DeviceAddress, FileAddress, FolderAddress, RtspAddress, parse_address
from streamproc.types import StreamInfo

if TYPE_CHECKING:
    from streamproc.sources.container import ContainerSession


class Demuxed(Protocol):
    """An encoded picture as it was demuxed, with the stream's own times; ``timeline`` gives it its place in a run."""

    @property
    def data(self) -> bytes:
        """The picture, encoded."""
        ...

    @property
    def pts_s(self) -> float | None:
        """Presentation time in seconds from the stream's own zero; None where the stream does not tell."""
        ...

    @property
    def dts_s(self) -> float | None:
        """Decoding time in seconds from the same zero."""
        ...

    @property
    def is_keyframe(self) -> bool:
        """Whether decoding can begin here."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RawPacket:
    """One of which all is at hand."""

    data: bytes
    pts_s: float | None
    dts_s: float | None
    is_keyframe: bool


class Session(Protocol):
    """An open source of packets, used as a context manager and iterated over once.

    Opening and iterating raise ``SourceError`` and nothing else, each within a bounded time where the operating system
    allows it. Iteration ends where the stream ends; for a live one that is a disconnect.
    """

    @property
    def stream(self) -> StreamInfo:
        """What a decoder must know."""
        ...

    @property
    def live(self) -> bool:
        """Whether the source goes on for ever, so that its end is a disconnect."""
        ...

    @property
    def keeps(self) -> bool:
        """Whether what is not read at once is kept meanwhile, and not lost."""
        ...

    def __iter__(self) -> Iterator[Demuxed]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def analysed_address(camera: CameraSettings) -> str:
    """The address that is analysed: the sub-stream where the camera has one."""
    return camera.sub or camera.main


class Opener:
    """Opens sessions with one address of a camera, one after the other.

    To bound the wait for each packet, PyAV takes the GIL at each of some twenty socket operations a packet, and the
    readers of forty cameras wait for each other. FFmpeg's own bound, of each operation, is free, but a camera that
    sends all but pictures keeps it at bay, and its reader is left behind. So packets are bounded only as long as a
    session that was opened without is still open: no camera has two readers left behind.
    """

    def __init__(self, template: str, camera: CameraSettings) -> None:
        """``template`` is an address with its placeholders; what FFmpeg is given has them filled in."""
        self._template, self._camera = template, camera
        self._unbounded: ContainerSession | None = None

    def __call__(self) -> Session:
        """The next session.

        Raises:
            ConfigError: the address is of no kind that is read, or a credential is not set.
            SourceTimeout, SourceRefused, SourceError: it cannot be opened; the reason is in words.
        """
        # FFmpeg is loaded by the first camera, not by `streamproc --help`.
        from streamproc.sources.container import open_device, open_file
        from streamproc.sources.folder import FolderSession

        camera = self._camera
        address = parse_address(self._template)
        match address:
            case RtspAddress(template=url):
                return self._rtsp(resolve(url))
            case DeviceAddress(path=path):
                return open_device(path, camera.id, camera.timeout_s)
            case FileAddress(path=path):
                if not path.exists():
                    raise SourceError(camera.id, f"{redact(str(path))}: no such file or folder")
                return open_file(path, camera.id, camera.timeout_s)
            case FolderAddress(path=path, fps=fps):
                return FolderSession(path, fps, camera.id)
            case _ as unreachable:
                assert_never(unreachable)

    def _rtsp(self, url: str) -> Session:
        from streamproc.sources.container import open_rtsp

        camera = self._camera
        bounded = self._unbounded is not None and not self._unbounded.closed
        session = open_rtsp(url, camera.id, camera.transport, camera.timeout_s, bounded=bounded)
        if not bounded:
            self._unbounded = session
        return session


def open_session(template: str, camera: CameraSettings) -> Session:
    """Open ``template`` once; raises as ``Opener`` does."""
    return Opener(template, camera)()
