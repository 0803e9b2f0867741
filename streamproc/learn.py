"""`streamproc induce`: a camera's normal clips become its calibration and its rule set.

The clips are looked at once. What was seen tells what normal measures like (calibration), what it looks like in words
(rules), and, each half through what was learned from the other, what score normal footage gets (the alarm's threshold).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from streamproc.calibrations import calibration_path, exchanged
from streamproc.camera_inspection import memory_path
from streamproc.config import CameraSettings, DeductionSettings
from streamproc.deduction.calibration import alarms, calibrate, support, upper_bound
from streamproc.enrolment import EnrolmentReport, make_enrolling
from streamproc.enrolment import save as save_enrolled
from streamproc.errors import ConfigError
from streamproc.feedback.recalibrating import Teacher
from streamproc.footage import Part, find_clips, sha256_of
from streamproc.normality.calibration import Calibration, Clip, FalseAlarms
from streamproc.normality.fit import GOOD_BUSY_S
from streamproc.passes import Learning
from streamproc.rules.diff import Diff
from streamproc.rules.schema import load_rules
from streamproc.rules.store import Clip as RecordedClip
from streamproc.rules.store import Footage, save_rules
from streamproc.rules.versions import difference, load
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.site import LoadedSite, load_site
from streamproc.types import Caption


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
    changes: Diff | None = None
    """What is other than in the rules that were there; None where there were none."""
    enrolled: EnrolmentReport | None = None
    """What was learned of regions and objects that are inspected; None where none are."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self) | {
            "changes": self.changes and self.changes.as_dict(),
            "enrolled": self.enrolled and self.enrolled.as_dict(),
        }

    def __str__(self) -> str:
        lines = [
            f"learned from {self.footage_s:.0f} s of normal footage ({self.busy_s:.0f} s with something moving)",
            f"rules        {self.rules}, version {self.version}: {self.normal_rules} normal, "
            f"{self.anomaly_rules} anomaly",
            f"calibration  {self.calibration}",
            f"alarm        from a score of {self.alarm_score:.2f} on; {self.false_alarms}",
        ]
        if self.enrolled is not None:
            lines.append(f"inspection   {self.enrolled.path}: {', '.join(self.enrolled.pictures)}")
        if self.changes is not None:
            lines += [f"since version {self.changes.old.version}:", *(f"  {line}" for line, _ in self.changes.lines())]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def learn(site: Path, camera_id: str, patterns: Sequence[str], out: Path | None) -> Learned:
    """Learn a camera's normal from the clips that ``patterns`` name; rules go to ``out``, the calibration beside them.

    Raises:
        ConfigError: the site, the camera or the clips are not there, the footage is too little, what is there already
            is another camera's, or nothing can be written there.
        SourceError: a clip cannot be read.
        ModelError: a model cannot be had, or failed.
    """
    loaded = load_site(site)
    camera = loaded.camera(camera_id)
    path = Path(os.path.normpath((out or camera.rules or loaded.path.parent / f"{camera.id}.yaml").absolute()))
    clips = find_clips(patterns)
    _require_ours(path, loaded.settings.site.id, camera.id)
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
    step: _Steps,
) -> Learned:
    step("reading the clips")
    learning.require_model_server()
    durations = learning.durations()
    if too_short := [clip.name for clip, seconds in zip(clips, durations, strict=True) if seconds <= 0]:
        raise ConfigError(f"clips that hold less than two pictures: {', '.join(too_short)}")
    records = [(clip.name, sha256_of(clip), seconds) for clip, seconds in zip(clips, durations, strict=True)]
    enrolling = make_enrolling(loaded, camera, clips)
    step("looking at them")
    learning.record(step.within(sum(durations)))
    step("measuring what is normal")
    calibration = learning.calibration([Clip(name=n, sha256=h, duration_s=s) for n, h, s in records])
    notes = list(calibration.reservations)
    step("putting it into words")
    windows = learning.observed(calibration)
    captions = learning.captions(windows if enrolling is None else enrolling.through(windows))
    induction = learning.induce(captions)
    step("judging each half by the other")
    if calibration.busy_s < GOOD_BUSY_S - 1.0:
        notes.append(f"{GOOD_BUSY_S:.0f} s or more with something moving would tell normal more surely")
    hours = calibration.false_alarms.hours  # not the clips' length: only so much was looked at
    scores = _judged(learning, calibration, captions, notes)
    score, raised = _alarm_score(scores, hours, loaded.pipeline.deduction, notes)
    false_alarms = _worse(calibration.false_alarms, raised)
    step("writing")
    beside = calibration_path(path)
    before = load(path) if path.exists() else None
    footage = Footage(
        clips=tuple(RecordedClip(name, sha256, seconds) for name, sha256, seconds in records),
        created_at=clock.now(),
        calibration=beside.name,
        calibration_sha256=calibration.sha256,
        false_alarms_per_hour_max=false_alarms.upper_per_hour,
        alarms=raised,
        alarm_score=score,
    )
    teacher = Teacher(path, loaded.pipeline.deduction)
    with exchanged(path, calibration):
        merge = save_rules(path, loaded.settings.site.id, camera.id, induction, footage, teacher)
    enrolled = None
    if enrolling is not None:
        notes += enrolling.notes
        if enrolling.pictures:
            enrolled = save_enrolled(enrolling, loaded, camera, memory_path(path), clips, clock)
    notes += teacher.weighed.notes
    notes += [f"windows that could not be put into words, and were left out: {learning.lost}"] if learning.lost else []
    notes += [f"kept as people wrote them: {', '.join(merge.kept)}"] if merge.kept else []
    notes += (
        [f"too few batches speak for them, so proposed only: {', '.join(merge.proposed)}"] if merge.proposed else []
    )
    notes += [f"no longer seen, so switched off: {', '.join(merge.retired)}"] if merge.retired else []
    if camera.rules is None or camera.rules != path:
        notes.append(f"the site file does not name this rule file yet: add `rules: {path}` to camera {camera.id}")
    return Learned(
        rules=path,
        calibration=beside,
        version=merge.version,
        normal_rules=sum(rule.says == "normal" and rule.enabled for rule in induction.rules),
        anomaly_rules=sum(rule.says == "anomaly" and rule.enabled for rule in induction.rules),
        footage_s=sum(durations),
        busy_s=calibration.busy_s,
        alarm_score=load_rules(path).alarm_score or score,  # feedback may have moved it
        false_alarms=str(false_alarms),
        notes=tuple(notes),
        changes=None if before is None else difference(before, load(path)),
        enrolled=enrolled,
    )


