"""A camera's normal clips, looked at through the same unit as the live camera, as often as learning needs."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from streamproc.camera import CameraUnit, UnitSettings
from streamproc.errors import ConfigError
from streamproc.normality.flow import flow_size
from streamproc.runtime.clock import Clock
from streamproc.types import CameraFault, CameraState, DropCause, ObservedWindow, PacketBatch, Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUNS_A_CLIP = 1000
"""More than a clip has of breaks in its media time, each of which begins a run."""


def find_clips(patterns: Sequence[str], option: str = "--clips") -> tuple[Path, ...]:
    """The files that the patterns name, sorted by name within each, each once; ``option`` is where they come from.

    Raises:
        ConfigError: a pattern names no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - absolute patterns too
        files = [path for path in paths if path.is_file()]
        if not files and paths:
            raise ConfigError(
                f"{option} {pattern!r} is a folder; name its files, e.g. {option} '{pattern.rstrip('/')}/*.mp4'"
            )
        if not files:
            raise ConfigError(f"{option} {pattern!r} names no file; quote a pattern, e.g. {option} 'normal/*.mp4'")
        found |= dict.fromkeys(path.absolute() for path in files)
    return tuple(found)


def sha256_of(path: Path) -> str:
    """Of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _WindowsOnly:
    """Looks at nothing: hands the window on."""

    def observe(self, window: Window) -> ObservedWindow:
        return ObservedWindow(window, (), (), 0.0)


class _Unheard:
    """Packets are not kept, and what a damaged clip loses is not learned from."""

    def packets(self, batch: PacketBatch) -> None: ...

    def state(self, state: CameraState) -> None: ...

    def window(self, observed: ObservedWindow) -> None: ...

    def main_packets(self, batch: PacketBatch) -> None: ...

    def main_state(self, state: CameraState) -> None: ...

    def fault(self, camera_id: str, fault: CameraFault) -> None: ...

    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None: ...

    def dropped(self, camera_id: str, cause: DropCause, count: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the footage, in windows counted over all clips."""

    first: int
    end: int

    def halves(self) -> tuple[Part, Part]:
        """The earlier and the later half."""
        middle = (self.first + self.end) // 2
        return Part(self.first, middle), Part(middle, self.end)


EVERYTHING = Part(0, 2**62)


class NormalFootage:
    """Normal clips of one camera. Each clip is a run of its own."""

    def __init__(self, clips: Sequence[Path], settings: UnitSettings, clock: Clock) -> None:
        self.clips = tuple(clips)
        self._settings = settings
        self._clock = clock

    def windows(self, part: Part = EVERYTHING) -> Iterator[Window]:
        """The windows of ``part`` in order.

        Raises:
            SourceError: a clip cannot be read.
        """
        return islice(self._all(), part.first, part.end)

    def durations(self, look: Callable[[Window], None]) -> list[float]:
        """Seconds of each clip; ``look`` is given each window on the way.

        Raises:
            SourceError: a clip cannot be read.
            ConfigError: motion would be measured at several sizes, in each of which speeds mean something else.
        """
        ends = dict.fromkeys(range(len(self.clips)), 0.0)
        sizes: dict[tuple[int, int], str] = {}
        for window in self.windows():
            number = (window.run - 1) // _RUNS_A_CLIP
            ends[number] = max(ends[number], (window.captured_at - _EPOCH).total_seconds())
            sizes.setdefault(self._measured_px(window), self.clips[number].name)
            if len(sizes) > 1:
                told = " and ".join(f"{wide}x{high} px in {clip}" for (wide, high), clip in sizes.items())
                raise ConfigError(
                    f"clips of several sizes: motion would be measured at {told}; name those of one stream"
                )
            look(window)
        return list(ends.values())

    def _measured_px(self, window: Window) -> tuple[int, int]:
        height, width = window.last.picture.shape[:2]
        return flow_size(self._settings.normality.flow_width_px, (width, height))

    def _all(self) -> Iterator[Window]:
        for number, clip in enumerate(self.clips):
            camera = self._settings.camera.model_copy(update={"main": str(clip), "sub": None, "realtime": False})
            settings = replace(self._settings, camera=camera)
            unit = CameraUnit(settings, _Unheard(), self._clock, lambda _: _WindowsOnly())
            for observed in unit.run_inline(_EPOCH, first_run=1 + number * _RUNS_A_CLIP):
                yield observed.window
