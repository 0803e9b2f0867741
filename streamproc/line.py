"""One camera's straight line from observed window to verdict, and on to its incidents.

`run` and `replay` walk the same line: the first from worker threads, the second inline. One thread at a time uses a
line (``runtime.channels.Lanes`` sees to it), so it holds no lock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol

import structlog

from streamproc.errors import ModelError, NotSent, ReplyError, SinkError
from streamproc.observability.metrics import Metrics
from streamproc.perception.captioner import Captioner
from streamproc.runtime.clock import Clock
from streamproc.secrets import redact
from streamproc.types import Caption, Match, ObservedWindow, Picture, RuleSet, SkipCause, Verdict

log = structlog.get_logger(__name__)

_Stage = Literal["decode", "observe", "queue", "perception", "deduction"]

LOST_IN_A_ROW = 5
"""So many windows lost one after the other are said as an error, not a warning."""
_KEPT_CHARACTERS = 1000
"""Of a reply that cannot be used, in the log."""


class RulesInForce(Protocol):
    """The camera's rules, reloaded when their file changes."""

    @property
    def rules(self) -> RuleSet:
        """The rule set that the last window was held against."""
        ...

    def refresh(self) -> None:
        """Take up an edit, or report it, also while nothing moves."""
        ...

    def match(self, caption: Caption, observed: ObservedWindow) -> tuple[RuleSet, Sequence[Match]]:
        """The rule set in force and the rules in it that the caption meets."""
        ...


class Deducer(Protocol):
    """Decides about windows in order; remembers the camera's past scores."""

    def decide(
        self,
        observed: ObservedWindow,
        caption: Caption,
        matches: Sequence[Match],
        rules: RuleSet,
        *,
        reused: bool = False,
    ) -> Verdict:
        """``reused``: the caption is the last window's."""
        ...


class Gate(Protocol):
    """Whether a window is worth a model's time."""

    def holds_back(self, observed: ObservedWindow, busy: bool = False) -> SkipCause | None:
        """Why it is not; None where it is. ``usual``: the last caption will do."""
        ...


class Desk(Protocol):
    """Takes verdicts to incidents, evidence and the outbox; ``alerts.desk.AlertDesk`` is one."""

    @property
    def busy(self) -> bool:
        """Whether an incident is open."""
        ...

    def feed(self, verdict: Verdict, picture: Picture | None = None) -> object:
        """Returns once everything that follows from the verdict is decided; raises SinkError if nothing is."""
        ...


