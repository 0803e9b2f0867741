"""`streamproc inspect enrol`: how a camera's regions and objects look, from normal clips, in a file beside its rules.

Only clips that an operator names are learned from. What raised an alert is never enrolled by itself, and its evidence
is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streamproc.assembly import unit_settings
from streamproc.backends import Backends
from streamproc.camera_inspection import WITHOUT, memory_path, things
from streamproc.camera_rules import rules_path
from streamproc.config import CameraSettings
from streamproc.errors import ConfigError, InferenceError
from streamproc.footage import NormalFootage, find_clips, sha256_of
from streamproc.inspection.live.enrolled import Clip, Enrolled, Header
from streamproc.inspection.live.enrolling import Enrolling
from streamproc.models.store import ModelStore
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.site import LoadedSite, load_site
from streamproc.types import ObservedWindow


@dataclass(frozen=True, slots=True)
class EnrolmentReport:
    """What was enrolled, and where it was written."""

    path: Path
    pictures: dict[str, int]
    """By thing."""
    size_bytes: int
    notes: tuple[str, ...]
    """What people should look at."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{key}: {count} pictures" for key, count in self.pictures.items()]
        lines.append(f"wrote {self.path}, {self.size_bytes / 1e6:.1f} MB")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def enrol(site: Path, camera_id: str, patterns: Sequence[str]) -> EnrolmentReport:
    """Enrol a camera's things from the clips that ``patterns`` name.

    Raises:
        ConfigError: the site, the camera, its rules or the clips are not there, the camera has nothing to inspect, the
            clips are evidence of alerts, or show too little.
        SourceError: a clip cannot be read.
        ModelError: a model cannot be had.
    """
    loaded = load_site(site)
    camera = loaded.camera(camera_id)
    path, clips, clock = memory_path(rules_path(loaded, camera)), find_clips(patterns), SystemClock()
    enrolling = make_enrolling(loaded, camera, clips)
    if enrolling is None:
        raise ConfigError(
            f"camera {camera.id} has no regions and no inspected_objects"
            if loaded.pipeline.inspection is not None
            else f"camera {camera.id}: {WITHOUT}"
        )
    with closing(Backends(loaded.pipeline, ModelStore(), clock)) as backends:
        for observed in _observed(loaded, camera, clips, backends, clock):
            enrolling.add(observed)
    return save(enrolling, loaded, camera, path, clips, clock)


def make_enrolling(loaded: LoadedSite, camera: CameraSettings, clips: Sequence[Path]) -> Enrolling | None:
    """What takes in the camera's windows; None where nothing of it is inspected.

    Raises:
        ConfigError: a clip is evidence of an alert, or the camera's settings are mistaken.
    """
    wanted, settings = things(loaded, camera), loaded.pipeline.inspection
    if settings is None or not wanted:
        return None
    evidence = loaded.settings.alerts.evidence.directory.resolve()
    if alarms := [clip for clip in clips if clip.resolve().is_relative_to(evidence)]:
        raise ConfigError(
            f"{alarms[0]} is evidence of an alert: alarms are not learned from as normal; copy it elsewhere if it "
            "shows nothing wrong"
        )
    return Enrolling(camera, wanted, settings)


def save(
    enrolling: Enrolling, loaded: LoadedSite, camera: CameraSettings, path: Path, clips: Sequence[Path], clock: Clock
) -> EnrolmentReport:
    """Write what was taken in.

    Raises:
        ConfigError: too little was seen of anything, or it cannot be written.
    """
    pictures = enrolling.pictures
    if not pictures:
        raise ConfigError("; ".join(enrolling.notes))
    header = Header(
        site=loaded.settings.site.id,
        camera=camera.id,
        learned_at=clock.now().isoformat(timespec="seconds"),
        clips=tuple(Clip(name=clip.name, sha256=sha256_of(clip)) for clip in clips),
        things=enrolling.known,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Enrolled(header, pictures).save(path)
        size_bytes = path.stat().st_size
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    return EnrolmentReport(path, {key: len(some) for key, some in pictures.items()}, size_bytes, enrolling.notes)


def _observed(
    loaded: LoadedSite, camera: CameraSettings, clips: Sequence[Path], backends: Backends, clock: Clock
) -> Iterator[ObservedWindow]:
    settings = unit_settings(loaded, camera)
    observer = backends.observer(lambda: None, settings)
    for window in NormalFootage(clips, settings, clock).windows():
        try:
            observed = observer.observe(window)
        except InferenceError:
            continue  # a picture less of however many
        if observed is not None:
            yield observed
