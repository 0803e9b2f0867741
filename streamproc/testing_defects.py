"""Public fakes for inspection in the stream: a scripted inspector, and windows of a camera that show something."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from streamproc.inspection.live.findings import Finding, Opinion
from streamproc.inspection.nouns import Pixels
from streamproc.types import Frame, ModelRef, ObservedWindow, Track, Window

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


class FakeInspector:
    """Says of each crop what ``says`` returns, in times of the threshold, or raises what it returns.

    Where ``gate`` is given it waits for it, at most twenty seconds, as a slow encoder would.
    """

    models = (ModelRef("inspection", "fake", "1"),)
    degraded: tuple[str, ...] = ()

    def __init__(
        self, says: Callable[[Pixels], float | Exception] = lambda _: 0.5, gate: threading.Event | None = None
    ) -> None:
        self._says, self._gate = says, gate
        self.asked: list[Pixels] = []
        self.reached = threading.Event()
        """Set when it is first asked."""

    def inspect(self, crop: Pixels) -> Finding:
        """The heat is in the upper left; the memory says half of what the expert does."""
        self.asked.append(crop)
        self.reached.set()
        if self._gate is not None:
            self._gate.wait(20)
        times = self._says(crop)
        if isinstance(times, Exception):
            raise times
        heat = np.zeros((8, 8), np.float32)
        heat[:2, :2] = min(1.0, times / 2)
        return Finding(times, (Opinion("memory", times / 2), Opinion("expert", times)), heat)


def checked(width: int = 160, height: int = 120, level: int = 200, blur: bool = False) -> Pixels:
    """A chequered picture, 4 px a field: sharp, or of one level where ``blur``."""
    rows, columns = np.indices((height, width)) // 4
    fields = np.full((height, width), level // 2) if blur else np.where((rows + columns) % 2, level, 20)
    return np.repeat(fields[..., None], 3, 2).astype(np.uint8)


def seen(
    pts_s: float, pictures: Sequence[Pixels] = (), tracks: Sequence[Track] = (), *, run: int = 1, camera: str = "gate"
) -> ObservedWindow:
    """A window that ends at ``pts_s``: ``pictures`` (one sharp picture if none) 0.1 s apart, and ``tracks``."""
    shown = tuple(pictures) or (checked(),)
    frames = tuple(
        Frame(camera, run, at_s, START + timedelta(seconds=at_s), picture)
        for at_s, picture in ((pts_s - (len(shown) - 1 - i) / 10, one) for i, one in enumerate(shown))
    )
    return ObservedWindow(Window(camera, run, 0, (frames,)), tuple(tracks), (), 0.0)
