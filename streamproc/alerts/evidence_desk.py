"""One camera's evidence: gathered while an alert is decided, made afterwards, and then put into its message.

Gathering takes references to packets and a picture. The message is decided and held; when its evidence is there, or
cannot be had, the message is completed and let go. In a replay all of it happens at once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from streamproc.alerts.compose import attach
from streamproc.alerts.evidence import Evidence, EvidenceWriter
from streamproc.alerts.evidence_threads import Task
from streamproc.alerts.incidents import Decision
from streamproc.alerts.message import Alert, EvidenceHashes, EvidenceRef
from streamproc.alerts.outbox import Outbox
from streamproc.errors import SinkError
from streamproc.secrets import redact
from streamproc.types import PacketBatch, Picture, Verdict

log = structlog.get_logger(__name__)

HOLD_S = 5.0
"""An alert waits for its evidence at most so long."""
HOLD_RESOLUTION_S = 20.0
"""Nobody is in a hurry for a resolution, and it is the last message that can name the clip of how it went."""
_WINDOW_S = 1.0
QUEUE_FULL = "no evidence: too much of it waits to be made"


class Ring(Protocol):
    """Where clips are cut from; ``sources.evidence.EvidenceRing`` is one."""

    def clip(self, run: int, start_s: float, end_s: float) -> PacketBatch | None: ...


class Threads(Protocol):
    """Where evidence is made; ``evidence_threads.EvidenceThreads`` is one."""

    def put(self, task: Task, *, encodes: bool, resolves: bool, size_bytes: int, camera_id: str) -> bool: ...


class EvidenceMetrics(Protocol):
    """What is counted; ``observability.metrics.Metrics`` is one."""

    def evidence_failed(self, camera_id: str) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What the evidence of one message will be made of."""

    decision: Decision
    picture: Picture | None
    packets: PacketBatch | None
    degraded: tuple[str, ...] = ()
    """In what it is less than was wanted, in words."""

    @property
    def hold_s(self) -> float:
        """How long the message may wait for it, seconds."""
        return HOLD_RESOLUTION_S if self.decision.action == "resolve" else HOLD_S

    @property
    def size_bytes(self) -> int:
        """What it keeps in memory."""
        packets = sum(len(packet.data) for packet in self.packets.packets) if self.packets is not None else 0
        objects = self.decision.verdict.objects if self.decision.verdict is not None else ()
        looked_at = [one.close_up.picture for one in objects if one.close_up is not None]
        pictures = [*looked_at, *([self.picture] if self.picture is not None else [])]
        return packets + sum(math.prod(picture.shape) for picture in pictures)


