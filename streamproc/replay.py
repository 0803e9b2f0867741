"""`streamproc replay`: a recording through a camera's line, in one thread, the same alerts each time."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from streamproc.alerts.message import Alert
from streamproc.alerts.outbox import Outbox
from streamproc.assembly import camera_desk, camera_line, unit_settings
from streamproc.backends import Backends
from streamproc.calibrations import CalibrationInForce
from streamproc.camera import CameraUnit
from streamproc.camera_inspection import camera_inspection
from streamproc.camera_rules import alarm_score, rules_path
from streamproc.errors import ConfigError
from streamproc.inspection_branch import Inspection
from streamproc.models.store import ModelStore
from streamproc.observability.metrics import Metrics
from streamproc.runtime.clock import SystemClock
from streamproc.runtime.spent import Spent
from streamproc.site import LoadedSite, load_site
from streamproc.sources.evidence import EvidenceRing
from streamproc.types import CameraFault, CameraState, DropCause, ObservedWindow, PacketBatch, Verdict, Window
from streamproc.watch import Observer

DECODING, OBSERVING, JUDGING = "decoding", "tracks and measurements", "words, rules and verdict"
INSPECTING = "close looks"
"""Parts of what a replay takes, as ``Spent`` names them."""
_REASONS = 3
"""Why windows were not judged: so many reasons are told, the most frequent first."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One window of a recording, and what was made of it."""

    observed: ObservedWindow
    verdict: Verdict | None
    """None where nothing moves, which is not judged."""
    threshold: float
    """Smoothed score that raises an alarm."""

    @property
    def at(self) -> datetime:
        """When its last picture was captured, UTC."""
        return self.observed.window.captured_at


class RecordingClock:
    """Wall-clock time of a recording: its start plus the media time reached. What is measured stays real."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._now = start

    def now(self) -> datetime:
        """Capture time of the last window looked at, UTC."""
        return self._now

    def reach(self, at: datetime) -> None:
        """A window captured ``at`` is looked at."""
        self._now = max(self._now, at)

    def monotonic(self) -> float:
        """Seconds of the recording."""
        return (self._now - self._start).total_seconds()

    def wait(self, event: Any, timeout_s: float) -> bool:
        """Nothing in a replay waits."""
        self._now += timedelta(seconds=timeout_s)
        return bool(event.is_set())


class _Recorded:
    """Takes the unit's packets to the ring and counts what was lost."""

    def __init__(self, ring: EvidenceRing | None) -> None:
        self._ring = ring
        self.lost = 0

    def packets(self, batch: PacketBatch) -> None:
        if self._ring is not None:
            self._ring.append(batch)

    def state(self, state: CameraState) -> None:
        pass

    def window(self, observed: ObservedWindow) -> None:
        pass

    def main_packets(self, batch: PacketBatch) -> None:
        pass

    def main_state(self, state: CameraState) -> None:
        pass

    def fault(self, camera_id: str, fault: CameraFault) -> None:
        pass

    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None:
        pass

    def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:  # noqa: ARG002
        self.lost += count


class _Timed:
    """An observer whose time is noted."""

    def __init__(self, observer: Observer, spent: Spent) -> None:
        self._observer, self._spent = observer, spent

    def observe(self, window: Window) -> ObservedWindow | None:
        with self._spent.on(OBSERVING):
            return self._observer.observe(window)


def load_backends(loaded: LoadedSite) -> closing[Backends]:
    """The models that a site's pipeline names, for as many replays as the body of ``with`` plays.

    Raises:
        ModelLoadError: one of them cannot be had.
    """
    return closing(Backends(loaded.pipeline, ModelStore(), SystemClock()))


def replay(
    site: Path,
    camera_id: str,
    video: Path,
    start: datetime,
    evidence: Path | None,
    tell: Callable[[dict[str, Any]], None],
    heed: Callable[[Judged], None] = lambda _: None,
    *,
    rules: Path | None = None,
    backends: Backends | None = None,
    spent: Spent | None = None,
) -> str:
    """Play ``video`` as ``camera_id`` would have seen it from ``start`` (UTC) on; ``tell`` is given each alert,
    ``heed`` each window. ``rules`` is a rule file to be held against in place of the camera's, ``backends`` are the
    site's where they are loaded already, ``spent`` is told what takes how long.

    Returns a summary in one line.

    Raises:
        ConfigError: the site, the camera, its rules or the recording are not there.
        SourceError: the recording cannot be read.
    """
    loaded = load_site(site)
    if not video.exists():
        raise ConfigError(f"{video}: no such recording")
    recorded_as = {"main": str(video.absolute()), "sub": None, "realtime": False}
    camera = loaded.camera(camera_id)
    camera = camera.model_copy(update={**recorded_as, "rules": rules.absolute() if rules else camera.rules})
    threshold = alarm_score(loaded, camera)  # a mistake in the rule file is told before models are fetched and loaded
    clock = RecordingClock(start)
    metrics = Metrics([camera.id])
    has_llm = loaded.pipeline.deduction.llm is not None
    spent = spent or Spent()
    alerts = windows = asked = 0
    unjudged: Counter[str] = Counter()

    def decided(alert: Alert) -> None:
        nonlocal alerts
        alerts += 1
        tell(alert.model_dump(mode="json"))

    kept = loaded.settings.alerts.evidence
    ring = EvidenceRing(kept.ring_s, kept.ring_mb, with_main=False) if evidence is not None else None
    recorded = _Recorded(ring)
    with (
        load_backends(loaded) if backends is None else nullcontext(backends) as models,
        tempfile.TemporaryDirectory(prefix="streamproc-replay-") as scratch,
        closing(Outbox(Path(scratch) / "outbox.sqlite3", (), clock)) as outbox,
    ):
        desk = camera_desk(
            loaded, camera, outbox, ring, metrics, clock, on_ready=decided, evidence=evidence, replayed=True
        )
        calibration = CalibrationInForce(rules_path(loaded, camera), loaded.pipeline.normality)
        line = camera_line(loaded, camera, models, calibration, desk, metrics, clock, live=False)
        looked_at = camera_inspection(loaded, camera, models, desk, line.rules, metrics, live=False)
        inspection = Inspection({camera.id: looked_at} if looked_at is not None else {}, metrics, clock)
        observer = partial(models.observer, calibration.calibration)
        unit = CameraUnit(
            unit_settings(loaded, camera), recorded, clock, lambda settings: _Timed(observer(settings), spent)
        )
        began_s = time.monotonic()
        with spent.on(DECODING):
            for observed in unit.run_inline(start):
                clock.reach(observed.window.captured_at)
                with spent.on(JUDGING):
                    verdict = line.watch(observed)
                with spent.on(INSPECTING):
                    inspection.look(observed)
                with spent.on(None):
                    heed(Judged(observed, verdict, threshold))
                windows += 1
                unjudged.update(observed.not_judged)
                asked += verdict is not None and any(vote.voter == "llm" for vote in verdict.votes)
        desk.finish(clock.now(), "The recording ended.")
    took_s = time.monotonic() - began_s
    speed = clock.monotonic() / took_s if took_s else 0.0
    return (
        f"{windows} windows, {clock.monotonic():.1f} s of video in {took_s:.1f} s ({speed:.1f} times real time), "
        f"{alerts} alert messages"
        + (f", {recorded.lost} packets or windows lost" if recorded.lost else "")
        + "".join(f"; in {count} not judged: {why}" for why, count in unjudged.most_common(_REASONS))
        + (f", language model asked about {asked} ({asked / max(windows, 1):.1%})" if has_llm else "")
    )
