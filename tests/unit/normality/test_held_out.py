"""Scale and threshold from held-out folds, and what so little footage is worth."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.normality.held_out import RawSample, false_alarms, fit_scale, gumbel_level, median_and_p99


def fold(number: int, level: float = 0.5, spread: float = 0.05, seconds: int = 30) -> list[RawSample]:
    random = np.random.default_rng(number)
    start = number * seconds
    return [
        RawSample(1, start + index / 10, 0.1, float(level + random.normal(0, spread))) for index in range(seconds * 10)
    ]


FOLDS = [fold(number) for number in range(4)]


def test_median_is_zero_and_the_99th_percentile_one() -> None:
    scale = fit_scale(FOLDS, least_value=0.0)
    values = [sample.value or 0.0 for part in FOLDS for sample in part]
    assert scale.score(float(np.median(values))) == pytest.approx(0.0)
    assert scale.score(float(np.percentile(values, 99))) == pytest.approx(1.0, abs=0.03)


def test_what_differs_little_from_the_median_is_no_upper_end_of_normal() -> None:
    assert median_and_p99([1.0] * 98 + [1.01, 1.01]) == pytest.approx((1.0, 1.0 + 0.2 * 1.01))
    assert median_and_p99([3.0, 3.0]) == (3.0, 6.0)


def test_the_threshold_lies_above_all_that_was_held_out() -> None:
    scale = fit_scale(FOLDS, least_value=0.0)
    assert scale.threshold >= scale.held_out_max + scale.held_out_range > scale.held_out_max
    assert scale.threshold == max(scale.one_hour_level, scale.held_out_max + scale.held_out_range)


def test_a_lively_fold_raises_the_threshold() -> None:
    lively = fit_scale([*FOLDS[:3], fold(3, level=0.62)], least_value=0.0)
    calm = fit_scale(FOLDS, least_value=0.0)
    assert lively.median + lively.threshold * (lively.p99 - lively.median) > calm.median + calm.threshold * (
        calm.p99 - calm.median
    )
    assert lively.held_out_range > calm.held_out_range


def test_it_does_not_speak_below_its_least_value() -> None:
    scale = fit_scale(FOLDS, least_value=5.0)
    assert scale.median + scale.threshold * (scale.p99 - scale.median) == pytest.approx(5.0)


def test_still_times_do_not_count_for_the_scale() -> None:
    still = [[*part, *(RawSample(2, index / 10, 0.1, None) for index in range(200))] for part in FOLDS]
    assert fit_scale(still, 0.0).median == pytest.approx(fit_scale(FOLDS, 0.0).median)


def test_footage_that_never_varies_still_gives_a_scale() -> None:
    scale = fit_scale([fold(number, spread=0.0) for number in range(4)], least_value=0.0)
    assert scale.p99 > scale.median


def test_the_gumbel_level_of_known_maxima() -> None:
    maxima = np.random.default_rng(0).gumbel(loc=1.0, scale=0.2, size=20000)
    assert gumbel_level(maxima, 1800) == pytest.approx(1.0 + 0.2 * np.log(1800), rel=0.02)


def test_forty_seconds_support_little_and_say_so() -> None:
    scale = fit_scale(FOLDS, least_value=0.0)
    rate = false_alarms(scale.model_copy(update={"one_hour_level": scale.threshold}), 40.0)
    assert rate.upper_per_hour == pytest.approx(270.0)
    assert rate.extrapolated
    assert str(rate) == (
        "no alarms in the 40 s of normal footage that the threshold was set from; later footage like it: at most 270 "
        "false alarms an hour (95 % upper bound); "
        "the threshold for one an hour is extrapolated, not observed"
    )


def test_hours_of_footage_are_no_extrapolation() -> None:
    rate = false_alarms(fit_scale(FOLDS, least_value=0.0), 7200.0)
    assert not rate.extrapolated
    assert rate.upper_per_hour == pytest.approx(1.5)
