# Longer than 300 lines: how all stages of a site are joined is read in one place, and each is joined once.
"""Puts a site together from its settings: the one place that knows every stage.

What one camera needs beyond its unit (gate, words, rules, verdict, alerts) is made by ``camera_line``, for `run` and
for `replay` alike; ``assemble`` makes the rest of a running site.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from streamproc.alerts.compose import Origin
from streamproc.alerts.delivery import Delivery
from streamproc.alerts.desk import AlertDesk
from streamproc.alerts.evidence import EvidenceWriter
from streamproc.alerts.evidence_desk import EvidenceDesk
from streamproc.alerts.evidence_threads import EvidenceThreads
from streamproc.alerts.health import part_health
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.message import Alert, ClockNote
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.removed import resolve_removed
from streamproc.alerts.sinks import make_sink, sink_names
from streamproc.backends import Backends, Role
from streamproc.calibrations import CalibrationInForce
from streamproc.camera import CameraUnit, UnitSettings
from streamproc.camera_inspection import camera_inspection
from streamproc.camera_rules import alarm_score, rules_path
from streamproc.config import CameraSettings, LlmSettings, VlmPerception
from streamproc.decoding.masks import mask_picture
from streamproc.deduction.deducer import Deducer
from streamproc.inspection_branch import InspectedCamera, Inspection
from streamproc.line import CameraLine
from streamproc.models.store import ModelStore
from streamproc.observability.metrics import Metrics
from streamproc.perception.scene import SceneCaptioner
from streamproc.pipeline import CameraParts, Hub, Site, Unit
from streamproc.rules.live import LiveRules
from streamproc.rules.watch import RuleFile, aside, in_place
from streamproc.runtime.breaker import Health as ServerHealth
from streamproc.runtime.clock import Clock
from streamproc.runtime.supervisor import Supervisor
from streamproc.sampling.gate import WindowGate
from streamproc.sampling.shedding import Shedding
from streamproc.shards.child import Launcher
from streamproc.shards.fleet import Fleet
from streamproc.shards.hearing import Hearing
from streamproc.site import LoadedSite
from streamproc.sources.address import is_live
from streamproc.sources.evidence import EvidenceRing
from streamproc.sources.session import analysed_address
from streamproc.types import Explained, ObservedWindow, RuleSet

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """A site ready to start."""

    site: Site
    supervisor: Supervisor
    hub: Hub
    metrics: Metrics
    backends: Backends
    outbox: Outbox
    deliveries: tuple[Delivery, ...]
    calibrations: Mapping[str, CalibrationInForce]
    """By camera."""
    lines: Mapping[str, CameraLine]
    """By camera."""
    fleet: Fleet | None
    """The processes that cameras are watched in; None where that is this one."""


def unit_settings(loaded: LoadedSite, camera: CameraSettings) -> UnitSettings:
    """What the camera's unit needs to know."""
    pipeline = loaded.pipeline
    return UnitSettings(
        camera=camera, sampling=pipeline.sampling, decoder=pipeline.decoder, normality=pipeline.normality
    )


def camera_line(
    loaded: LoadedSite,
    camera: CameraSettings,
    backends: Backends,
    calibration: CalibrationInForce,
    desk: AlertDesk,
    metrics: Metrics,
    clock: Clock,
    *,
    take_dropped: Callable[[], int] = lambda: 0,
    live: bool = True,
) -> CameraLine:
    """The camera's line; from now on ``calibration`` is in force, and follows the rules.

    Raises:
        ConfigError: its rule file or its calibration does not load.
    """
    settings = loaded.pipeline.deduction
    zones = [zone.name for zone in camera.zones]

    def in_force(rules: RuleSet) -> None:
        metrics.rule_set(camera.id, rules.version)
        for rule in rules.rules:
            if rule.when and (unknown := [zone for zone in rule.when.zones if zone not in zones]):
                log.warning("rule_without_zone", camera=camera.id, rule=rule.id, unknown=unknown, zones=zones)

    file = RuleFile(
        rules_path(loaded, camera),
        clock,
        calibration=calibration,
        recorded=live,
        work=aside if live else in_place,
        on_change=in_force,
        on_refusal=lambda _: metrics.rule_reload_failed(camera.id),
    )
    in_force(file.rules)
    # Where nothing may be lost, pictures are stamped by media time, and their age means nothing.
    in_time = live and (camera.realtime or is_live(analysed_address(camera)))
    rules = LiveRules(file, backends.embedder, settings.semantic_threshold, camera.timezone, zones)
    return CameraLine(
        camera.id,
        _gate(loaded, camera, rules, calibration),
        backends.captioner(camera),
        rules,
        Deducer(
            settings,
            backends.llm(),
            zones=camera.zones,
            models=backends.models(),
            stale_after_s=_stale_after_s(settings.llm, 2) if in_time else math.inf,
            on_not_sent=partial(metrics.not_sent, camera.id, "deduction"),
        ),
        desk,
        metrics,
        clock,
        take_dropped=take_dropped,
        live=live,
        stale_after_s=_stale_after_s(loaded.pipeline.perception) if in_time else math.inf,
    )


