"""Builders of what deduction works on, for tests: a window, what was said of it, what was measured, rules, matches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from streamproc.types import (
    About,
    Box,
    Caption,
    Fact,
    Frame,
    Match,
    Measurement,
    ModelRef,
    ObservedWindow,
    Rule,
    RuleSet,
    Says,
    Severity,
    Track,
    When,
    Window,
)

_PICTURE = np.zeros((4, 4, 3), np.uint8)
_START = datetime(2026, 1, 1, tzinfo=UTC)


def observed(
    end_s: float = 1.0,
    *,
    run: int = 1,
    span_s: float = 1.0,
    measurements: Sequence[Measurement] = (),
    tracks: Sequence[Track] = (),
    not_judged: Sequence[str] = (),
    calibration: str | None = None,
) -> ObservedWindow:
    """A window of camera ``gate`` that spans ``span_s`` seconds of media time up to ``end_s``.

    ``calibration`` is the hash of the one that it was measured by.
    """
    times = (end_s - span_s, end_s) if span_s else (end_s,)
    frames = tuple(Frame("gate", run, pts_s, _START + timedelta(seconds=pts_s), _PICTURE) for pts_s in times)
    window = Window("gate", run, 0, (frames,))
    return ObservedWindow(window, tuple(tracks), tuple(measurements), 0.1, tuple(not_judged), calibration)


def speed(
    score: float, *, threshold: float = 0.7, track_id: int | None = 1, box_norm: Box | None = None
) -> Measurement:
    """A speed of ``score`` on the scale where the camera's alarm is at ``threshold``."""
    return Measurement("speed", 1 + score, "times normal speed", 1.3, score, threshold, box_norm, track_id)


def track(track_id: int = 1, box_norm: Box = (0.1, 0.2, 0.2, 0.5), own: Measurement | None = None) -> Track:
    """A person."""
    return Track(track_id, "person", 0.9, box_norm, 3.0, own)


def fact(
    text: str,
    action: str = "",
    *,
    about: About = "human",
    place: str = "",
    tracks: Sequence[int] = (),
    measurement: Measurement | None = None,
) -> Fact:
    """One sentence."""
    return Fact(about, "person", 1, action, place, text, measurement, tuple(tracks))


def caption(*facts: Fact, text: str | None = None) -> Caption:
    """What is seen, in these sentences, or as free text."""
    whole = " ".join(one.text for one in facts) if text is None else text
    return Caption("gate", 1, 1.0, whole, facts, ModelRef("perception", "scene", "1"))


def rule(
    rule_id: str,
    says: Says,
    text: str = "",
    *,
    severity: Severity = "warning",
    zones: Sequence[str] = (),
    enabled: bool = True,
    about: About = "human",
) -> Rule:
    """One rule."""
    when = When(zones=tuple(zones)) if zones else None
    return Rule(rule_id, about, says, text or f"What {rule_id} says.", severity=severity, when=when, enabled=enabled)


def rule_set(*rules: Rule, version: int = 1) -> RuleSet:
    """The camera's rules."""
    return RuleSet("gate", "site", "gate", version, f"{version:064x}", rules)


def keyword(rule_id: str, words: str) -> Match:
    """A match by keyword."""
    return Match(rule_id, "keyword", 1.0, words)


def semantic(rule_id: str, words: str, score: float) -> Match:
    """A match by meaning."""
    return Match(rule_id, "semantic", score, words)
