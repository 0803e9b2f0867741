# Longer than 300 lines: every series that a dashboard can show is declared on one page.
"""What is counted and measured, as Prometheus metrics on a registry of their own.

Stages call the methods; none knows a metric's name. Labels stay within what the site configured: a camera that is not
in the settings is counted as ``other``, so that no mistake can let the number of series grow without end. Each series
of a configured camera exists from the start at 0, so that a first increase is seen as one.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, ProcessCollector

from streamproc import __version__
from streamproc.errors import NotSentCause
from streamproc.observability.servers import ServerCollector
from streamproc.types import (
    CameraFault,
    CameraPhase,
    CropDropCause,
    DropCause,
    Judgement,
    PacketDropCause,
    Reflection,
    ServerReading,
    SkipCause,
    WindowDropCause,
)

Stage = Literal["decode", "observe", "queue", "perception", "deduction", "inspection", "publish", "capture_to_topic"]
ModelRole = Literal["detector", "perception", "deduction", "embedding", "explanation"]
AskedRole = Literal["perception", "deduction"]
"""What a model server is asked for about windows."""
ShardEnd = Literal["died", "hung", "memory"]
"""Why a process that watches cameras had to be followed by another. ``died``: it crashed, was killed or gave up;
``hung``: it gave no sign of life; ``memory``: it grew beyond its bound."""

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The metrics of one process. All methods may be called from any thread."""

    def __init__(self, cameras: Iterable[str], registry: CollectorRegistry | None = None) -> None:
        """``cameras`` are the ids the site configured; ``registry`` is a fresh one if left out."""
        self.registry = registry = CollectorRegistry() if registry is None else registry
        self._cameras = frozenset(cameras)

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"streamproc_{name}", says, labels, registry=registry)

        def gauge(name: str, says: str, *labels: str) -> Gauge:
            return Gauge(f"streamproc_{name}", says, labels, registry=registry)

        self._packets = counter("packets", "Packets received.", "camera")
        self._bytes = counter("packet_bytes", "Bytes of packets received.", "camera")
        self._decoded = counter("pictures_decoded", "Pictures decoded; of the rest of its packets none.", "camera")
        self._keyframe_every = gauge("keyframe_interval_seconds", "How far apart a camera's keyframes are.", "camera")
        self._frames = counter("frames", "Frames looked at.", "camera")
        self._last_packet = gauge("last_packet_timestamp_seconds", "Wall-clock time of the last packet.", "camera")
        self._windows = counter("windows", "Windows observed: tracked and measured.", "camera")
        self._dropped = counter("windows_dropped", "Windows lost before a model saw them.", "camera", "cause")
        self._packets_dropped = counter("packets_dropped", "Packets that were never decoded.", "camera", "cause")
        self._skipped = counter("windows_skipped", "Windows not worth a model's time.", "camera", "cause")
        self._lost = counter("windows_lost", "Windows lost because a model or its server failed.", "camera", "role")
        self._not_sent = counter(
            "model_requests_dropped", "Windows that a model server was not asked about.", "camera", "role", "cause"
        )
        self._latency = Histogram(
            "streamproc_latency_seconds",
            "Time a window takes, by stage.",
            ["stage"],
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._queue = gauge("queue_items", "Items that wait in a queue.", "queue")
        self._verdicts = counter("verdicts", "Verdicts on windows.", "camera", "judgement")
        self._asked = counter("llm_windows", "Windows that the language model was asked about.", "camera")
        self._reflected = counter("llm_reflections", "Further questions to the language model.", "camera", "outcome")
        self._inspected = counter("crops_inspected", "Crops of regions and objects that were looked at.", "camera")
        self._crops_dropped = counter("crops_dropped", "Crops that were not inspected.", "camera", "cause")
        self._defects = gauge("defects", "Regions and objects that are not as they should be.", "camera")
        self._incidents = gauge("incidents_open", "Incidents that are going on.", "camera")
        self._decided = counter("alerts_decided", "Alert messages that the outbox holds for good.", "camera", "action")
        self._delivered = counter("alerts_delivered", "Alert messages that a sink confirmed.", "sink")
        self._pending = gauge("alerts_pending", "Alert messages decided and not yet delivered.", "sink")
        self._oldest = gauge("alerts_pending_oldest_seconds", "Age of the oldest undelivered message.", "sink")
        self._failures = counter("delivery_failures", "Attempts at delivery that failed and will be repeated.", "sink")
        self._dead = counter("alerts_dead_lettered", "Alert messages that a sink refused for good.", "sink")
        self._health_lost = counter("health_dropped", "Health messages that newer ones replaced unsent.", "sink")
        told = "Readers left behind, cameras started afresh, decoders replaced."
        self._faults = counter("camera_faults", told, "camera", "fault")
        self._cut_short = counter("ring_cut_short", "Groups of pictures gone early for ring_mb.", "camera")
        self._phase = Enum(
            "streamproc_camera_phase",
            "Condition of the session with a camera.",
            ["camera"],
            registry=registry,
            states=list(get_args(CameraPhase)),
        )
        self._reconnects = counter("reconnects", "Sessions with a camera after its first.", "camera")
        self._main_up = gauge(
            "main_stream_up", "Whether the main stream beside a sub-stream streams: 1 or 0.", "camera"
        )
        self._model_up = gauge("model_server_up", "Whether any of a role's servers answers: 1 or 0.", "role")
        self._servers = ServerCollector()
        registry.register(self._servers)
        self._rules = gauge("rule_set_version", "Version of the rule set in force.", "camera")
        self._drifted = gauge(
            "normal_drifted", "Whether a camera has for hours measured otherwise than was learned: 1 or 0.", "camera"
        )
        self._reload_failures = counter("rule_reload_failures", "Rule files that were refused.", "camera")
        self._evidence_failures = counter("evidence_failures", "Alerts whose evidence is missing or late.", "camera")
        self._evidence_deleted = counter("evidence_deleted", "Evidence files deleted for age or size.", "reason")
        self._restarts = counter("thread_restarts", "Threads that ended unexpectedly and were started again.", "thread")
        self._shard_cameras = gauge(
            "shard_cameras", "Cameras that a process watches; 0 while it does not run.", "shard"
        )
        self._shard_memory = gauge("shard_memory_bytes", "Resident memory of a process that watches cameras.", "shard")
        self._shard_cpu = gauge("shard_cpu_seconds", "Processor time of such a process since it began.", "shard")
        self._shard_restarts = counter("shard_restarts", "Such processes that others had to follow.", "shard", "cause")
        self._stand_in = gauge("stand_in", "1 for each part that runs on an embedded stand-in.", "role", "stand_in_for")
        self._disk = gauge("disk_free_bytes", "Space left where the outbox and the evidence are written.", "holds")
        Info("streamproc_build", "What is running.", registry=registry).info({"version": __version__})
        ProcessCollector(registry=registry)
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        by_camera = (
            self._packets, self._bytes, self._decoded, self._frames, self._windows, self._incidents,
            self._reconnects, self._rules,
            self._reload_failures, self._evidence_failures, self._cut_short, self._asked, self._drifted,
            self._inspected, self._defects,
        )  # fmt: skip
        for camera in self._cameras:
            for metric in by_camera:
                metric.labels(camera)
            for cause in get_args(PacketDropCause):
                self._packets_dropped.labels(camera, cause)
            for cause in get_args(WindowDropCause):
                self._dropped.labels(camera, cause)
            for cause in get_args(CropDropCause):
                self._crops_dropped.labels(camera, cause)
            for cause in get_args(SkipCause):
                self._skipped.labels(camera, cause)
            for role in get_args(AskedRole):
                for cause in get_args(NotSentCause):
                    self._not_sent.labels(camera, role, cause)
            for fault in get_args(CameraFault):
                self._faults.labels(camera, fault)
            for judgement in get_args(Judgement):
                self._verdicts.labels(camera, judgement)
            for outcome in get_args(Reflection):
                self._reflected.labels(camera, outcome)
            self._phase.labels(camera)
        self.evidence_deleted(0, 0)
        for stage in get_args(Stage):
            self._latency.labels(stage)

    def _camera(self, camera_id: str) -> str:
        return camera_id if camera_id in self._cameras else "other"

    # ---- cameras

    def packets(self, camera_id: str, count: int, size_bytes: int, received_at_s: float) -> None:
        """Packets of together ``size_bytes`` came, the last at ``received_at_s``, seconds since 1970."""
        camera = self._camera(camera_id)
        self._packets.labels(camera).inc(count)
        self._bytes.labels(camera).inc(size_bytes)
        self._last_packet.labels(camera).set(received_at_s)

    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None:
        """Pictures were decoded; keyframes are ``keyframe_every_s`` seconds apart."""
        camera = self._camera(camera_id)
        self._decoded.labels(camera).inc(pictures)
        if keyframe_every_s is not None:
            self._keyframe_every.labels(camera).set(keyframe_every_s)

    def frames(self, camera_id: str, count: int = 1) -> None:
        """Frames are looked at."""
        self._frames.labels(self._camera(camera_id)).inc(count)

    def camera_phase(self, camera_id: str, phase: CameraPhase) -> None:
        """The camera's condition changed."""
        self._phase.labels(self._camera(camera_id)).state(phase)

    def camera_fault(self, camera_id: str, fault: CameraFault) -> None:
        """Something went wrong among the camera's threads."""
        self._faults.labels(self._camera(camera_id), fault).inc()

    def ring_cut_short(self, camera_id: str, count: int) -> None:
        """The evidence ring held less than ``ring_s``, because ``ring_mb`` was too little."""
        self._cut_short.labels(self._camera(camera_id)).inc(count)

    def main_stream(self, camera_id: str, up: bool) -> None:
        """The main stream beside a sub-stream, for evidence, streams or does not."""
        self._main_up.labels(self._camera(camera_id)).set(up)

    def reconnect(self, camera_id: str) -> None:
        """A further session with the camera began."""
        self._reconnects.labels(self._camera(camera_id)).inc()

    # ---- windows

    def window(self, camera_id: str) -> None:
        """A window was tracked and measured."""
        self._windows.labels(self._camera(camera_id)).inc()

    def dropped(self, camera_id: str, cause: DropCause, count: int = 1) -> None:
        """Packets were lost before they were decoded, or windows before a model saw them."""
        lost = self._packets_dropped if cause in get_args(PacketDropCause) else self._dropped
        lost.labels(self._camera(camera_id), cause).inc(count)

    def drifted(self, camera_id: str, is_so: bool) -> None:
        """What is measured has drifted from the footage that was learned, or has come back."""
        self._drifted.labels(self._camera(camera_id)).set(is_so)

    def skipped(self, camera_id: str, cause: SkipCause = "still", count: int = 1) -> None:
        """So many windows were not worth a model's time."""
        self._skipped.labels(self._camera(camera_id), cause).inc(count)

    def inspected(self, camera_id: str, defects: int) -> None:
        """A crop was looked at; ``defects`` of the camera's things are now not as they should be."""
        self._inspected.labels(self._camera(camera_id)).inc()
        self._defects.labels(self._camera(camera_id)).set(defects)

    def inspection_took(self, seconds: float) -> None:
        """A crop was looked at in this time."""
        self.latency("inspection", seconds)

    def crop_dropped(self, camera_id: str, cause: CropDropCause, count: int = 1) -> None:
        """Crops were not inspected."""
        self._crops_dropped.labels(self._camera(camera_id), cause).inc(count)

    def lost(self, camera_id: str, role: ModelRole) -> None:
        """A window was lost because a model failed on it (``InferenceError``)."""
        self._lost.labels(self._camera(camera_id), role).inc()

    def not_sent(self, camera_id: str, role: AskedRole, cause: NotSentCause) -> None:
        """A model server was not asked about a window; a window that is not put into words has the verdict unknown."""
        self._not_sent.labels(self._camera(camera_id), role, cause).inc()

    def latency(self, stage: Stage, seconds: float) -> None:
        """One window, or for ``publish`` and ``capture_to_topic`` one message, took this long."""
        self._latency.labels(stage).observe(max(0.0, seconds))

    def queue(self, name: str, depth: Callable[[], int]) -> None:
        """Have ``depth`` (``channel.__len__``) asked at each scrape; once a queue, at wiring."""
        self._queue.labels(name).set_function(depth)

    # ---- models, rules

    def model_server(self, role: ModelRole, up: bool) -> None:
        """A model server answered, or did not."""
        self._model_up.labels(role).set(up)

    def model_servers(self, role: ModelRole, read: Callable[[], Sequence[ServerReading]]) -> None:
        """Have ``read`` asked at each scrape for what is known of the role's servers; once a role, at wiring."""
        self._servers.add(role, read)

    def stand_in(self, role: str, stand_in_for: str) -> None:
        """A part runs on an embedded stand-in."""
        self._stand_in.labels(role, stand_in_for).set(1)

    def rule_set(self, camera_id: str, version: int) -> None:
        """A rule set is in force."""
        self._rules.labels(self._camera(camera_id)).set(version)

    def rule_reload_failed(self, camera_id: str) -> None:
        """An edited rule file was refused; the old set stays."""
        self._reload_failures.labels(self._camera(camera_id)).inc()

    # ---- verdicts, alerts

    def verdict(self, camera_id: str, judgement: Judgement) -> None:
        """A window was judged."""
        self._verdicts.labels(self._camera(camera_id), judgement).inc()

    def llm_asked(self, camera_id: str, reflected: Reflection | None) -> None:
        """The language model was asked about a window; beside the verdicts, this is its share of the windows."""
        self._asked.labels(self._camera(camera_id)).inc()
        if reflected is not None:
            self._reflected.labels(self._camera(camera_id), reflected).inc()

    def incidents_open(self, camera_id: str, count: int) -> None:
        """So many incidents go on at the camera."""
        self._incidents.labels(self._camera(camera_id)).set(count)

    def alert_decided(self, camera_id: str, action: Literal["open", "update", "resolve", "suppress"]) -> None:
        """The outbox's transaction returned."""
        self._decided.labels(self._camera(camera_id), action).inc()

    def alert_delivered(self, sink: str, count: int = 1) -> None:
        """A sink confirmed messages."""
        self._delivered.labels(sink).inc(count)

    def alerts_pending(self, sink: str, count: int, oldest_s: float = 0.0) -> None:
        """So many messages wait for a sink, the oldest for ``oldest_s`` seconds."""
        self._pending.labels(sink).set(count)
        self._oldest.labels(sink).set(oldest_s)

    def delivery_failed(self, sink: str) -> None:
        """A sink was unreachable; the outbox keeps the messages."""
        self._failures.labels(sink).inc()

    def dead_lettered(self, sink: str) -> None:
        """A sink refused a message for good."""
        self._dead.labels(sink).inc()

    def health_dropped(self, sink: str) -> None:
        """A health message made room for a newer one before it could be sent."""
        self._health_lost.labels(sink).inc()

    def evidence_failed(self, camera_id: str) -> None:
        """An alert goes out without a picture or clip: it could not be written, or not in time."""
        self._evidence_failures.labels(self._camera(camera_id)).inc()

    def evidence_deleted(self, age: int, size: int) -> None:
        """So many files went because they were too old, and so many because there was too much."""
        self._evidence_deleted.labels("age").inc(age)
        self._evidence_deleted.labels("size").inc(size)

    # ---- the process

    def disk(self, holds: Literal["outbox", "evidence"], path: Path) -> None:
        """Have the space left at ``path``, or at the folder it will be made in, asked at each scrape; at wiring."""
        self._disk.labels(holds).set_function(lambda: _free_bytes(path))

    def thread_restarted(self, name: str) -> None:
        """The supervisor started a thread again."""
        self._restarts.labels(name).inc()

    # ---- processes that watch cameras

    def shard_up(self, shard: str, cameras: int) -> None:
        """A process watches so many cameras; 0 where it does not run."""
        for cause in get_args(ShardEnd):
            self._shard_restarts.labels(shard, cause)
        self._shard_cameras.labels(shard).set(cameras)

    def shard_used(self, shard: str, memory_mb: float, cpu_s: float) -> None:
        """What a process takes."""
        self._shard_memory.labels(shard).set(memory_mb * 1e6)
        self._shard_cpu.labels(shard).set(cpu_s)

    def shard_gone(self, shard: str) -> None:
        """A process has no cameras any more, and none follows it."""
        for gauge in (self._shard_cameras, self._shard_memory, self._shard_cpu):
            gauge.remove(shard)

    def shard_restarted(self, shard: str, cause: ShardEnd) -> None:
        """Another process follows."""
        self._shard_restarts.labels(shard, cause).inc()


def _free_bytes(path: Path) -> float:
    for place in (path, *path.absolute().parents):
        try:
            return float(shutil.disk_usage(place).free)
        except FileNotFoundError:
            continue
        except OSError:
            break
    return math.nan
