"""`streamproc induce`: a camera's normal clips become its calibration and its rule set.

The clips are looked at several times: what normal measures like (calibration), what it looks like in words (rules),
and, each half through what was learned from the other, what score normal footage gets (the alarm's threshold).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streamproc.assembly import unit_settings
from streamproc.backends import Backends, calibration_path
from streamproc.camera import UnitSettings
from streamproc.config import CameraSettings, DeductionSettings
from streamproc.deduction.calibration import HIGHEST_THRESHOLD, calibrate, support
from streamproc.deduction.deducer import Deducer
from streamproc.errors import ConfigError
from streamproc.footage import EVERYTHING, NormalFootage, Part, find_clips, sha256_of
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration, Clip
from streamproc.normality.fit import fit
from streamproc.normality.observer import EmbeddedObserver
from streamproc.rules.induction import Induction, StatisticalInducer
from streamproc.rules.matching import Matcher
from streamproc.rules.store import Clip as RecordedClip
from streamproc.rules.store import Footage, save_rules
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.site import LoadedSite, load_site
from streamproc.types import Caption, ObservedWindow, RuleSet


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned, and where it was written."""

    rules: Path
    calibration: Path
    version: int
    normal_rules: int
    anomaly_rules: int
    footage_s: float
    busy_s: float
    """Seconds in which something moved."""
    alarm_score: float
    false_alarms: str
    """What the footage says about false alarms, in words."""
    notes: tuple[str, ...]
    """What people should look at."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"learned from {self.footage_s:.0f} s of normal footage ({self.busy_s:.0f} s with something moving)",
            f"rules        {self.rules}, version {self.version}: {self.normal_rules} normal, "
            f"{self.anomaly_rules} anomaly",
            f"calibration  {self.calibration}",
            f"alarm        from a score of {self.alarm_score:.2f} on; {self.false_alarms}",
        ]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


class Learning:
    """One camera's induction."""

    def __init__(self, loaded: LoadedSite, camera: CameraSettings, clips: Sequence[Path], clock: Clock) -> None:
        self._loaded, self._camera = loaded, camera
        self._settings: UnitSettings = unit_settings(loaded, camera, calibrated=False)
        self._footage = NormalFootage(clips, self._settings, clock)
        self._backends = Backends(loaded.pipeline, ModelStore(), clock)
        self._inducer = StatisticalInducer()

    def close(self) -> None:
        """Let go of model servers."""
        self._backends.close()

    def durations(self) -> list[float]:
        """Seconds of each clip, all of it decoded: a damaged clip is noticed before anything is learned."""
        return self._footage.durations()

    def calibration(self, clips: Sequence[Clip], part: Part = EVERYTHING) -> Calibration:
        """What normal measures like."""
        return fit(self._footage.windows(part), self._settings.normality, clips=clips)

    def observed(self, calibration: Calibration, part: Part = EVERYTHING) -> Iterator[ObservedWindow]:
        """The footage beside a calibration."""
        return self._footage.observed(
            lambda settings: EmbeddedObserver(settings.normality, calibration, self._backends.detector), part
        )

    def captions(self, observed: Iterator[ObservedWindow]) -> list[Caption]:
        """The footage in words."""
        captioner = self._backends.captioner(self._camera)
        return [captioner.caption(one) for one in observed]

    def induce(self, captions: Sequence[Caption]) -> Induction:
        """Rules from the words."""
        return self._inducer.induce(captions)

    def scores(self, induction: Induction, observed: Iterator[ObservedWindow]) -> list[float]:
        """The smoothed scores that the rules give the footage."""
        settings = self._loaded.pipeline.deduction
        site, camera = self._loaded.settings.site.id, self._camera
        rules = RuleSet("induced", site, camera.id, 1, "0" * 64, induction.rules)
        matcher = Matcher(rules, self._backends.embedder, settings.semantic_threshold)
        captioner = self._backends.captioner(camera)
        deducer = Deducer(settings, zones=camera.zones)
        smoothed = []
        for one in observed:
            caption = captioner.caption(one)
            matches = matcher.match(caption, one.window.captured_at, camera.timezone)
            smoothed.append(deducer.decide(one, caption, matches, rules).smoothed)
        return smoothed


