"""What of a camera is inspected, by what, and where what is known of it lies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from streamproc.backends import Backends
from streamproc.camera_rules import rules_path
from streamproc.config import CameraSettings
from streamproc.errors import ConfigError, Fault
from streamproc.inspection.live.crops import Thing
from streamproc.inspection.live.findings import Words
from streamproc.inspection.live.judging import Judge
from streamproc.inspection.live.picking import Picker
from streamproc.inspection_branch import Counted, Desk, InspectedCamera
from streamproc.models.coco import COCO_CLASSES
from streamproc.site import LoadedSite
from streamproc.sources.address import is_live
from streamproc.sources.session import analysed_address
from streamproc.types import RuleSet

log = structlog.get_logger(__name__)

WITHOUT = (
    "the pipeline has no `inspection`, so that nobody looks at this camera's regions and objects; "
    "write `pipeline: inspection`"
)


def memory_path(rules: Path) -> Path:
    """The file beside a rule file with how the camera's regions and objects look when they are as they should be."""
    return rules.with_suffix(".inspection.zip")


def things(loaded: LoadedSite, camera: CameraSettings) -> tuple[Thing, ...]:
    """What of a camera is to be inspected; empty where its pipeline inspects nothing.

    Raises:
        ConfigError: an object is of a kind that the detector does not know.
    """
    number = [one.id for one in loaded.settings.cameras].index(camera.id)
    faults = [
        Fault(
            str(loaded.path),
            None,
            None,
            f"cameras.{number}.inspected_objects.{index}",
            f"the detector knows no {label!r}; permitted: {', '.join(COCO_CLASSES)}",
        )
        for index, label in enumerate(camera.inspected_objects)
        if label not in COCO_CLASSES
    ]
    if faults:
        raise ConfigError(faults=tuple(faults))
    if loaded.pipeline.inspection is None:
        return ()
    regions = (Thing("region", region.name) for region in camera.regions)
    objects = (Thing("object", label) for label in dict.fromkeys(camera.inspected_objects))
    return (*regions, *objects)


def not_inspected(loaded: LoadedSite, camera: CameraSettings) -> str | None:
    """What to know of a camera whose regions nobody looks at."""
    asked = bool(camera.regions or camera.inspected_objects)
    return WITHOUT if asked and loaded.pipeline.inspection is None else None


def camera_inspection(
    loaded: LoadedSite,
    camera: CameraSettings,
    backends: Backends,
    desk: Desk,
    rules: Callable[[], RuleSet],
    metrics: Counted,
    *,
    live: bool = True,
    words: Words | None = None,
) -> InspectedCamera | None:
    """The camera's part in inspection; None where nothing of it is inspected. ``rules`` gives its rule set in force;
    ``words`` explains defects.

    Raises:
        ConfigError: what is known of it does not load, belongs to another camera or encoder, or an object's kind is
            not known.
    """
    wanted, settings = things(loaded, camera), loaded.pipeline.inspection
    if (reason := not_inspected(loaded, camera)) is not None:
        log.warning("not_inspected", camera=camera.id, reason=reason)
    if settings is None or not wanted:
        return None
    inspectors = backends.inspectors(camera, wanted, memory_path(rules_path(loaded, camera)))
    missing = tuple(
        f"{one.key}: nobody knows how it should look; streamproc induce {loaded.path} --camera {camera.id} learns it"
        for one in wanted
        if one.key not in inspectors
    )
    for reason in missing:
        log.warning("not_inspected", camera=camera.id, reason=reason)
    return InspectedCamera(
        Picker(camera, settings, partial(metrics.crop_dropped, camera.id)),
        Judge(inspectors, settings, rules, camera.zones, words),
        desk,
        may_drop=camera.realtime or is_live(analysed_address(camera)),
        live=live,
        missing=missing,
    )
