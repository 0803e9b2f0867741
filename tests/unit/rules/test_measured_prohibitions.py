"""What the scene captioner says of postures and ways is met by what people forbid in plain words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streamproc.perception.scene import SceneCaptioner
from streamproc.rules.matching import Matcher
from streamproc.rules.schema import parse_rules
from streamproc.testing_footage import drawn, windows_of
from streamproc.types import Box, Measurement, ObservedWindow, Track

RULES = """\
schema_version: 1
site: campus
camera: test
version: 1
rules:
  - {id: lies, about: human, says: normal, text: Nobody lies on the ground.}
  - {id: falls, about: human, says: anomaly, text: No falling.}
  - {id: crouches, about: human, says: normal, text: Nobody crouches.}
  - {id: way, about: human, says: anomaly, text: Somebody goes the wrong way., keywords: [wrong way]}
"""
WINDOW = next(windows_of(drawn([], 1.0)))
LEFT: Box = (0.1, 0.4, 0.15, 0.6)


@pytest.mark.parametrize(
    ("measured", "broken"),
    [("", set()), ("lying", {"lies", "falls"}), ("crouching", {"crouches"}), ("direction", {"way"})],
)
def test_what_was_measured_breaks_the_rules_that_forbid_it(measured: str, broken: set[str]) -> None:
    speed = Measurement("speed", 0.5, "", 1.0, 0.5, 1.2, LEFT, 1)
    odd = (Measurement(measured, 3.0, "", 1.0, 2.0, 1.0, LEFT, 1),) if measured else ()
    observed = ObservedWindow(WINDOW, (Track(1, "person", 0.8, LEFT, 3.0, speed),), odd, 0.01)
    matcher = Matcher(parse_rules(RULES.encode(), "rules.yaml")[0], None, 1.0, [])
    matches = matcher.match(SceneCaptioner().caption(observed), datetime(2026, 11, 21, tzinfo=UTC), "UTC")
    assert {match.rule_id for match in matches} == broken
