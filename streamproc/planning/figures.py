"""The figures that plans are reckoned with; `figures.yaml` holds them, each with where it is from."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from streamproc.config import Settings
from streamproc.yamlfile import load_model

PATH = Path(__file__).with_name("figures.yaml")


class Figure(Settings):
    """One number."""

    value: Annotated[float, Field(ge=0)]
    """In the unit that its name ends with."""
    source: str | None = None
    """The file of tests/benchmarks that it was read from; none: it is assumed."""
    conditions: str
    """Under which it was measured, or why it is assumed."""

    @property
    def basis(self) -> str:
        """``measured`` or ``assumed``."""
        return "assumed" if self.source is None else "measured"


class Figures(Settings):
    """All of them; processor time is that of one core."""

    machine: str
    """On which they were measured."""
    checked: str
    """What plans by them were off by, in words."""
    utilisation: Figure
    """Share of what there is that a plan fills."""
    packet_ms: Figure
    """A packet that is received, kept for evidence and asked about."""
    keyframe_ms_per_mpx: Figure
    """A keyframe at which decoding begins, by megapixels of the camera's picture."""
    decode_ms_per_mpx: Figure
    """Another picture, likewise."""
    convert_ms_per_mpx: Figure
    """A wanted picture that is not scaled, likewise."""
    scaled_ms_per_mpx: Figure
    """One that is scaled down, by megapixels of what it becomes."""
    look_ms: Figure
    """What threads, windows and queues take for a wanted picture, live."""
    flow_ms: Figure
    """Motion in one picture of 384x216, `flow: fine`."""
    flow_quick_ms: Figure
    """The same, `flow: quick`."""
    detect_ms: Figure
    """A look of the detector."""
    detect_factor: Figure
    """Its looks in times of the preset's `detections_per_s`, where people walk."""
    track_ms: Figure
    """Tracks, measurements and poses of a picture, where people walk."""
    judge_ms: Figure
    """A window's words, rules, verdict and outbox, embedded."""
    show_ms: Figure
    """A window's pictures for a vision-language model chosen, outlined, encoded and sent."""
    judge_asked: Figure
    """Share of the windows put into words about which the deciding language model is asked."""
    live_share: Figure
    """What live cameras take beyond the parts of watching, as a share of these."""
    crossing_packet_ms: Figure
    """A packet handed from the process that watches to the site's."""
    crossing_ms_per_mpx: Figure
    """A picture of a window, likewise, by its own megapixels."""
    lock_ms_per_look: Figure
    """Milliseconds of each second for which a camera keeps the interpreter's lock, by pictures that it looks at."""
    dinov2_ms: Figure
    """DINOv2-S describes a crop of 224 px."""
    efficientnet_ms: Figure
    """EfficientNet-Lite0, likewise."""
    memory_ms: Figure
    """The memory's search for a crop of 224 px."""
    expert_ms: Figure
    """The expert on a crop of 224 px."""
    objects: Figure
    """Objects that a camera with `inspected_objects` has in its picture at once."""
    site_mb: Figure
    """Resident megabytes of a site with the embedded models and no camera."""
    process_mb: Figure
    """Of each further process."""
    camera_mb: Figure
    """Of each camera, without its packets."""
    bits_per_px: Figure
    """Of the cameras' video, by pixel and picture."""
    gpus_a_replica: Figure
    """GPUs over which one server spreads its model (tensor parallel)."""
    moving: Figure
    """Share of the time in which something moves before a camera."""
    usual_sent: Figure
    """Share of the windows in which nothing stands out that are put into words all the same, where a gate is on."""
    standing_out: Figure
    """Share of the time in which something stands out, so that every picture is looked at."""


@cache
def load_figures() -> Figures:
    """Those that come with streamproc."""
    return load_model(PATH, Figures)
