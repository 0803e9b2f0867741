"""A rule file that may be edited while it is in use: a valid edit takes effect, an invalid one is told and ignored."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from streamproc.errors import ConfigError
from streamproc.rules import history
from streamproc.rules.matching import Matcher
from streamproc.rules.schema import parse_rules
from streamproc.runtime.clock import Clock
from streamproc.types import RuleSet
from streamproc.yamlfile import read_bytes

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 0.5
"""How often the file's times are looked at, at most."""
QUIET_S = 0.3
"""A file written to this recently may be half written; it is read at the next check."""
SETTLED_S = 2.0
"""After this long an edit is sure to have changed the file's times, whatever the file system's clock ticks at."""

PATIENCE_S = 0.5
"""So long an edit is waited for at most: an ordinary one is in force at once, the rules of a large one come later."""

_Times = tuple[int, int, int]
_Job = Callable[[], None]


def in_place(job: _Job) -> None:
    """Do it now: the same windows are held against the same rules each time."""
    job()


def aside(job: _Job, patience_s: float = PATIENCE_S) -> None:
    """Do it on a thread of its own, and wait for it no longer than ``patience_s``.

    Raises:
        RuntimeError: no thread can be started.
    """
    thread = threading.Thread(target=job, name="rules", daemon=True)
    thread.start()
    thread.join(patience_s)


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """What was read from a rule file."""

    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """What came of it: rules that may take effect, or why they may not."""

    content: _Content
    rules: RuleSet | ConfigError
    matcher: Matcher | None = None


class RulesCalibration(Protocol):
    """What was measured when rules were learned, and changes with them."""

    @property
    def file(self) -> Path:
        """Looked at together with the rule file."""
        ...

    def take(self, rules: RuleSet) -> str | None:
        """Have the calibration of ``rules`` in force from now on; returns its hash, None where there is none.

        Raises:
            ConfigError: it is not valid; rules and calibration stay as they are.
        """
        ...


