"""`streamproc check`: everything an operator wrote for a site, looked at without connecting to anything."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from streamproc.calibrations import find_calibration
from streamproc.camera_inspection import not_inspected, things
from streamproc.camera_rules import alarm_score, hints, rules_path, set_without_llm
from streamproc.config import CameraSettings, JsonlSinkSettings, ScenePerception
from streamproc.errors import ConfigError, Fault
from streamproc.rules.lint import lint
from streamproc.rules.schema import load_rules
from streamproc.secrets import redact, resolve
from streamproc.site import LoadedSite, load_site


@dataclass(frozen=True, slots=True)
class CheckedCamera:
    """One camera that would run."""

    id: str
    address: str
    """Without credentials."""
    rules: str
    rules_version: int
    enabled_rules: int
    calibrated_on_s: float | None
    """Seconds of normal footage; None without a calibration."""
    alarm_score: float
    warnings: tuple[str, ...]
    hints: tuple[str, ...] = ()
    """Anomaly rules that raise no alert by themselves, by id: weak signs, which add up."""


@dataclass(frozen=True, slots=True)
class CheckedPlace:
    """Where something is written while the site runs."""

    holds: str
    """``outbox``, ``evidence``, ``alerts``."""
    path: str
    problem: str | None
    """Why it cannot be written, by whoever runs the check; None where it can."""

    def __str__(self) -> str:
        return f"{self.holds} {self.path}: " + (
            "can be written" if self.problem is None else f"warning: {self.problem}"
        )


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A site that would run."""

    site: str
    pipeline: str
    stand_ins: tuple[str, ...]
    """What is embedded where a larger site runs a model server."""
    warnings: tuple[str, ...]
    """Of the site as a whole."""
    cameras: tuple[CheckedCamera, ...]
    places: tuple[CheckedPlace, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"site {self.site}, pipeline {self.pipeline}: ok"]
        lines += [f"stand-in: {text}" for text in self.stand_ins]
        lines += [f"warning: {text}" for text in self.warnings]
        for camera in self.cameras:
            seen = (
                "NOT calibrated" if camera.calibrated_on_s is None else f"calibrated on {camera.calibrated_on_s:.0f} s"
            )
            lines.append(
                f"camera {camera.id}: {camera.address}; {camera.enabled_rules} rules of version "
                f"{camera.rules_version}; {seen}; alarm from {camera.alarm_score:.2f} on"
            )
            if camera.hints:
                lines.append(f"  raise no alert by themselves, only with others: {', '.join(camera.hints)}")
            lines += [f"  warning: {text}" for text in camera.warnings]
        lines += [str(place) for place in self.places]
        return "\n".join(lines)


def check_site(path: Path) -> CheckReport:
    """Load what the site file names.

    Raises:
        ConfigError: with the faults of every camera, not only the first one's.
    """
    loaded = load_site(path)
    faults: list[Fault] = []
    cameras: list[CheckedCamera] = []
    for settings in loaded.settings.cameras:
        try:
            cameras.append(_camera(loaded, settings.id))
        except ConfigError as error:
            faults += error.faults or (Fault(str(path), None, None, f"camera {settings.id}", error.message),)
    if faults:
        raise ConfigError(faults=tuple(faults))
    embedded = isinstance(loaded.pipeline.perception, ScenePerception)
    stand_ins = ("the scene captioner stands in for a vision-language model",) if embedded else ()
    return CheckReport(
        site=loaded.settings.site.id,
        pipeline=loaded.pipeline.name,
        stand_ins=stand_ins,
        warnings=(*_few_workers(loaded), *_without_dali(loaded)),
        cameras=tuple(cameras),
        places=_places(loaded),
    )


def _few_workers(loaded: LoadedSite) -> tuple[str, ...]:
    """A worker waits for its model server; with one for each camera none waits for another's."""
    workers, cameras = loaded.workers, len(loaded.settings.cameras)
    if not loaded.pipeline.asks_servers or workers >= cameras:
        return ()
    return (f"{workers} workers for {cameras} cameras: a slow model server holds cameras up; leave workers out",)


def _without_dali(loaded: LoadedSite) -> tuple[str, ...]:
    """Whether there is a GPU that decodes shows where the site runs."""
    try:
        if loaded.pipeline.decoder.kind != "dali" or find_spec("nvidia.dali") is not None:
            return ()
    except ModuleNotFoundError:  # there is no package `nvidia` at all
        pass
    return ("decoder: dali is not installed here (extra `dali`): every camera would be decoded by PyAV, on the CPU",)


def _camera(loaded: LoadedSite, camera_id: str) -> CheckedCamera:
    camera = loaded.camera(camera_id)
    path = rules_path(loaded, camera)
    rules = load_rules(path)
    zones = tuple(zone.name for zone in camera.zones)
    warnings = [str(finding) for finding in lint(path, zones) if finding.level != "info"]
    if (rules.site, rules.camera) != (loaded.settings.site.id, camera.id):
        warnings.append(f"{path} holds the rules of {rules.site}/{rules.camera}: is it the right file?")
    found = find_calibration(path, rules, loaded.pipeline.normality)
    if found.doubt is not None:
        warnings.append(found.doubt)
    if (without := set_without_llm(loaded, camera)) is not None:
        warnings.append(without)
    things(loaded, camera)
    if (reason := not_inspected(loaded, camera)) is not None:
        warnings.append(reason)
    warnings += _unset(camera)
    score = alarm_score(loaded, camera)
    return CheckedCamera(
        id=camera.id,
        address=redact(camera.sub or camera.main),
        rules=str(path),
        rules_version=rules.version,
        enabled_rules=sum(rule.enabled for rule in rules.rules),
        calibrated_on_s=found.calibration.observed_s if found.calibration else None,
        alarm_score=score,
        warnings=tuple(warnings),
        hints=tuple(hints(rules, loaded.pipeline.deduction.weights, score)),
    )


def _places(loaded: LoadedSite) -> tuple[CheckedPlace, ...]:
    alerts = loaded.settings.alerts
    files = [("outbox", alerts.outbox)]
    files += [("alerts", sink.path) for sink in alerts.sinks if isinstance(sink, JsonlSinkSettings) and sink.path]
    evidence = alerts.evidence.directory
    return (
        *(CheckedPlace(holds, str(path), _of_file(path)) for holds, path in files),
        CheckedPlace("evidence", str(evidence), _of_folder(evidence)),
    )


def _of_file(path: Path) -> str | None:
    """Why the file cannot be written to. It is left as it is, and so is its absence."""
    try:
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    return _of_folder(path.parent)


def _of_folder(folder: Path) -> str | None:
    """Why no file can be written in the folder, or where it is not there yet, in what it would be made in."""
    there = folder
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"nothing can be written in {there}: {error.strerror}"


def _unset(camera: CameraSettings) -> list[str]:
    """Credentials that are not there: they may be where the site runs, so they are no faults."""
    warnings = []
    for address in filter(None, (camera.main, camera.sub)):
        try:
            resolve(address)
        except ConfigError as error:
            warnings.append(error.message)
    return list(dict.fromkeys(warnings))
