"""Named threads under one roof: one that ends when it should not is told, and started again or the process stopped.

``stop`` asks the stages of phase 0 to end, then those of phase 1, and so on, the way data flows, so that what the first
still hand on is taken by the next. A stage past its deadline is named, and so is the stage whose failure stopped the
process: both are a ``StageError``, so that the process exits non-zero.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import structlog

from streamproc.errors import ChannelClosed, StageError
from streamproc.runtime.clock import Clock
from streamproc.secrets import redact

log = structlog.get_logger(__name__)

OnFailure = Literal["restart", "stop"]

_FIRST_BACKOFF_S = 0.5
_MOST_BACKOFF_S = 30.0
_STEADY_S = 60.0
_LOOK_S = 0.2


@dataclass(slots=True, eq=False)
class _Stage:
    name: str
    target: Callable[[], None]
    on_failure: OnFailure
    may_end: bool
    ask_to_end: Callable[[], None] | None
    phase: int
    thread: threading.Thread = field(init=False)


class Supervisor:
    """Runs stages on daemon threads from ``start`` to ``stop``."""

    def __init__(
        self,
        clock: Clock,
        on_restart: Callable[[str], None] = lambda _: None,
        rng: random.Random | None = None,
    ) -> None:
        """``on_restart`` is told the stage's name; ``rng`` jitters the backoff."""
        self.stopping = threading.Event()
        """Set by ``stop``, by a signal, or by the failure of a stage whose policy is ``stop``."""
        self.failure: str | None = None
        """The first failure that stopped the process, in words."""
        self._clock, self._on_restart = clock, on_restart
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not cryptography
        self._stages: list[_Stage] = []
        self._lock = threading.Lock()

    def start(
        self,
        name: str,
        target: Callable[[], None],
        *,
        on_failure: OnFailure = "stop",
        may_end: bool = False,
        ask_to_end: Callable[[], None] | None = None,
        phase: int = 0,
    ) -> None:
        """Run ``target`` on a thread called ``name``.

        ``on_failure`` says what an exception, or a return without ``may_end``, leads to while nothing stops: another
        start after a jittered backoff, or the end of the process. ``ChannelClosed`` counts as a return.
        ``ask_to_end`` is called by ``stop`` when the turn of the stage's ``phase`` comes: it closes a channel or sets
        an event; a stage without it watches ``stopping``.
        """
        stage = _Stage(name, target, on_failure, may_end, ask_to_end, phase)
        stage.thread = threading.Thread(target=self._run, args=(stage,), name=name, daemon=True)
        with self._lock:
            self._stages.append(stage)
            stage.thread.start()

    def wait(self) -> None:
        """Until the process shall stop: told to, a stage failed, or every stage that may end has ended."""
        while not self._clock.wait(self.stopping, _LOOK_S):
            with self._lock:
                ending = [stage.thread for stage in self._stages if stage.may_end]
            if ending and not any(thread.is_alive() for thread in ending):
                return

    def dead(self) -> tuple[str, ...]:
        """Names of the stages that should run and do not, for the liveness page."""
        with self._lock:
            stages = tuple(self._stages)
        return tuple(stage.name for stage in stages if not stage.may_end and not stage.thread.is_alive())

    def stop(self, deadline_s: float) -> None:
        """End all stages within ``deadline_s`` seconds; each phase has an equal share of what is left.

        Raises:
            StageError: stages that did not end, by name, or the failure that stopped the process.
        """
        self.stopping.set()
        end_s = self._clock.monotonic() + deadline_s
        with self._lock:
            stages = tuple(self._stages)
        phases = sorted({stage.phase for stage in stages})
        late: list[str] = []
        for turn, phase in enumerate(phases):
            members = [stage for stage in stages if stage.phase == phase]
            for stage in members:
                self._ask(stage)
            share_s = (end_s - self._clock.monotonic()) / (len(phases) - turn)
            phase_end_s = self._clock.monotonic() + share_s
            for stage in members:
                stage.thread.join(max(0.0, phase_end_s - self._clock.monotonic()))
                if stage.thread.is_alive():
                    late.append(stage.name)
                    log.error("stage_late", stage=stage.name, deadline_s=deadline_s)
        problems = [f"did not end within {deadline_s:g} s: {', '.join(late)}"] if late else []
        if self.failure:
            problems.insert(0, self.failure)
        if problems:
            raise StageError("; ".join(problems))

    def _ask(self, stage: _Stage) -> None:
        if stage.ask_to_end is None:
            return
        try:
            stage.ask_to_end()
        except Exception:  # the other stages have to be asked all the same
            log.exception("stage_not_asked", stage=stage.name)

    def _run(self, stage: _Stage) -> None:
        failures = 0
        while True:
            began_s = self._clock.monotonic()
            reason = self._once(stage)
            if reason is None or self.stopping.is_set():
                return
            if stage.on_failure == "stop":
                with self._lock:
                    self.failure = self.failure or f"stage {stage.name}: {reason}"
                self.stopping.set()
                return
            failures = 0 if self._clock.monotonic() - began_s >= _STEADY_S else failures
            wait_s = self._rng.uniform(0.5, 1.0) * min(_MOST_BACKOFF_S, _FIRST_BACKOFF_S * 2**failures)
            failures = min(failures + 1, 16)
            log.warning("stage_restarts", stage=stage.name, in_s=round(wait_s, 2))
            if self._clock.wait(self.stopping, wait_s):
                return
            self._on_restart(stage.name)

    def _once(self, stage: _Stage) -> str | None:
        """Why the target's end was a failure, None if it was none."""
        try:
            stage.target()
        except ChannelClosed:
            pass
        except Exception as error:
            log.exception("stage_failed", stage=stage.name, stopping=self.stopping.is_set())
            reason = redact(f"{type(error).__name__}: {error}")
            if self.stopping.is_set():  # nothing starts it again, but the exit status must tell
                with self._lock:
                    self.failure = self.failure or f"stage {stage.name}: {reason}"
            return reason
        if stage.may_end or self.stopping.is_set():
            return None
        log.error("stage_ended", stage=stage.name)
        return "ended when it should not have"
