"""How the running pipeline does, as its own metrics and health pages tell."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class CameraPulse:
    """One camera at a moment."""

    camera: str
    phase: str
    """``streaming``, ``lost``, …"""
    windows: int
    """Looked at since the start."""
    dropped: int
    """Lost before a model saw them."""
    incidents: int
    """Going on now."""

    def __str__(self) -> str:
        if self.phase != "streaming":
            return f"{self.camera} is {self.phase}"
        state = "incident open" if self.incidents else "quiet"
        dropped = f", {self.dropped} dropped" if self.dropped else ""
        return f"{self.camera} {state} ({self.windows} windows looked at{dropped})"


def ready(port: int) -> bool:
    """Whether the pipeline says that it does useful work."""
    return _get(port, "/readyz")[0] == 200


def pulses(port: int) -> dict[str, CameraPulse]:
    """Each camera's state by its id; empty where the pipeline does not answer."""
    status, text = _get(port, "/metrics")
    return parse(text) if status == 200 else {}


def parse(text: str) -> dict[str, CameraPulse]:
    """The cameras in a Prometheus page."""
    phases: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            camera = sample.labels.get("camera")
            if camera is None:
                continue
            if sample.name == "streamproc_camera_phase":
                if sample.value:
                    phases[camera] = sample.labels["streamproc_camera_phase"]
            else:
                of = counts.setdefault(sample.name, {})
                of[camera] = of.get(camera, 0) + int(sample.value)

    def count(name: str, camera: str) -> int:
        return counts.get(f"streamproc_{name}", {}).get(camera, 0)

    return {
        camera: CameraPulse(
            camera,
            phase,
            count("windows_total", camera),
            count("windows_dropped_total", camera),
            count("incidents_open", camera),
        )
        for camera, phase in phases.items()
    }


def sentence(cameras: dict[str, CameraPulse]) -> str:
    """The heartbeat's words."""
    if not cameras:
        return "the pipeline does not answer"
    watched = all(pulse.phase == "streaming" for pulse in cameras.values())
    calm = watched and not any(pulse.incidents for pulse in cameras.values())
    said = ", ".join(str(cameras[camera]) for camera in sorted(cameras))
    if calm:
        return f"both cameras are watched and quiet: {said}"
    return f"both cameras are watched: {said}" if watched else said


def _get(port: int, page: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", page)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
