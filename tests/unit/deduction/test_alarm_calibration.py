from __future__ import annotations

import math
import re

import pytest

from streamproc.config import DeductionSettings, VoterWeights
from streamproc.deduction.calibration import MARGIN, alarms, calibrate, highest_threshold, support, upper_bound
from streamproc.deduction.combining import combined, weighed
from streamproc.errors import ConfigError
from streamproc.types import Vote

SETTINGS = DeductionSettings()


def test_quiet_footage_leaves_the_threshold_where_it_is_set() -> None:
    assert calibrate([0.0, 0.1, 0.2], SETTINGS) == (0.5, None)


def test_restless_footage_raises_it_above_its_highest_score() -> None:
    assert calibrate([0.1, 0.62, 0.3], SETTINGS)[0] == pytest.approx(0.62 + MARGIN)


def test_footage_on_which_the_rules_fire_takes_it_no_higher_than_a_keyword_reaches_and_says_so() -> None:
    threshold, objection = calibrate([0.1, 0.88, 0.69, 0.7], SETTINGS)
    assert threshold == highest_threshold(SETTINGS.weights)
    assert objection is not None
    assert re.search(
        r"scores up to 0\.88, and 3 of its 4 judged moments alarm from 0\.68 on.*correct or disable", objection
    )
    assert calibrate([0.67], SETTINGS) == (threshold, None)


def test_a_keyword_alarms_by_itself_at_the_highest_threshold_and_hardly_above_it() -> None:
    full = [
        weighed(Vote("keyword", "anomaly", (), 1.0, 1.0, "")),
        weighed(Vote("semantic", "normal", (), 1.0, 0.0, "")),
        weighed(Vote("novelty", "normal", (), 1.0, 0.0, "")),
    ]
    weights = VoterWeights(keyword=1.0, semantic=1.0, novelty=1.0)
    assert combined(full) - MARGIN == pytest.approx(highest_threshold(weights))


def test_a_preset_that_asks_for_more_has_it() -> None:
    assert calibrate([0.1], DeductionSettings(alarm_score=0.8)) == (0.8, None)


def test_no_footage_no_threshold() -> None:
    with pytest.raises(ConfigError, match="there is none"):
        calibrate([], SETTINGS)


def test_what_stays_at_the_threshold_is_one_alarm() -> None:
    assert alarms([0.7, 0.8, 0.2, 0.5, 0.6, 0.4, 0.49], 0.5) == 2
    assert alarms([], 0.5) == 0


def test_a_rate_that_the_footage_cannot_speak_for_is_refused_in_numbers() -> None:
    with pytest.raises(ConfigError) as caught:
        support(0.1, 40 / 3600)
    assert str(caught.value) == (
        "max_false_alarms_per_hour 0.1 is not supported: 40 s of normal footage with no alarms can support at "
        "best 270 an hour (95 % upper bound); 30 h with as few would be needed"
    )
    support(0.1, 30.0)
    with pytest.raises(ConfigError, match=r"with 1 alarm can support at best 0\.158 an hour"):
        support(0.1, 30.0, seen=1)
    support(0.1, 48.0, seen=1)
    with pytest.raises(ConfigError, match="supports nothing"):
        support(0.1, 0.0)


@pytest.mark.parametrize(
    ("alarms", "bound"), [(0, 2.9957), (1, 4.7439), (2, 6.2958), (5, 10.5130), (10, 16.9622), (100, 118.0789)]
)
def test_the_bound_is_poissons_exact_one(alarms: int, bound: float) -> None:
    assert upper_bound(alarms) == pytest.approx(bound, abs=2e-3)


def test_none_seen_is_the_rule_of_three() -> None:
    assert upper_bound(0) == pytest.approx(-math.log(0.05))
