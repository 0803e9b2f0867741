"""A site file with the preset it names, its paths made absolute."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from streamproc.config import (
    SHIPPED,
    AlertSettings,
    CameraSettings,
    JsonlSinkSettings,
    KafkaSecurity,
    KafkaSinkSettings,
    PipelineSettings,
    SiteSettings,
)
from streamproc.errors import ConfigError, Fault
from streamproc.yamlfile import check_model, load_model, read_bytes

_WORKERS = 4
CAMERAS_A_PROCESS = 8
"""At most, where a site does not say otherwise; up to so many are watched in the site's own process. Eight take a fifth
of an interpreter's lock where they are sampled, two fifths where they are observed (`tests/benchmarks/processes.txt`),
and stay below the ten streams from which PyAV's issue 1112 tells of processes that became slower."""
_PROCESS_MB, _CAMERA_MB = 600.0, 200.0
"""A process that watches is restarted beyond the sum. With the embedded preset one began at 300 MB resident, half of it
shared with others, and grew by 60 with each camera (`tests/benchmarks/processes.txt`)."""
_PRESET = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class LoadedSite:
    """Everything an operator wrote, ready to be run."""

    settings: SiteSettings
    """With every path absolute; addresses keep their placeholders."""
    pipeline: PipelineSettings
    path: Path
    """The site file, absolute."""

    @property
    def workers(self) -> int:
        """How many windows are decided at once. Waiting for a model server costs a thread and nothing else."""
        cameras = len(self.settings.cameras)
        return self.pipeline.workers or (cameras if self.pipeline.asks_servers else min(cameras, _WORKERS))

    @property
    def processes(self) -> int:
        """How many processes cameras are watched in, beside this one; 0: in this one."""
        return processes_for(self.pipeline, len(self.settings.cameras))

    def process_memory_mb(self, cameras: int) -> float:
        """Most megabytes of a process that watches so many cameras."""
        return self.pipeline.process_memory_mb or _PROCESS_MB + _CAMERA_MB * cameras

    def camera(self, camera_id: str) -> CameraSettings:
        """The camera of that id.

        Raises:
            ConfigError: there is none; names those there are.
        """
        for camera in self.settings.cameras:
            if camera.id == camera_id:
                return camera
        ids = ", ".join(camera.id for camera in self.settings.cameras)
        raise ConfigError(f"{self.path} has no camera of the id {camera_id[:64]!r}; it has {ids}")


def processes_for(pipeline: PipelineSettings, cameras: int) -> int:
    """How many processes ``cameras`` are watched in, beside the site's own; 0: in that."""
    if pipeline.processes is not None:
        return min(pipeline.processes, cameras)
    if pipeline.decoder.kind == "dali":
        return 0  # one engine decodes for all cameras of a process; another one takes as much of the GPU
    return 0 if cameras <= CAMERAS_A_PROCESS else math.ceil(cameras / CAMERAS_A_PROCESS)


def load_site(path: Path) -> LoadedSite:
    """The site file at ``path`` and the preset it names; paths in it are relative to it.

    Raises:
        ConfigError: with the faults of the site file, or of the preset's.
    """
    settings, root = check_model(read_bytes(path), SiteSettings, str(path))
    where = root.children.get("pipeline", root).place
    preset = _preset_path(settings.pipeline, path.parent)
    if preset is None or not preset.exists():
        named = "no preset of this name" if preset is None else f"{preset} is no file"
        message = f"{named}; permitted: {', '.join(preset_names())}, or a YAML file's path relative to this file"
        raise ConfigError(faults=(Fault(str(path), where.line, where.column, "pipeline", message),))
    pipeline = _with_expert(load_model(preset, PipelineSettings), preset.parent)
    return LoadedSite(_absolute(settings, path.parent), pipeline, _join(path.parent, Path(path.name)))


def load_preset(name: str) -> PipelineSettings:
    """The preset of this name that comes with streamproc, or in the file of this path.

    Raises:
        ConfigError: there is none, or it has faults.
    """
    path = _preset_path(name, Path())
    if path is None or not path.exists():
        raise ConfigError(f"no preset {name}; permitted: {', '.join(preset_names())}, or a YAML file's path")
    return _with_expert(load_model(path, PipelineSettings), path.parent)


def preset_names() -> tuple[str, ...]:
    """Presets that come with streamproc, by name."""
    return tuple(sorted(file.stem for file in _presets().glob("*.yaml")))


def _presets() -> Path:
    # In the wheel the presets lie inside the package; in a source checkout, beside it.
    inside = Path(__file__).parent / "presets"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "pipelines"


def _preset_path(name: str, base: Path) -> Path | None:
    if _PRESET.fullmatch(name):
        return _presets() / f"{name}.yaml" if name in preset_names() else None
    return _join(base, Path(name))


def _absolute(settings: SiteSettings, base: Path) -> SiteSettings:
    cameras = tuple(
        camera.model_copy(
            update={
                "main": _address(base, camera.main),
                "sub": None if camera.sub is None else _address(base, camera.sub),
                "rules": None if camera.rules is None else _join(base, camera.rules),
            }
        )
        for camera in settings.cameras
    )
    alerts = settings.alerts
    evidence = alerts.evidence.model_copy(update={"directory": _join(base, alerts.evidence.directory)})
    update = {
        "sinks": tuple(_sink(base, sink) for sink in alerts.sinks),
        "outbox": _join(base, alerts.outbox),
        "evidence": evidence,
    }
    absolute: AlertSettings = alerts.model_copy(update=update)
    return settings.model_copy(update={"cameras": cameras, "alerts": absolute})


def _sink(base: Path, sink: KafkaSinkSettings | JsonlSinkSettings) -> KafkaSinkSettings | JsonlSinkSettings:
    if isinstance(sink, JsonlSinkSettings):
        return sink if sink.path is None else sink.model_copy(update={"path": _join(base, sink.path)})
    files = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
    given: dict[str, Path] = {name: value for name in files if (value := getattr(sink.security, name)) is not None}
    security: KafkaSecurity = sink.security.model_copy(update={k: _join(base, v) for k, v in given.items()})
    return sink.model_copy(update={"security": security})


def _with_expert(pipeline: PipelineSettings, base: Path) -> PipelineSettings:
    inspection = pipeline.inspection
    if inspection is None or inspection.expert is None or inspection.expert.path == SHIPPED:
        return pipeline
    expert = inspection.expert.model_copy(update={"path": _join(base, inspection.expert.path)})
    return pipeline.model_copy(update={"inspection": inspection.model_copy(update={"expert": expert})})


def _address(base: Path, address: str) -> str:
    if "://" in address or "${" in address or address.startswith("device:"):
        return address
    return str(_join(base, Path(address)))


def _join(base: Path, path: Path) -> Path:
    # Links are kept: a mounted configuration is replaced by turning a link, and hot reload must see that.
    return Path(os.path.normpath(base.absolute() / path.expanduser()))
