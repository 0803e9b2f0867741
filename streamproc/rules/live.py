"""A camera's captions against its rule file, whatever that says at the moment."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from streamproc.errors import InferenceError
from streamproc.rules.matching import Matcher
from streamproc.rules.meaning import Embedder
from streamproc.rules.watch import RuleFile
from streamproc.types import Caption, Match, ObservedWindow, RuleSet

log = structlog.get_logger(__name__)


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
        file.matcher_of = self._matcher_of
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
                self._matcher = self._file.matcher or self._matcher_of(rules)
        return self._matcher.rules, self._matcher.match(caption, observed.window.captured_at, self._timezone)

    def _matcher_of(self, rules: RuleSet) -> Matcher:
        try:
            return Matcher(rules, self._embedder, self._threshold, self._zones)
        except InferenceError as error:
            log.error("semantic_matching_off", camera=rules.camera, version=rules.version, error=str(error))
            return Matcher(rules, None, self._threshold, self._zones)
