"""A rule file that may be edited while it is in use: a valid edit takes effect, an invalid one is told and ignored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

import structlog

from streamproc.errors import ConfigError, InferenceError
from streamproc.rules import history
from streamproc.rules.matching import Matcher
from streamproc.rules.meaning import Embedder
from streamproc.rules.schema import parse_rules
from streamproc.runtime.clock import Clock
from streamproc.types import Caption, Match, ObservedWindow, RuleSet
from streamproc.yamlfile import read_bytes

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 0.5
"""How often the file's times are looked at, at most."""
QUIET_S = 0.3
"""A file written to this recently may be half written; it is read at the next check."""
SETTLED_S = 2.0
"""After this long an edit is sure to have changed the file's times, whatever the file system's clock ticks at."""

_Times = tuple[int, int, int]


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
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        calibration: RulesCalibration | None = None,
        recorded: bool = False,
        on_change: Callable[[RuleSet], None] = lambda _: None,
        on_refusal: Callable[[ConfigError], None] = lambda _: None,
    ) -> None:
        """Load the file.

        ``calibration`` is exchanged with the rules. With ``recorded`` whatever takes effect is kept in the history, so
        that the rules of every alert can be looked up by its hash, people's edits too. ``on_change`` is told of each
        rule set that takes effect later, ``on_refusal`` once of each edit that does not.

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

    @property
    def rules(self) -> RuleSet:
        """The rule set in force, without a look at the file."""
        return self._rules

    def poll(self) -> RuleSet:
        """The rule set in force, after a look at the file if the last one is long enough ago."""
        now_s = self._clock.monotonic()
        if now_s - self._checked_s < CHECK_EVERY_S:
            return self._rules
        self._checked_s = now_s
        times = self._look()
        now_s = self._clock.now().timestamp()
        ages_s = [now_s - found[0] / 1e9 for found in times if found] or [SETTLED_S]
        settled = times == self._times and all(age_s >= SETTLED_S for age_s in ages_s)
        if settled or any(0 <= age_s < QUIET_S for age_s in ages_s):
            return self._rules
        self._times = times
        self._read()
        return self._rules

    def _look(self) -> tuple[_Times | None, ...]:
        files = (self._path,) if self._calibration is None else (self._path, self._calibration.file)
        return tuple(_times(file) for file in files)

    def _take(self, rules: RuleSet) -> str | None:
        return None if self._calibration is None else self._calibration.take(rules)

    def _read(self) -> None:
        digest = "unreadable"
        try:
            data = read_bytes(self._path)
            digest = hashlib.sha256(data).hexdigest()
            rules = self._rules if digest == self._rules.sha256 else self._parsed(data)
            self.calibration_sha256 = self._take(rules)
        except ConfigError as error:
            if (digest, str(error)) != self._refused:
                self._refused = digest, str(error)
                log.error("rules_refused", path=str(self._path), in_force=self._rules.version, faults=str(error))
                self._on_refusal(error)
            return
        self._refused = None
        if rules is self._rules:
            return
        self._rules = rules
        self._record(data)
        log.info("rules_changed", path=str(self._path), version=rules.version, sha256=rules.sha256[:12])
        self._on_change(rules)

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


class LiveRules:
    """Holds captions against whatever a rule file says at the moment."""

    def __init__(
        self,
        file: RuleFile,
        embedder: Embedder | None,
        semantic_threshold: float,
        timezone: str,
        zones: Collection[str] = (),
    ) -> None:
        """``timezone`` is the camera's, for rules that hold at certain hours; ``zones`` are the names of its zones."""
        self._file = file
        self._embedder = embedder
        self._threshold = semantic_threshold
        self._timezone = timezone
        self._zones = tuple(zones)
        self._matcher = self._matcher_of(file.rules)
        self._calibration_sha256 = file.calibration_sha256

    @property
    def rules(self) -> RuleSet:
        """The rule set that the last window was held against."""
        return self._matcher.rules

    def refresh(self) -> None:
        """Look whether the file was edited, also while there is nothing to match."""
        self._file.poll()

    def match(self, caption: Caption, observed: ObservedWindow) -> tuple[RuleSet, list[Match]]:
        """The rule set in force and the rules in it that the caption meets.

        A window that was on its way when rules and calibration changed is held against the rules whose calibration it
        was measured by.
        """
        rules = self._file.poll()
        was, now = self._calibration_sha256, self._file.calibration_sha256
        if not (observed.calibration_sha256 == was != now):
            self._calibration_sha256 = now
            if rules is not self._matcher.rules:
                self._matcher = self._matcher_of(rules)
        return self._matcher.rules, self._matcher.match(caption, observed.window.captured_at, self._timezone)

    def _matcher_of(self, rules: RuleSet) -> Matcher:
        try:
            return Matcher(rules, self._embedder, self._threshold, self._zones)
        except InferenceError as error:
            log.error("semantic_matching_off", camera=rules.camera, version=rules.version, error=str(error))
            return Matcher(rules, None, self._threshold, self._zones)