def _gate(loaded: LoadedSite, camera: CameraSettings, rules: LiveRules, calibration: CalibrationInForce) -> WindowGate:
    settings = loaded.pipeline.sampling
    share = settings.gate_usual
    if share is None:
        return WindowGate(settings)
    words = SceneCaptioner(camera.zones)

    def usual() -> float | None:
        known = calibration.calibration()
        return None if known is None else known.usual_up_to(share)

    def speaks(observed: ObservedWindow) -> bool:
        in_force, matches = rules.match(words.caption(observed), observed)
        anomalies = {rule.id for rule in in_force.rules if rule.says == "anomaly"}
        return any(match.how == "keyword" and match.rule_id in anomalies for match in matches)

    return WindowGate(settings, usual, speaks)


def _stale_after_s(asked: object, deadlines: int = 1) -> float:
    """How old a window may be before a server is not asked about it any more."""
    if not isinstance(asked, VlmPerception | LlmSettings):
        return math.inf
    return asked.stale_after_s or deadlines * asked.deadline_s


def camera_desk(
    loaded: LoadedSite,
    camera: CameraSettings,
    outbox: Outbox,
    ring: EvidenceRing | None,
    metrics: Metrics,
    clock: Clock,
    *,
    on_ready: Callable[[Alert], None] | None = None,
    evidence: Path | None = None,
    threads: EvidenceThreads | None = None,
    replayed: bool = False,
    explained: Callable[[], Sequence[Explained]] = tuple,
) -> AlertDesk:
    """Where the camera's verdicts become alerts; pictures and clips go to ``evidence``, none are made without it.

    They are made on ``threads``, or by the caller before the alert is told where there are none. ``explained`` takes
    what has been said of the camera's defects, where their incident begins and where it ends.
    """
    alerts = loaded.settings.alerts
    exhibits = None
    if evidence is not None:
        kept = alerts.evidence.model_copy(update={"directory": evidence})
        writer = EvidenceWriter(kept, camera, partial(mask_picture, masks=camera.privacy_masks))
        exhibits = EvidenceDesk(writer, outbox, ring, threads=threads, metrics=metrics)
    origin = Origin(loaded.settings.site, camera, ClockNote(source="replay" if replayed else "receipt"))
    incidents = Incidents(
        loaded.settings.site.id,
        camera.id,
        alerts.incidents,
        schedules=camera.schedule,
        timezone=camera.timezone,
        stored=outbox.incidents(camera.id),
    )
    return AlertDesk(
        origin,
        incidents,
        outbox,
        evidence=exhibits,
        on_ready=on_ready,
        metrics=metrics,
        clock=clock,
        explained=explained,
    )