def learn(site: Path, camera_id: str, patterns: Sequence[str], out: Path | None) -> Learned:
    """Learn a camera's normal from the clips that ``patterns`` name; rules go to ``out``, the calibration beside them.

    Raises:
        ConfigError: the site, the camera or the clips are not there, the footage is too little, or what is there
            already is another camera's.
        SourceError: a clip cannot be read.
    """
    loaded = load_site(site)
    camera = loaded.camera(camera_id)
    path = (out or camera.rules or loaded.path.parent / f"{camera.id}.yaml").absolute()
    clips = find_clips(patterns)
    clock = SystemClock()
    learning = Learning(loaded, camera, clips, clock)
    try:
        with _steps() as step:
            return _learn(learning, loaded, camera, clips, path, clock, step)
    finally:
        learning.close()


def _learn(
    learning: Learning,
    loaded: LoadedSite,
    camera: CameraSettings,
    clips: Sequence[Path],
    path: Path,
    clock: Clock,
    step: Callable[[str], None],
) -> Learned:
    step("reading the clips")
    durations = learning.durations()
    records = [(clip.name, sha256_of(clip), seconds) for clip, seconds in zip(clips, durations, strict=True)]
    step("measuring what is normal")
    calibration = learning.calibration([Clip(name=n, sha256=h, duration_s=s) for n, h, s in records])
    step("putting it into words")
    captions = learning.captions(learning.observed(calibration))
    induction = learning.induce(captions)
    step("judging each half by the other")
    notes: list[str] = []
    hours = calibration.observed_s / 3600
    score = _alarm_score(_judged(learning, captions, notes), hours, loaded.pipeline.deduction, notes)
    step("writing")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = calibration_path(path)
    footage = Footage(
        clips=tuple(RecordedClip(name, sha256, seconds) for name, sha256, seconds in records),
        created_at=clock.now(),
        calibration=beside.name,
        calibration_sha256=calibration.sha256,
        false_alarms_per_hour_max=calibration.false_alarms.upper_per_hour,
        alarm_score=score,
    )
    merge = save_rules(path, loaded.settings.site.id, camera.id, induction, footage)
    calibration.save(beside)
    notes += [f"kept as people wrote them: {', '.join(merge.kept)}"] if merge.kept else []
    notes += [f"no longer seen, so switched off: {', '.join(merge.retired)}"] if merge.retired else []
    if camera.rules is None or camera.rules != path:
        notes.append(f"the site file does not name this rule file yet: add `rules: {path}` to camera {camera.id}")
    return Learned(
        rules=path,
        calibration=beside,
        version=merge.version,
        normal_rules=sum(rule.says == "normal" for rule in induction.rules),
        anomaly_rules=sum(rule.says == "anomaly" for rule in induction.rules),
        footage_s=sum(durations),
        busy_s=calibration.busy_s,
        alarm_score=score,
        false_alarms=str(calibration.false_alarms),
        notes=tuple(notes),
    )


def _judged(learning: Learning, captions: Sequence[Caption], notes: list[str]) -> list[float]:
    """Scores of normal footage, each half judged by what was learned from the other."""
    first, second = Part(0, len(captions)).halves()
    scores: list[float] = []
    for known, unknown in ((first, second), (second, first)):
        try:
            calibration = learning.calibration((), known)
            induction = learning.induce(captions[known.first : known.end])
        except ConfigError:
            notes.append(
                "too little footage to judge one half by the other: the alarm's threshold was set on all of it"
            )
            calibration, induction, unknown = learning.calibration(()), learning.induce(captions), EVERYTHING
            return learning.scores(induction, learning.observed(calibration))
        scores += learning.scores(induction, learning.observed(calibration, unknown))
    return scores


def _alarm_score(scores: Sequence[float], hours: float, settings: DeductionSettings, notes: list[str]) -> float:
    """The alarm's threshold. What speaks against it becomes a note: people need the rule file to put it right."""
    if settings.max_false_alarms_per_hour is not None:
        try:
            support(settings.max_false_alarms_per_hour, hours)
        except ConfigError as error:
            notes.append(f"`streamproc run` will refuse this camera: {error}")
    try:
        return calibrate(scores, hours, settings.model_copy(update={"max_false_alarms_per_hour": None})).threshold
    except ConfigError as error:
        notes.append(str(error))
        return HIGHEST_THRESHOLD


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """A bar in a terminal, a line a step elsewhere, on standard error."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("learning", total=5)

        def step(text: str) -> None:
            progress.update(task, description=text)
            progress.advance(task)
            if not console.is_terminal:
                console.print(text)

        yield step
