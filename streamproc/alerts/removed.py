"""Incidents of cameras that the site file names no longer: nothing else would ever end them."""

from __future__ import annotations

from streamproc.alerts.compose import Origin
from streamproc.alerts.desk import AlertDesk, DeskMetrics
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.outbox import Outbox
from streamproc.config import CameraSettings, SiteSettings
from streamproc.runtime.clock import Clock

REASON = "Camera removed from the site."


def resolve_removed(settings: SiteSettings, outbox: Outbox, metrics: DeskMetrics, clock: Clock) -> None:
    """Resolve them; for the start of a site.

    Raises:
        SinkError: the outbox fails.
    """
    there = {camera.id for camera in settings.cameras}
    for name in outbox.cameras():
        if name not in there:
            # Of the camera nothing but its id is needed: the rest is repeated from the incident's last message.
            origin = Origin(settings.site, CameraSettings(id=name, main="removed"))
            stored = outbox.incidents(name)
            incidents = Incidents(settings.site.id, name, settings.alerts.incidents, stored=stored)
            AlertDesk(origin, incidents, outbox, metrics=metrics, clock=clock).finish(clock.now(), REASON)