class EvidenceDesk:
    """Sees to a camera's evidence. ``gather`` and ``make`` are called in turn, in the order of the decisions."""

    def __init__(
        self,
        writer: EvidenceWriter,
        outbox: Outbox,
        ring: Ring | None,
        *,
        threads: Threads | None = None,
        metrics: EvidenceMetrics | None = None,
    ) -> None:
        """Without ``threads`` evidence is made at once, by the caller."""
        self._writer, self._outbox, self._ring = writer, outbox, ring
        self._threads, self._metrics = threads, metrics
        self._encodes: bool | None = None
        self._made: dict[str, EvidenceRef] = {}  # by open incident; also what came too late for its own message
        self._lock = threading.Lock()

    def gather(self, decision: Decision, picture: Picture | None, seen: Verdict | None) -> Gathered | None:
        """What there is for a decision's message, None where it gets none; ``seen`` is the verdict that led to it."""
        if decision.action in (None, "suppress"):
            return None
        try:
            packets = self._cut(decision, seen)
        except Exception as error:  # the alert is decided after this, and is worth more than its evidence
            log.exception("evidence_not_gathered", camera=decision.incident.camera_id)
            return Gathered(decision, picture, None, (f"no packets could be gathered: {type(error).__name__}",))
        return Gathered(decision, picture, packets, packets.degraded if packets is not None else ())

    def make(self, alert: Alert, gathered: Gathered, on_ready: Callable[[Alert], None]) -> None:
        """Have the evidence of a decided, held alert made; ``on_ready`` is given the alert as it goes out."""
        data = alert.data
        if data.action != "resolve":
            with self._lock:
                self._made.setdefault(data.alert_id, data.evidence)
        if self._threads is None:
            self._make(alert, gathered, on_ready)
            return
        # A camera stays in one queue, so that an incident's messages are completed in the order of their revisions: by
        # its id, and by what is done with its clips.
        if self._encodes is None and gathered.packets is not None:
            self._encodes = self._writer.encodes(gathered.packets.stream)
        if not self._threads.put(
            partial(self._make, alert, gathered, on_ready),
            encodes=bool(self._encodes),
            resolves=gathered.decision.action == "resolve",
            size_bytes=gathered.size_bytes,
            camera_id=data.camera.id,
        ):
            self._complete(alert, Evidence(EvidenceRef(), (QUEUE_FULL,)), on_ready)

    def _cut(self, decision: Decision, seen: Verdict | None) -> PacketBatch | None:
        """The run's packets from before the incident until now; from the run's start if it began in the midst. Of an
        update only its window's last second: it makes no clip."""
        until = decision.verdict or seen
        if self._ring is None or until is None:
            return None
        incident = decision.incident
        if decision.action == "update":
            first_s = until.pts_s - _WINDOW_S
        elif incident.first_run == until.run:
            first_s = incident.first_pts_s - self._writer.before_s
        elif incident.run == until.run:
            first_s = 0.0
        else:
            return None  # this run has not seen the incident
        return self._ring.clip(until.run, max(0.0, first_s), until.pts_s)

    def _make(self, alert: Alert, gathered: Gathered, on_ready: Callable[[Alert], None]) -> None:
        decision, packets = gathered.decision, gathered.packets
        resolution = decision.action == "resolve"
        if resolution and (packets is None or not self._outbox.holds(alert.id)):
            # The last clip is all there is: the camera is gone, or nobody would be told of another.
            made = Evidence(EvidenceRef(), ())
        else:
            made = self._writer.write(
                alert.data.alert_id,
                alert.data.revision,
                decision.verdict,
                alert.data.severity,
                decision.at,
                picture=gathered.picture,
                packets=packets,
                # The opening's clip shows how it began, the resolution's how it went; updates would fill the disk.
                with_clip=decision.action != "update",
            )
        self._complete(alert, made, on_ready, gathered.degraded)

    def _complete(
        self, alert: Alert, made: Evidence, on_ready: Callable[[Alert], None], said: tuple[str, ...] = ()
    ) -> None:
        """``said`` is what the evidence is less than wanted by, which is no failure."""
        data = alert.data
        with self._lock:
            ref = _merged(self._made.get(data.alert_id, data.evidence), made.ref)
            if data.action == "resolve":
                self._made.pop(data.alert_id, None)
            elif data.alert_id in self._made:  # else its resolution, for which there was no room, was faster
                self._made[data.alert_id] = ref
        whole = attach(alert, ref, (*said, *made.degraded), made.heatmaps)
        try:
            in_time = self._outbox.complete(whole.id, whole.body())
        except SinkError as error:
            log.error("evidence_not_told", camera=data.camera.id, id=alert.id, error=redact(str(error)))
            in_time = False
        if self._metrics is not None and (made.degraded or not in_time):
            self._metrics.evidence_failed(data.camera.id)
        if in_time or self._threads is None:  # a replay tells what was decided, whatever became of its evidence
            on_ready(whole)
        if not in_time:
            log.warning("evidence_late", camera=data.camera.id, id=alert.id)


def _merged(kept: EvidenceRef, new: EvidenceRef) -> EvidenceRef:
    """The new evidence, and what the incident had where there is no new one."""
    return EvidenceRef(
        snapshot_uri=new.snapshot_uri or kept.snapshot_uri,
        clip_uri=new.clip_uri or kept.clip_uri,
        sha256=EvidenceHashes(
            snapshot=new.sha256.snapshot or kept.sha256.snapshot,
            clip=new.sha256.clip or kept.sha256.clip,
            heatmaps=new.sha256.heatmaps or kept.sha256.heatmaps,
        ),
    )