class RuleFile:
    """The rule set in force. ``poll`` it at least once a second and a valid edit takes effect within two.

    Editors that replace the file, and configuration mounts that turn a link, are followed: it is looked up by its name
    each time. One thread at a time may use it.

    Reading thousands of rules and embedding them takes long. ``work`` does that, one edit at a time, and until it is
    done the old rules stay in force with their calibration. Only what the file says last takes effect.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        calibration: RulesCalibration | None = None,
        recorded: bool = False,
        work: Callable[[_Job], None] = in_place,
        on_change: Callable[[RuleSet], None] = lambda _: None,
        on_refusal: Callable[[ConfigError], None] = lambda _: None,
    ) -> None:
        """Load the file.

        ``calibration`` is exchanged with the rules. With ``recorded`` whatever takes effect is kept in the history, so
        that the rules of every alert can be looked up by its hash, people's edits too. ``work`` is ``in_place`` or
        ``aside``. ``on_change`` is told of each rule set that takes effect later, ``on_refusal`` once of each edit that
        does not; both by ``poll``.

        Raises:
            ConfigError: the file or its calibration is not valid now.
        """
        self._path = path
        self._clock = clock
        self._calibration = calibration
        self._recorded = recorded
        self._on_change = on_change
        self._on_refusal = on_refusal
        self._times = self._look()
        self._checked_s = clock.monotonic()
        data = read_bytes(path)
        self._rules = parse_rules(data, str(path))[0]
        self._record(data)
        self.calibration_sha256 = self._take(self._rules)
        """Of the calibration that is in force with the rules; None without one."""
        self._refused: tuple[str, str] | None = None
        self._work = work
        self._wanted: _Content | None = None
        self._making = False
        self._made: _Made | None = None
        self.matcher_of: Callable[[RuleSet], Matcher] | None = None
        """Makes what captions are held against, wherever an edit is worked at."""
        self.matcher: Matcher | None = None
        """What it made of the rules in force; None for those of the start."""

    @property
    def rules(self) -> RuleSet:
        """The rule set in force, without a look at the file."""
        return self._rules

    def poll(self) -> RuleSet:
        """The rule set in force, after a look at the file if the last one is long enough ago."""
        self._take_made()
        if self._edited():
            self._read()
        if self._wanted is not None and not self._making:
            self._making = True
            try:
                self._work(partial(self._make, self._wanted))
            except RuntimeError as error:
                self._made = _Made(self._wanted, ConfigError(f"{self._path}: not taken over: {error}"))
            self._take_made()
        return self._rules

    def _edited(self) -> bool:
        now_s = self._clock.monotonic()
        if now_s - self._checked_s < CHECK_EVERY_S:
            return False
        self._checked_s = now_s
        times = self._look()
        now_s = self._clock.now().timestamp()
        ages_s = [now_s - found[0] / 1e9 for found in times if found] or [SETTLED_S]
        # A replay's clock is the recording's: files written long after it have settled as well.
        settled = times == self._times and all(abs(age_s) >= SETTLED_S for age_s in ages_s)
        if settled or any(0 <= age_s < QUIET_S for age_s in ages_s):
            return False
        self._times = times
        return True

    def _look(self) -> tuple[_Times | None, ...]:
        files = (self._path,) if self._calibration is None else (self._path, self._calibration.file)
        return tuple(_times(file) for file in files)

    def _take(self, rules: RuleSet) -> str | None:
        return None if self._calibration is None else self._calibration.take(rules)

    def _read(self) -> None:
        try:
            data = read_bytes(self._path)
        except ConfigError as error:
            self._refuse("unreadable", error)
            return
        content = _Content(hashlib.sha256(data).hexdigest(), data)
        if content.sha256 == self._rules.sha256:
            self._wanted = None
            self._enter(_Made(content, self._rules, self.matcher))
        elif self._wanted is None or content.sha256 != self._wanted.sha256:
            self._wanted = content

    def _make(self, content: _Content) -> None:
        """On another thread, maybe: changes nothing but ``_made``."""
        try:
            rules = self._parsed(content.data)
            self._made = _Made(content, rules, self.matcher_of(rules) if self.matcher_of else None)
        except ConfigError as error:
            self._made = _Made(content, error)
        except Exception as error:  # whatever it is, the camera goes on with its old rules, and the edit is not lost
            log.exception("rules_not_made", path=str(self._path))
            self._made = _Made(content, ConfigError(f"{self._path}: not taken over: {error!r}"))

    def _take_made(self) -> None:
        made = self._made
        if made is None:
            return
        self._made, self._making = None, False
        if self._wanted is not None and self._wanted.sha256 == made.content.sha256:
            self._wanted = None
            self._enter(made)

    def _enter(self, made: _Made) -> None:
        """Rules, calibration and matcher take effect together, or none of them does."""
        try:
            if isinstance(made.rules, ConfigError):
                raise made.rules
            self.calibration_sha256 = self._take(made.rules)
        except ConfigError as error:
            self._refuse(made.content.sha256, error)
            return
        self._refused = None
        if made.rules is self._rules:
            return
        self._rules, self.matcher = made.rules, made.matcher
        self._record(made.content.data)
        log.info("rules_changed", path=str(self._path), version=self._rules.version, sha256=self._rules.sha256[:12])
        self._on_change(self._rules)

    def _refuse(self, digest: str, error: ConfigError) -> None:
        if (digest, str(error)) != self._refused:
            self._refused = digest, str(error)
            log.error("rules_refused", path=str(self._path), in_force=self._rules.version, faults=str(error))
            self._on_refusal(error)

    def _record(self, data: bytes) -> None:
        if not self._recorded:
            return
        try:
            history.keep(self._path, data)
        except ConfigError as error:  # a folder that only others may write to: the rules hold all the same
            log.info("rules_version_not_kept", path=str(self._path), error=str(error))

    def _parsed(self, data: bytes) -> RuleSet:
        rules, was = parse_rules(data, str(self._path))[0], self._rules
        if (rules.site, rules.camera) != (was.site, was.camera):
            raise ConfigError(
                f"{self._path}: these are the rules of {rules.site}/{rules.camera}, not of {was.site}/{was.camera}"
            )
        return rules


def _times(file: Path) -> _Times | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