def assemble(loaded: LoadedSite, store: ModelStore, clock: Clock) -> Assembled:
    """Make everything a running site consists of; nothing is started, no camera is connected to.

    Incidents of cameras that are no longer in the site file are resolved.

    Raises:
        ConfigError: a rule file or a calibration is missing or does not load.
        ModelLoadError: a model cannot be had.
        SinkError: the outbox does not open.
    """
    settings = loaded.settings
    metrics = Metrics([camera.id for camera in settings.cameras])
    for camera in settings.cameras:
        alarm_score(loaded, camera)  # a mistake in a rule file is told before models are fetched and loaded
    hub = Hub(settings.site.id, metrics, clock)

    def server_health(role: Role, health: ServerHealth) -> None:
        metrics.model_server(role, health.up)
        hub.health(
            part_health(
                settings.site.id,
                "model_server",
                role,
                available=health.up,
                at=clock.now(),
                detail=health.reason,
            )
        )

    backends = Backends(loaded.pipeline, store, clock, server_health)
    for role, server in backends.servers.items():
        metrics.model_servers(role, server.readings)
    names = sink_names(settings.alerts.sinks)
    outbox = Outbox(settings.alerts.outbox, names, clock)
    resolve_removed(settings, outbox, metrics, clock)
    deliveries = tuple(
        Delivery(name, make_sink(sink), outbox, site=settings.site.id, metrics=metrics, on_health=hub.health)
        for name, sink in zip(names, settings.alerts.sinks, strict=True)
    )

    def wake(_: Alert) -> None:
        for delivery in deliveries:
            delivery.wake()

    threads, kept = EvidenceThreads(), settings.alerts.evidence
    cameras: dict[str, CameraParts] = {}
    inspected: dict[str, InspectedCamera] = {}
    explaining = backends.explaining()
    calibrations = {
        camera.id: CalibrationInForce(rules_path(loaded, camera), loaded.pipeline.normality)
        for camera in settings.cameras
    }
    fleet = _fleet(loaded, store, hub, calibrations, metrics, clock) if loaded.processes else None
    shedding = Shedding(clock)
    units: Mapping[str, Unit] = (
        {
            camera.id: CameraUnit(
                unit_settings(loaded, camera),
                hub,
                clock,
                partial(backends.observer, calibrations[camera.id].calibration),
                shedding=shedding,
            )
            for camera in settings.cameras
        }
        if fleet is None
        else {camera.id: fleet.unit(camera.id) for camera in settings.cameras}
    )
    for camera in settings.cameras:
        has_sub = camera.sub is not None
        ring = EvidenceRing(kept.ring_s, kept.ring_mb, with_main=has_sub, masked=bool(camera.privacy_masks))
        desk = camera_desk(
            loaded,
            camera,
            outbox,
            ring,
            metrics,
            clock,
            on_ready=wake,
            evidence=kept.directory,
            threads=threads,
            explained=partial(explaining.take, camera.id) if explaining is not None else tuple,
        )
        taken = partial(hub.take_dropped, camera.id)
        line = camera_line(loaded, camera, backends, calibrations[camera.id], desk, metrics, clock, take_dropped=taken)
        cameras[camera.id] = CameraParts(units[camera.id], ring, desk, line)
        close_looks = camera_inspection(loaded, camera, backends, desk, line.rules, metrics, words=explaining)
        if close_looks is not None:
            inspected[camera.id] = close_looks
    inspection = None
    if (looks := loaded.pipeline.inspection) is not None and inspected:
        inspection = Inspection(inspected, metrics, clock, most_waiting=looks.most_waiting, explaining=explaining)
        metrics.queue("inspection", inspection.__len__)
    lines = {name: parts.line for name, parts in cameras.items()}
    hub.connect(
        {name: parts.ring for name, parts in cameras.items()},
        {name: parts.desk for name, parts in cameras.items()},
        deliveries,
        inspection,
    )
    metrics.disk("outbox", settings.alerts.outbox)
    metrics.disk("evidence", kept.directory)
    metrics.queue("lanes", hub.lanes.__len__)
    metrics.queue("evidence", threads.__len__)
    supervisor = Supervisor(clock, metrics.thread_restarted)
    site = Site(hub, cameras, deliveries, outbox, threads, kept, clock, supervisor, loaded.workers, metrics, inspection)
    return Assembled(site, supervisor, hub, metrics, backends, outbox, deliveries, calibrations, lines, fleet)


def _fleet(
    loaded: LoadedSite,
    store: ModelStore,
    hub: Hub,
    calibrations: Mapping[str, CalibrationInForce],
    metrics: Metrics,
    clock: Clock,
) -> Fleet:
    pages = loaded.settings.observability
    hearings = {
        camera.id: Hearing(unit_settings(loaded, camera), hub, calibrations[camera.id].calibration, clock)
        for camera in loaded.settings.cameras
    }
    launch = Launcher(store.cache_dir, pages.log_format, pages.log_level)
    return Fleet(hearings, loaded.processes, launch, clock, metrics, loaded.process_memory_mb)
