"""What a site and a process that watches cameras say to each other, beside what the cameras emit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from streamproc.camera import UnitSettings
from streamproc.normality.calibration import Calibration
from streamproc.types import CameraFault, CameraState, DropCause, ObservedWindow, Packet, StreamInfo

PacketRow = tuple[int, float, float, datetime, bool, bytes]
"""A packet without its camera: run, pts_s, dts_s, received_at, is_keyframe, data. A third cheaper than the noun."""


@dataclass(frozen=True, slots=True)
class CameraOrders:
    """One camera to be watched."""

    settings: UnitSettings
    calibration: Calibration | None
    first_run: int
    first_main_run: int
    """Of the main stream beside a sub-stream."""
    events_fd: int = -1
    """In the process that gets the orders."""
    windows_fd: int = -1


@dataclass(frozen=True, slots=True)
class Orders:
    """The first message to a process. Settings hold placeholders; credentials are resolved where a camera is opened."""

    name: str
    """Of the process, for its log lines."""
    cameras: tuple[CameraOrders, ...]
    models: Path
    """Cache of the embedded models."""
    log_format: Literal["console", "json"]
    log_level: Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class StopCamera:
    """To the process: end this camera."""

    camera_id: str


@dataclass(frozen=True, slots=True)
class Leave:
    """To the process: end everything and go; another one takes over."""


@dataclass(frozen=True, slots=True)
class Beat:
    """From the process, once a second: it is alive."""

    memory_mb: float
    """Resident."""
    cpu_s: float
    """Processor time so far."""


@dataclass(frozen=True, slots=True)
class Failed:
    """From the process, before it ends: it cannot go on."""

    reason: str
    """Without credentials."""


# ---- a camera's events, in order; its windows have a socket of their own


@dataclass(frozen=True, slots=True)
class PacketsReceived:
    """Packets of the analysed stream, or of the main stream beside it."""

    stream: StreamInfo
    rows: tuple[PacketRow, ...]
    main: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """What was lost and decoded since this was last told."""

    dropped: tuple[tuple[DropCause, int], ...]
    decoded: int
    keyframe_every_s: float | None


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The camera's, or its main stream's."""

    state: CameraState
    main: bool


@dataclass(frozen=True, slots=True)
class FaultFound:
    """Among the camera's threads."""

    fault: CameraFault


@dataclass(frozen=True, slots=True)
class CameraOver:
    """The camera's last event: it was told to end, or its recording did."""


Event = PacketsReceived | Counted | StateChanged | FaultFound | CameraOver


@dataclass(frozen=True, slots=True, eq=False)
class WindowObserved:
    """A window; the process waits for the answer before it sends the next one."""

    observed: ObservedWindow
    after: int
    """Events that were sent before it."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """To the process: the window was taken, or none is taken any more."""

    taken: Literal["taken", "closed", "failed"]
    changed: bool = False
    """Whether another calibration is in force from now on."""
    calibration: Calibration | None = None
    """That one."""


def row_of(packet: Packet) -> PacketRow:
    """The packet without its camera."""
    return (packet.run, packet.pts_s, packet.dts_s, packet.received_at, packet.is_keyframe, packet.data)