def _judged(
    learning: Learning, calibration: Calibration, captions: Sequence[Caption | None], notes: list[str]
) -> list[float]:
    """Scores of normal footage, each half judged by what was learned from the other.

    ``calibration`` is that of all of it, for footage that is too short to be halved.
    """
    first, second = Part(0, len(captions)).halves()
    scores: list[float] = []
    for known, unknown in ((first, second), (second, first)):
        try:
            of_half = learning.calibration((), known)
            induction = learning.induce(captions[known.first : known.end])
        except ConfigError:
            notes.append(
                "too little footage to judge one half by the other: the alarm's threshold was set on all of it"
            )
            return learning.scores(learning.induce(captions), learning.observed(calibration))
        scores += learning.scores(induction, learning.observed(of_half, unknown))
    return scores


def _require_ours(path: Path, site: str, camera: str) -> None:
    """Notice what `save_rules` would refuse, before minutes of learning rather than after.

    Raises:
        ConfigError: the rule file that is there does not load or is another camera's.
    """
    if not path.exists():
        return
    rules = load_rules(path)
    if (rules.site, rules.camera) != (site, camera):
        raise ConfigError(
            f"{path} holds the rules of {rules.site}/{rules.camera}; those of {site}/{camera} need another file"
        )


def _alarm_score(
    scores: Sequence[float], hours: float, settings: DeductionSettings, notes: list[str]
) -> tuple[float, int]:
    """The alarm's threshold, and how many alarms the footage raises at it.

    What speaks against it becomes a note: people need the rule file to put it right.
    """
    threshold, objection = calibrate(scores, settings)
    raised = alarms(scores, threshold)
    if settings.max_false_alarms_per_hour is not None:
        try:
            support(settings.max_false_alarms_per_hour, hours, raised)
        except ConfigError as error:
            notes.append(f"`streamproc run` will refuse this camera: {error}")
    notes += [objection] if objection else []
    return threshold, raised


def _worse(measured: FalseAlarms, raised: int) -> FalseAlarms:
    """What the footage says of false alarms, where verdicts raised more than measurements by themselves."""
    if raised <= measured.count:
        return measured
    bound = upper_bound(raised) / measured.hours if measured.hours else measured.upper_per_hour
    return measured.model_copy(update={"count": raised, "upper_per_hour": bound})


class _Steps:
    """Tells people where learning is: a bar in a terminal, lines elsewhere, on standard error."""

    _COUNT = 6
    _LINE_EVERY = 0.25

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress, self._console = progress, console
        self._task = progress.add_task("learning", total=self._COUNT)
        self._done = -1
        self._text = ""

    def __call__(self, text: str) -> None:
        """The next step begins."""
        self._done += 1
        self._text = text
        self._progress.update(self._task, description=text, completed=self._done)
        if not self._console.is_terminal:
            self._console.print(text)

    def end(self) -> None:
        """The last step is done."""
        self._progress.update(self._task, completed=self._COUNT)

    def within(self, total_s: float) -> Callable[[float], None]:
        """Takes the seconds of footage that the present step has done, of ``total_s``."""
        told = 0.0

        def reached(seconds: float) -> None:
            nonlocal told
            # The clips' lengths and the sum of what was seen of them differ by their rounding.
            share = min(1.0, round(seconds / total_s, 3)) if total_s else 1.0
            self._progress.update(self._task, completed=self._done + share)
            if not self._console.is_terminal and share >= told + self._LINE_EVERY:
                told = share - share % self._LINE_EVERY
                self._console.print(f"{self._text}: {told:.0%}")

        return reached


@contextmanager
def _steps() -> Iterator[_Steps]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        steps = _Steps(progress, console)
        yield steps
        steps.end()
