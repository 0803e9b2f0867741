"""`streamproc run`: a site from start to the signal that ends it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import structlog

from streamproc import __version__
from streamproc.assembly import Assembled, assemble
from streamproc.backends import Role
from streamproc.camera_rules import set_without_llm
from streamproc.errors import InferenceError, StageError
from streamproc.models.store import ModelStore
from streamproc.observability import logs
from streamproc.observability.server import Health, ObservabilityServer, Reading
from streamproc.runtime.clock import SystemClock
from streamproc.runtime.garbage import freeze_loaded
from streamproc.runtime.signals import on_signals
from streamproc.secrets import redact
from streamproc.site import LoadedSite, load_site

log = structlog.get_logger(__name__)

STOP_WITHIN_S = 9.0
"""From the signal until every stage has ended, or is named as late."""
_LOOK_S = 0.5


def run_site(path: Path) -> int:
    """Watch the site until SIGTERM or SIGINT, or until every recording has ended; the exit code.

    Raises:
        ConfigError: the site file, a rule file or a calibration does not load, or a model server is the wrong one.
        ModelLoadError: a model cannot be had.
        SinkError: the outbox does not open.
        StageError: a stage died or did not end in time, or a recording could not be played to its end.
    """
    loaded = load_site(path)
    observed = loaded.settings.observability
    logs.configure(observed.log_format, observed.log_level)
    running = assemble(loaded, ModelStore(), SystemClock())
    _tell_stand_ins(running)
    _tell_thresholds(loaded)
    with on_signals(running.supervisor.stopping):
        server = None
        try:
            if observed.port is not None:
                health = _health(loaded, running)
                server = ObservabilityServer(running.metrics.registry, health, observed.host, observed.port)
                server.start()
            _watch(loaded, running)
        finally:
            try:
                running.site.stop(STOP_WITHIN_S)
            finally:
                running.backends.close()
                if server is not None:
                    server.close()
    log.info("stopped")
    return 0


def _watch(loaded: LoadedSite, running: Assembled) -> None:
    _check_servers(running)
    if running.supervisor.stopping.is_set():
        return  # told to stop while a server let us wait
    freeze_loaded()
    running.site.start()
    cameras = [camera.id for camera in loaded.settings.cameras]
    log.info(
        "watching", version=__version__, site=loaded.settings.site.id, pipeline=loaded.pipeline.name, cameras=cameras
    )
    while not running.supervisor.stopping.wait(_LOOK_S):
        if running.site.finished():
            log.info("recordings_ended")
            broken = [name for name in cameras if running.hub.phases.get(name) != "ended"]
            if broken:
                raise StageError(f"recordings that could not be played to their end: {', '.join(broken)}")
            return


def _check_servers(running: Assembled) -> None:
    for role, server in running.backends.servers.items():
        try:
            server.check()
        except InferenceError as error:
            log.warning("model_server_unreachable", role=role, error=redact(str(error)))
        # It is told of changes only; the series has to exist before the first.
        running.metrics.model_server(role, server.health.up)


def _health(loaded: LoadedSite, running: Assembled) -> Health:
    health = Health()

    def threads() -> Reading:
        dead = running.site.dead()
        return Reading(not dead, ", ".join(dead))

    def camera(name: str) -> Reading:
        phase = running.hub.phases.get(name, "connecting")
        return Reading(phase in ("streaming", "ended"), phase)

    def calibration(name: str) -> Reading:
        doubt = running.calibrations[name].found.doubt
        return Reading(doubt is None, doubt or "")

    def judged(name: str) -> Reading:
        said = running.hub.said.get(name, ())
        return Reading(not said, "; ".join(said))

    def words(name: str) -> Reading:
        unheard = running.lines[name].unheard
        return Reading(not unheard, unheard)

    def model_server(role: Role) -> Reading:
        down = [one for one in running.backends.servers[role].readings() if not one.up]
        return Reading(not down, "; ".join(f"{one.server} {one.detail}" for one in down))

    def delivered() -> Reading:
        waiting = {delivery.name: running.outbox.backlog(delivery.name)[0] for delivery in running.deliveries}
        failing = [delivery.name for delivery in running.deliveries if delivery.failing]
        detail = ", ".join(f"{name}: {count} waiting" for name, count in waiting.items())
        return Reading(not failing, detail)

    def processes() -> Reading:
        doing = running.fleet.doing() if running.fleet is not None else {}
        return Reading(
            all(up for up, _ in doing.values()), "; ".join(f"{name}: {says}" for name, (_, says) in doing.items())
        )

    health.add("threads", threads, "alive")
    if running.fleet is not None:
        health.add("processes", processes, "wanted")
    health.add("outbox", delivered, "wanted")
    for settings in loaded.settings.cameras:
        health.add(f"camera {settings.id}", partial(camera, settings.id), "wanted")
        health.add(f"calibration {settings.id}", partial(calibration, settings.id), "wanted")
        health.add(f"normal {settings.id}", partial(judged, settings.id), "wanted")
        health.add(f"words {settings.id}", partial(words, settings.id), "wanted")
    for role in running.backends.servers:
        health.add(f"model server {role}", partial(model_server, role), "wanted")
    for model in running.backends.stand_ins():
        health.stand_in(model.role, f"{model.name} stands in for {model.stand_in_for}")
    return health


def _tell_thresholds(loaded: LoadedSite) -> None:
    for camera in loaded.settings.cameras:
        if (reason := set_without_llm(loaded, camera)) is not None:
            log.warning("threshold_without_llm", camera=camera.id, reason=reason)


def _tell_stand_ins(running: Assembled) -> None:
    for model in running.backends.stand_ins():
        running.metrics.stand_in(model.role, model.stand_in_for or "")
        log.warning("stand_in", role=model.role, model=model.name, stands_in_for=model.stand_in_for)
