"""The inspection branch: beside the line from windows to verdicts, with a short queue and a thread of its own.

::

    observed window -> Picker (cheap, in the camera's thread) -> Slots -> Judge (an encoder's time) -> AlertDesk

A slow encoder costs looks, which are counted, and never a window: nothing here makes a camera wait that may lose
pictures. A recording that may not loses nothing: its crops are looked at before the next window is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from streamproc.errors import ChannelClosed, ModelError, SinkError
from streamproc.inspection.live.crops import Crop
from streamproc.inspection.live.judging import Judge
from streamproc.inspection.live.picking import Picker
from streamproc.runtime.clock import Clock
from streamproc.runtime.priority import give_way
from streamproc.runtime.slots import Slots
from streamproc.secrets import redact
from streamproc.types import CropDropCause, ObservedWindow, Picture, Verdict

log = structlog.get_logger(__name__)

_WAIT_S = 0.5
_LOST_IN_A_ROW = 5
"""So many crops lost one after the other are said as an error, not a warning."""


class Desk(Protocol):
    """Takes verdicts to incidents, evidence and the outbox; ``alerts.desk.AlertDesk`` is one."""

    def feed(self, verdict: Verdict, picture: Picture | None = None) -> object:
        """Returns once everything that follows from the verdict is decided; raises SinkError if nothing is."""
        ...


class Explaining(Protocol):
    """Puts defects into words; ``inspection.live.explaining.Explaining`` does."""

    def work(self) -> None:
        """Ask for what waits until ``close``."""
        ...

    def close(self) -> None:
        """Ask nothing more, and wait for no answer."""
        ...


class Counted(Protocol):
    """What is counted; ``observability.metrics.Metrics`` is one."""

    def inspected(self, camera_id: str, defects: int) -> None: ...

    def crop_dropped(self, camera_id: str, cause: CropDropCause, count: int = 1) -> None: ...

    def inspection_took(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class InspectedCamera:
    """What one camera's inspection is made of."""

    picker: Picker
    judge: Judge
    desk: Desk
    may_drop: bool = True
    """False for a recording that is not played in real time."""
    live: bool = True
    """Latencies are measured of these alone: a replay gives the same alerts each time."""
    missing: tuple[str, ...] = ()
    """What is not inspected and why, in words."""


class Inspection:
    """The inspection of a site's cameras."""

    def __init__(
        self,
        cameras: Mapping[str, InspectedCamera],
        metrics: Counted,
        clock: Clock,
        *,
        most_waiting: int = 32,
        explaining: Explaining | None = None,
    ) -> None:
        """``explaining`` has a thread of its own, and is ended with this."""
        self._cameras, self._metrics, self._clock = cameras, metrics, clock
        self.explaining = explaining
        self._waiting: Slots[Crop] = Slots(most_waiting)
        self._lost_in_a_row = 0

    def __len__(self) -> int:
        """Crops that wait."""
        return len(self._waiting)

    def offer(self, observed: ObservedWindow) -> None:
        """Have what is due in a window looked at; returns at once, unless the camera may lose nothing. Never raises."""
        camera_id = observed.window.camera_id
        camera = self._cameras.get(camera_id)
        if camera is None:
            return
        try:
            for crop in camera.picker.add(observed):
                self._put(camera_id, crop)
            while not camera.may_drop and not self._waiting.settle(camera_id, _WAIT_S):
                pass
        except Exception:
            # The camera's own thread is here: what it does beside this goes on.
            log.exception("crops_not_picked", camera=camera_id)

    def look(self, observed: ObservedWindow) -> list[Verdict]:
        """The same here and now, for a replay: what came of the crops that are due."""
        camera = self._cameras.get(observed.window.camera_id)
        verdicts = map(self._look, camera.picker.add(observed)) if camera is not None else ()
        return [verdict for verdict in verdicts if verdict is not None]

    def work(self) -> None:
        """Look at what waits until ``close``."""
        give_way()
        while True:
            with self._waiting.take(_WAIT_S) as crop:
                if crop is not None:
                    self._look(crop)

    def settle(self, camera_id: str, timeout_s: float) -> bool:
        """Wait until nothing of a camera waits or is being looked at; False if that took longer."""
        return self._waiting.settle(camera_id, timeout_s)

    def close(self) -> None:
        """Look at nothing more: after the site was told to stop there is no time for an encoder."""
        for camera_id in self._waiting.close():
            self._metrics.crop_dropped(camera_id, "stopping")

    def missing(self, camera_id: str) -> tuple[str, ...]:
        """What of a camera is not inspected, and why."""
        camera = self._cameras.get(camera_id)
        return camera.missing if camera is not None else ()

    def _put(self, camera_id: str, crop: Crop) -> None:
        try:
            lost = self._waiting.put(camera_id, crop.key, crop)
        except ChannelClosed:
            self._metrics.crop_dropped(camera_id, "stopping")
            return
        if lost is not None:
            cause, whose = lost
            self._metrics.crop_dropped(whose, cause)

    def _look(self, crop: Crop) -> Verdict | None:
        camera_id = crop.frame.camera_id
        camera = self._cameras[camera_id]
        began_s = self._clock.monotonic()
        try:
            verdict = camera.judge.judge(crop)
        except ModelError as error:
            self._lose(camera_id, redact(str(error)))
            return None
        except Exception as error:
            # One crop's failure is its own: the thread is all cameras'.
            log.exception("crop_failed", camera=camera_id)
            self._lose(camera_id, type(error).__name__)
            return None
        self._lost_in_a_row = 0
        if verdict is None:
            return None
        if not crop.again:
            self._metrics.inspected(camera_id, camera.judge.defects)
        if camera.live:
            verdict = self._timed(crop, verdict, self._clock.monotonic() - began_s)
        try:
            camera.desk.feed(verdict, crop.frame.picture)
        except SinkError as error:
            log.error("alert_not_decided", camera=camera_id, error=redact(str(error)))
        return verdict

    def _timed(self, crop: Crop, verdict: Verdict, took_s: float) -> Verdict:
        age_ms = (self._clock.now() - crop.frame.received_at).total_seconds() * 1e3
        if not crop.again:
            self._metrics.inspection_took(took_s)
        return replace(
            verdict, latency_ms={"queue": max(0.0, age_ms - took_s * 1e3), "inspection": max(0.0, took_s * 1e3)}
        )

    def _lose(self, camera_id: str, why: str) -> None:
        self._lost_in_a_row += 1
        self._metrics.crop_dropped(camera_id, "inference")
        tell: Callable[..., object] = log.error if self._lost_in_a_row >= _LOST_IN_A_ROW else log.warning
        tell("crop_lost", camera=camera_id, in_a_row=self._lost_in_a_row, error=why)