class CameraLine:
    """What happens to a camera's observed windows, one after the other."""

    def __init__(
        self,
        camera_id: str,
        gate: Gate,
        captioner: Captioner,
        rules: RulesInForce,
        deducer: Deducer,
        desk: Desk,
        metrics: Metrics,
        clock: Clock,
        *,
        take_dropped: Callable[[], int] = lambda: 0,
        live: bool = True,
        stale_after_s: float = math.inf,
    ) -> None:
        """``take_dropped`` tells how many windows were dropped since it was last asked; those that the captioner loses
        are added. Latencies are measured only of a ``live`` camera: a replay gives the same alerts each time. A window
        whose last picture came more than ``stale_after_s`` ago is not given to the captioner."""
        self._camera_id = camera_id
        self._gate = gate
        self._captioner = captioner
        self._rules = rules
        self._deducer = deducer
        self._desk = desk
        self._metrics = metrics
        self._clock = clock
        self._take_dropped = take_dropped
        self._live = live
        self._stale_after_s = stale_after_s
        self._lost_in_a_row = 0
        self._lost_since_verdict = 0
        self._last: Caption | None = None
        """What was said last; None where the captioner failed since."""
        self.unheard = ""
        """Why the last window could not be put into words; empty where it could."""

    def rules(self) -> RuleSet:
        """The rule set in force."""
        return self._rules.rules

    def watch(self, observed: ObservedWindow, decode_ms: float = 0.0) -> Verdict | None:
        """Walk the line with one window; None where the gate kept it from a verdict.

        Where the gate finds it usual, the last caption is held against what is measured now, and the verdict says so.
        A window that the captioner fails on, or was not asked about, is "unknown": neither normal nor an alarm.
        Incidents do not hear of it and end as where nothing is judged.

        ``decode_ms`` is how long the window took from receipt to being observed.
        """
        self._rules.refresh()
        held_back = self._gate.holds_back(observed, busy=self._desk.busy)
        reused = self._last if held_back == "usual" else None
        if held_back is not None and (held_back != "usual" or reused is not None):
            self._metrics.skipped(self._camera_id, held_back)
            if reused is None:
                return None
        age_ms = (self._clock.now() - observed.window.captured_at).total_seconds() * 1e3
        began = self._clock.monotonic()
        try:
            if reused is None and (age_s := age_ms / 1e3) > self._stale_after_s:
                raise NotSent(f"it waited {age_s:.1f} s for its turn; {self._stale_after_s:g} s are permitted", "stale")
            caption = reused or self._captioner.caption(observed)
        except ModelError as error:
            self._last = None
            self._lose(error)
            return _unknown(observed, self._rules.rules, self.unheard)
        self._lost_in_a_row, self.unheard, self._last = 0, "", caption
        captioned = self._clock.monotonic()
        rules, matches = self._rules.match(caption, observed)
        verdict = self._deducer.decide(observed, caption, matches, rules, reused=reused is not None)
        decided = self._clock.monotonic()
        if reused is not None:
            before_s = observed.window.end_s - reused.pts_s
            said = f"in the words of {before_s:.1f} s before: what moves since is usual here"
            verdict = replace(verdict, degraded=(*verdict.degraded, said))
        if self._live:
            latency_ms: dict[_Stage, float] = {
                "decode": max(0.0, decode_ms - observed.took_s * 1e3),
                "observe": observed.took_s * 1e3,
                "queue": max(0.0, age_ms - decode_ms),
                "perception": (captioned - began) * 1e3,
                "deduction": (decided - captioned) * 1e3,
            }
            self._measure(latency_ms)
            verdict = replace(verdict, latency_ms={str(stage): value for stage, value in latency_ms.items()})
        verdict = replace(verdict, dropped_windows=self._take_dropped() + self._lost_since_verdict)
        self._lost_since_verdict = 0
        self._metrics.verdict(self._camera_id, verdict.judgement)
        for vote in verdict.votes:
            if vote.voter == "llm" and reused is None:
                self._metrics.llm_asked(self._camera_id, vote.reflected)
        try:
            self._desk.feed(verdict, observed.window.last.picture)
        except SinkError as error:
            # The next window is judged as if this one had not been, so what goes on is told once the disk is back.
            log.error("alert_not_decided", camera=self._camera_id, error=redact(str(error)))
        return verdict

    def _measure(self, latency_ms: Mapping[_Stage, float]) -> None:
        for stage, value_ms in latency_ms.items():
            self._metrics.latency(stage, value_ms / 1e3)

    def _lose(self, error: ModelError) -> None:
        self._lost_in_a_row += 1
        self._lost_since_verdict += 1
        if isinstance(error, NotSent):
            self._metrics.not_sent(self._camera_id, "perception", error.cause)
        else:
            self._metrics.lost(self._camera_id, "perception")
        self._metrics.verdict(self._camera_id, "unknown")
        self.unheard = f"{self._lost_in_a_row} windows in a row could not be put into words: {redact(str(error))}"
        tell = log.error if self._lost_in_a_row >= LOST_IN_A_ROW else log.warning
        said = {"reply": redact(error.text)[:_KEPT_CHARACTERS]} if isinstance(error, ReplyError) else {}
        tell("window_lost", camera=self._camera_id, in_a_row=self._lost_in_a_row, error=redact(str(error)), **said)


def _unknown(observed: ObservedWindow, rules: RuleSet, why: str) -> Verdict:
    window = observed.window
    return Verdict(
        camera_id=window.camera_id,
        run=window.run,
        pts_s=window.end_s,
        captured_at=window.captured_at,
        kind="behaviour",
        judgement="unknown",
        score=0.0,
        smoothed=0.0,
        alarm=False,
        category="unknown",
        severity="info",
        cited_rules=(),
        votes=(),
        captions=(),
        measurements=observed.measurements,
        reason=f"Not judged: {why}.",
        rule_set=rules,
        models=(),
        degraded=(why,),
    )
