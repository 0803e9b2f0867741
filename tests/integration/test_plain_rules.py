"""A person's rules in plain words, on real footage: each is broken by what it forbids, and the alert says so.

The rules are all that there is: nothing was induced, no keyword was listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamproc.config import Area, DeductionSettings, NormalitySettings
from streamproc.deduction.deducer import Deducer
from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration
from streamproc.normality.fit import fit
from streamproc.normality.observer import EmbeddedObserver
from streamproc.perception.scene import SceneCaptioner
from streamproc.rules.matching import Matcher
from streamproc.rules.schema import parse_rules
from streamproc.testing_footage import Pixels, read_pictures, windows_of
from streamproc.types import Verdict

pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(600)]
PED2 = Path(__file__).parents[3] / "shared" / "data" / "ucsd_ped2"
SETTINGS = NormalitySettings()
NOW = datetime(2026, 11, 21, tzinfo=UTC)
NORMAL_FRAMES = 400
RULES = """\
schema_version: 1
site: campus
camera: test
version: 1
rules:
  - {id: no-cycling, about: human, says: anomaly, text: No cycling or skating here.}
  - {id: no-running, about: human, says: normal, text: Nobody runs.}
  - {id: no-vehicles, about: environment, says: anomaly, text: No vehicles on the walkway.}
"""
WALKWAY = Area(name="walkway", polygon=((0.0, 0.25), (1.0, 0.25), (1.0, 1.0), (0.0, 1.0)))
"""Of vtest: below the yard where a van is parked."""


@pytest.fixture(scope="module")
def detector() -> NanoDet:
    store = ModelStore()
    missing = [status.name for status in store.list() if status.name in ("nanodet", "vtest") and not status.cached]
    if missing:
        pytest.skip(f"not cached: {', '.join(missing)}; fetch with `streamproc models pull`")
    return NanoDet(store.ensure("nanodet"))


def judge(
    pictures: Sequence[Pixels], calibration: Calibration, detector: NanoDet, rules: str, zones: tuple[Area, ...] = ()
) -> list[Verdict]:
    """All that is between a camera's windows and its alerts, with keywords alone."""
    rule_set = parse_rules(rules.encode(), "rules.yaml")[0]
    observer, captioner = EmbeddedObserver(SETTINGS, calibration, detector), SceneCaptioner(zones)
    matcher = Matcher(rule_set, None, 1.0, [zone.name for zone in zones])
    deducer = Deducer(DeductionSettings(), zones=zones)
    verdicts = []
    for window in windows_of(pictures, run=100):
        observed = observer.observe(window)
        caption = captioner.caption(observed)
        matches = matcher.match(caption, window.captured_at, "UTC")
        verdicts.append(deducer.decide(observed, caption, matches, rule_set))
    return verdicts


def reasons(verdicts: Sequence[Verdict], rule: str) -> list[str]:
    """Of the verdicts in alarm that cite the rule first."""
    return [v.reason for v in verdicts if v.alarm and v.cited_rules and v.cited_rules[0].id == rule]


@pytest.fixture(scope="module")
def ped2(detector: NanoDet) -> Calibration:
    if not PED2.is_dir():
        pytest.skip("no UCSD Ped2 clips in ../shared/data/ucsd_ped2")
    clips = [read_pictures(PED2 / "train" / f"{name}.mp4") for name in ("01", "02")]
    windows = [window for run, clip in enumerate(clips) for window in windows_of(clip, run=run)]
    return fit(windows, SETTINGS, learned_at=NOW, detector=detector)


def test_a_bicycle_breaks_the_rule_against_cycling(ped2: Calibration, detector: NanoDet) -> None:
    verdicts = judge(read_pictures(PED2 / "test" / "02.mp4"), ped2, detector, RULES)
    alarms = [verdict for verdict in verdicts if verdict.alarm]
    assert sum("no-cycling" in [rule.id for rule in verdict.cited_rules] for verdict in alarms) >= len(alarms) // 2
    assert not any("no-vehicles" in [rule.id for rule in verdict.cited_rules] for verdict in verdicts)
    (told, *_) = reasons(verdicts, "no-cycling")
    assert told.startswith('Rule no-cycling "No cycling or skating here." is broken by "One ')
    assert "person rides a bicycle" in told or "as if cycling or skating" in told
    assert "speed 2." in told
    # Whoever rides is no runner, but for a window before the detector tells the bicycle.
    assert sum("no-running" in [rule.id for rule in verdict.cited_rules] for verdict in verdicts) <= 1


def test_a_cart_breaks_the_rule_against_vehicles(ped2: Calibration, detector: NanoDet) -> None:
    verdicts = judge(read_pictures(PED2 / "test" / "04.mp4"), ped2, detector, RULES)
    # The detector calls the cart a car for a second; otherwise it is something that glides.
    (told, *_) = reasons(verdicts, "no-vehicles")
    assert told.startswith('Rule no-vehicles "No vehicles on the walkway." is broken by "One car drives on the right')
    assert "times as fast as is normal there" in told
    assert "; measured: " in told
    assert "speed 1." in told


def test_hurry_breaks_the_rule_against_running_and_walking_breaks_none(detector: NanoDet) -> None:
    pictures = read_pictures(ModelStore().ensure("vtest"))
    calibration = fit(windows_of(pictures[:NORMAL_FRAMES]), SETTINGS, learned_at=NOW)
    rules = RULES.replace("on the walkway.}", "on the walkway., when: {zones: [walkway]}}")
    assert "zones" in rules
    walking = judge(pictures[NORMAL_FRAMES : NORMAL_FRAMES + 200], calibration, detector, rules, (WALKWAY,))
    assert not any(verdict.alarm or verdict.cited_rules for verdict in walking)
    hurrying = judge(pictures[NORMAL_FRAMES::3], calibration, detector, rules, (WALKWAY,))
    (told, *_) = reasons(hurrying, "no-running")
    assert told.startswith('Rule no-running "Nobody runs." is broken by "One person hurries in the walkway, 1.')
    assert "times as fast as is normal there" in told
    assert "; measured: " in told
    assert "speed 1." in told
