"""What a plan is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamproc.config import CameraSettings, PipelineSettings, VlmPerception
from streamproc.errors import ConfigError
from streamproc.planning.sampled import Stream
from streamproc.site import LoadedSite


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the site is to run."""

    cores: int
    memory_mb: float
    given: bool = False
    """Whether somebody named the cores; else they are this machine's."""


@dataclass(frozen=True, slots=True)
class Servers:
    """What is known of one model server of a role."""

    replies_per_s: float | None = None
    """Windows it answers a second, as `models check` tells."""
    window_s: float | None = None
    """Seconds a window takes where as many are asked at once as the preset permits."""

    def rate(self, at_once: int) -> float | None:
        """Windows a second of one server; by Little's law where only their time is known."""
        if self.replies_per_s is not None:
            return self.replies_per_s
        return None if self.window_s is None else at_once / self.window_s


@dataclass(frozen=True, slots=True)
class Asked:
    """A site in numbers."""

    pipeline: PipelineSettings
    cameras: int
    main: Stream
    machine: Machine
    sub: Stream | None = None
    """What is analysed of those with a sub-stream."""
    with_sub: int = 0
    regions: int = 0
    """Of all cameras."""
    with_objects: int = 0
    """Cameras of which objects are inspected."""
    counted: bool = False
    """Whether cameras, regions and sub-streams were counted in a site file."""
    ring_s: float = 30.0
    """Seconds of packets kept a camera."""
    ring_mb: float = 64.0
    moving: float | None = None
    """Share of the time in which something moves; None: as figures assume."""
    standing_out: float | None = None
    """Share of the time in which something stands out, or did a second ago; None: as figures assume. It matters where a
    preset has calm looks or `gate_usual`."""
    captions: Servers = Servers()
    judge: Servers = Servers()
    gpus_a_replica: int | None = None

    @property
    def gated(self) -> bool:
        """Whether what is usual is not put into words anew."""
        return self.pipeline.sampling.gate_usual is not None and isinstance(self.pipeline.perception, VlmPerception)

    def idle_options(self, rated: bool) -> Mapping[str, str]:
        """Options of `plan` that say nothing about such a site, and why. ``rated``: whether it is told how fast a
        server answers."""
        pipeline = self.pipeline
        idle: dict[str, str] = {}
        captions, judge = isinstance(pipeline.perception, VlmPerception), pipeline.deduction.llm is not None
        if not captions:
            idle |= dict.fromkeys(("--replies-per-s", "--window-s"), f"{pipeline.name} has no vision-language model")
        if not judge:
            idle["--judge-replies-per-s"] = f"{pipeline.name} has no deciding language model"
        if not (captions or judge):
            idle["--gpus"] = f"{pipeline.name} asks no model server"
        elif not rated:
            idle["--gpus"] = "without --replies-per-s no servers are counted"
        if pipeline.inspection is None:
            idle["--regions"] = f"{pipeline.name} inspects nothing"
        elif self.counted:
            idle["--regions"] = "the site's regions are counted"
        if not self.with_sub:
            idle["--sub-resolution"] = "sub-streams are counted in a site file" + ", and it has none" * self.counted
        if pipeline.normality.calm_looks_per_s is None and not self.gated:
            idle["--standing-out"] = f"{pipeline.name} has neither calm_looks_per_s nor gate_usual"
        return idle


def of_site(loaded: LoadedSite, pipeline: PipelineSettings, main: Stream, sub: Stream, machine: Machine) -> Asked:
    """What a site file says; streams are as given, for the file does not tell them."""
    cameras = loaded.settings.cameras
    kept = loaded.settings.alerts.evidence
    return Asked(
        pipeline=pipeline,
        cameras=len(cameras),
        main=main,
        machine=machine,
        sub=sub,
        with_sub=sum(_has_sub(camera) for camera in cameras),
        regions=sum(len(camera.regions) for camera in cameras),
        with_objects=sum(bool(camera.inspected_objects) for camera in cameras),
        counted=True,
        ring_s=kept.ring_s,
        ring_mb=kept.ring_mb,
    )


def parse_stream(resolution: str, fps: float, keyframe_s: float, option: str = "--resolution") -> Stream:
    """A stream as options name it.

    Raises:
        ConfigError: ``resolution`` is no size of a picture.
    """
    wide, _, high = resolution.lower().partition("x")
    if not (wide.isascii() and wide.isdigit() and high.isascii() and high.isdigit()):
        raise ConfigError(f"{option}: {resolution[:32]!r} is no size; write width and height, e.g. 1280x720")
    if not (16 <= int(wide) <= 16384 and 16 <= int(high) <= 16384):
        raise ConfigError(f"{option}: {resolution[:32]} is no camera's; from 16x16 to 16384x16384")
    return Stream(int(wide), int(high), fps, keyframe_s)


def _has_sub(camera: CameraSettings) -> bool:
    return camera.sub is not None
