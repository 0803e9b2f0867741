"""Has several captioners put the same windows of the same clips into words."""

from __future__ import annotations

import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from streamproc.assembly import unit_settings
from streamproc.backends import Backends
from streamproc.backtest.labels import Recording, look_at
from streamproc.backtest.perception_report import PerceptionReport
from streamproc.backtest.player import preset_from_anywhere
from streamproc.backtest.progress import progress
from streamproc.calibrations import find_calibration
from streamproc.config import CameraSettings
from streamproc.errors import ConfigError, ModelError
from streamproc.evaluation.captioned import load_captioned
from streamproc.evaluation.perception import Moment, Said, agreements, captioned
from streamproc.evaluation.scene_labels import Scene, Scenes, load_scenes
from streamproc.footage import NormalFootage, find_clips
from streamproc.normality.calibration import Calibration
from streamproc.perception.captioner import Captioner
from streamproc.replay import load_backends
from streamproc.rules.schema import load_rules
from streamproc.runtime.clock import SystemClock
from streamproc.scaffold import Scaffold
from streamproc.site import LoadedSite, load_site
from streamproc.types import Caption, ModelRef, ObservedWindow

_RECORDED = ModelRef("perception", "recorded", "")


def compare_captioners(
    patterns: Sequence[str],
    *,
    presets: Sequence[str] = (),
    recorded: Sequence[Path] = (),
    site: Path | None = None,
    camera: str | None = None,
    labels: Path | None = None,
    every_s: float = 1.0,
) -> PerceptionReport:
    """What the captioners of ``presets``, and ``recorded`` captions, say of clips; one moment each ``every_s``.

    Windows are those of the ``site``'s ``camera``, measured by its calibration, and its captioner is the first; else
    those of the first preset, without a calibration. All captioners are given the same ones.

    Raises:
        ConfigError: clips, labels, captions or settings are not there or do not fit.
        SourceError: a clip cannot be read.
        ModelError: a model cannot be had, or a model server does not answer.
    """
    clips = find_clips(patterns, "CLIPS")
    scenes = load_scenes(labels) if labels is not None else {}
    records = {path.name: _record(path) for path in recorded}
    known = {clip.stem for clip in clips}
    if strange := [name for name, record in records.items() if not known & record.keys()]:
        raise ConfigError(f"{', '.join(strange)} holds no captions of {', '.join(sorted(known))}"[:300])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamproc-eval-")))
        sites = [load_site(site)] if site is not None else []
        wanted = presets or ([] if sites else ["embedded"])
        sites += [_site(folder / f"{number}.yaml", preset, clips[0]) for number, preset in enumerate(wanted)]
        eyes, settings = sites[0], sites[0].camera(camera) if camera else sites[0].settings.cameras[0]
        backends = [stack.enter_context(load_backends(one)) for one in sites]
        captioners = _captioners(sites, backends, settings)
        calibration = _calibration(eyes, settings) if site is not None else None
        recordings = [look_at(clip) for clip in clips]
        moments: list[Moment] = []
        with progress(sum(recording.duration_s for recording in recordings)) as advance:
            for recording in recordings:
                advance(recording.path.name, 0.0)
                moments.extend(
                    _moment(recording, observed, captioners, records, scenes)
                    for observed in _windows(eyes, settings, backends[0], calibration, recording, every_s)
                )
                advance(recording.path.name, recording.duration_s)
    names = (*captioners, *records)
    return PerceptionReport(
        clips=tuple(clip.name for clip in clips),
        moments=len(moments),
        labelled=sum(moment.scene is not None for moment in moments),
        every_s=every_s,
        seen_by=eyes.pipeline.name,
        calibrated=calibration is not None,
        captioners=tuple(captioned(name, moments) for name in names),
        agreements=agreements(names, moments),
    )


def _site(path: Path, preset: str, clip: Path) -> LoadedSite:
    Scaffold("evaluation", (("camera", str(clip)),), pipeline=preset_from_anywhere(preset)).write(path)
    return load_site(path)


def _captioners(
    sites: Sequence[LoadedSite], backends: Sequence[Backends], camera: CameraSettings
) -> dict[str, Captioner]:
    """By their presets' names, numbered where they are the same; servers that do not answer are told here."""
    found: dict[str, Captioner] = {}
    for site, models in zip(sites, backends, strict=True):
        if server := models.servers.get("perception"):
            server.check()
        name, number = site.pipeline.name, 2
        while name in found:
            name, number = f"{site.pipeline.name}-{number}", number + 1
        found[name] = models.captioner(camera)
    return found


def _calibration(site: LoadedSite, camera: CameraSettings) -> Calibration | None:
    if camera.rules is None or not camera.rules.exists():
        return None
    return find_calibration(camera.rules, load_rules(camera.rules), site.pipeline.normality).calibration


def _windows(
    site: LoadedSite,
    camera: CameraSettings,
    backends: Backends,
    calibration: Calibration | None,
    recording: Recording,
    every_s: float,
) -> Iterator[ObservedWindow]:
    """Those that are put into words; all are observed, for tracks go on from one to the next."""
    settings = unit_settings(site, camera)
    every = settings.normality.model_copy(update={"calm_looks_per_s": None})
    observer = backends.observer(lambda: calibration, replace(settings, normality=every))
    due_s = 0.0
    for window in NormalFootage([recording.path], settings, SystemClock()).windows():
        observed = observer.observe(window)
        end_s = window.end_s + 1e-6
        if observed is not None and end_s >= due_s:
            yield observed
            # Of the clip's time, not from this window on: windows need not be a part of it.
            due_s = (end_s // every_s + 1) * every_s


def _moment(
    recording: Recording,
    observed: ObservedWindow,
    captioners: Mapping[str, Captioner],
    records: Mapping[str, Mapping[str, Mapping[int, str]]],
    scenes: Scenes,
) -> Moment:
    window = observed.window
    first, last = (bisect_right(recording.times_s, at_s + 1e-3) - 1 for at_s in (window.start_s, window.end_s))
    clip = recording.path.stem
    said = {name: _ask(captioner, observed) for name, captioner in captioners.items()}
    for name, record in records.items():
        if (text := record.get(clip, {}).get(last)) is not None:
            said[name] = Said(Caption(window.camera_id, window.run, window.end_s, text, (), _RECORDED))
    return Moment(clip, last, said, _scene(scenes.get(clip, {}), first, last))


def _ask(captioner: Captioner, observed: ObservedWindow) -> Said:
    began_s = time.monotonic()
    try:
        caption = captioner.caption(observed)
    except ModelError:
        caption = None  # as live: the window is unknown
    return Said(caption, 1e3 * (time.monotonic() - began_s))


def _scene(scenes: Mapping[int, Scene], first: int, last: int) -> Scene | None:
    """The label of the window's newest labelled picture."""
    return next((scenes[frame] for frame in range(last, first - 1, -1) if frame in scenes), None)


def _record(path: Path) -> Mapping[str, Mapping[int, str]]:
    """Recorded captions by clip, without suffix, and picture."""
    return {Path(video.name).stem: dict(zip(video.frames, video.texts, strict=True)) for video in load_captioned(path)}
