"""Who looks at a camera's things: one encoder for all, a memory of each, and the expert where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from streamproc.config import CameraSettings, InspectionSettings
from streamproc.errors import ConfigError
from streamproc.inspection.fused import Expert, Fused, Inspector, learn, see
from streamproc.inspection.header import OFFICIAL
from streamproc.inspection.live.crops import Thing
from streamproc.inspection.live.enrolled import Enrolled
from streamproc.inspection.live.enrolling import seen_as
from streamproc.inspection.live.findings import Finding, Opinion
from streamproc.inspection.nouns import Backbone, Pixels
from streamproc.types import ModelRef

log = structlog.get_logger(__name__)

STAND_IN = "LLaVA-OneVision's SigLIP tower"


class ThingInspector:
    """Looks at one thing of one camera."""

    def __init__(self, inspector: Inspector, models: tuple[ModelRef, ...], degraded: tuple[str, ...] = ()) -> None:
        self._inspector, self.models, self.degraded = inspector, models, degraded

    def inspect(self, crop: Pixels) -> Finding:
        """What is said of a crop.

        Raises:
            InferenceError: a model failed on it.
        """
        said = self._inspector.inspect(crop)
        opinions = (
            *([Opinion("memory", _least(said.memory))] if said.memory is not None else []),
            *([Opinion("expert", _least(said.expert))] if said.expert is not None else []),
        )
        return Finding(_least(said.times), opinions, said.score.heat)


def inspectors_of(
    camera: CameraSettings,
    things: Sequence[Thing],
    settings: InspectionSettings,
    backbone: Backbone,
    expert: Expert | None,
    memory: Path,
) -> Mapping[str, ThingInspector]:
    """By thing; without those that there is neither a memory nor an expert for. ``memory`` is the file of what was
    enrolled, which need not be there.

    Raises:
        ConfigError: the file does not load, or is another camera's.
        InferenceError: a model failed on what was enrolled.
    """
    enrolled = Enrolled.load(memory) if memory.exists() else None
    if enrolled is not None and enrolled.header.camera != camera.id:
        raise ConfigError(f"{memory}: was learned of camera {enrolled.header.camera}: is it the right file?")
    found: dict[str, ThingInspector] = {}
    models: tuple[ModelRef, ...] = (encoder_ref(backbone),)
    if expert is not None:
        models += (ModelRef("expert", "anomaly-ov", expert.revision),)
    for thing in things:
        known = _known(camera, thing, enrolled)
        if known and enrolled is not None:
            # As they are, not mirrored: before a camera that stands still nothing is upside down.
            crops = [(see(backbone, picture, expert),) for picture in known]
            kind = settings.memory.kind
            recalls = ModelRef("memory", f"{kind} of {len(known)} pictures", enrolled.revision)
            found[thing.key] = ThingInspector(Inspector(backbone, learn(crops, expert, kind)), (*models, recalls))
        elif expert is not None:
            alone = f"no memory of the {thing.words}: the expert alone speaks"
            found[thing.key] = ThingInspector(Inspector(backbone, Fused(expert=expert)), models, (alone,))
    return found


def encoder_ref(backbone: Backbone) -> ModelRef:
    """The encoder, for alerts' records: an embedded one stands in for a larger."""
    stand_in_for = None if backbone.name == OFFICIAL.backbone else STAND_IN
    return ModelRef("inspection", backbone.name, backbone.revision, stand_in_for=stand_in_for)


def _known(camera: CameraSettings, thing: Thing, enrolled: Enrolled | None) -> tuple[Pixels, ...]:
    said = enrolled.header.things.get(thing.key) if enrolled is not None else None
    if enrolled is None or said is None:
        return ()
    if said.seen_as != seen_as(camera, thing):
        log.warning(
            "memory_not_used",
            camera=camera.id,
            thing=thing.key,
            reason="its outline or the privacy masks are others than when it was learned",
        )
        return ()
    return enrolled.pictures[thing.key]


def _least(times: float) -> float:
    """Below the normal crops' median a look is as good as any."""
    return max(0.0, times)
