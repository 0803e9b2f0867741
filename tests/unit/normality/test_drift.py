"""What slowly changes is reported once, with how much; what varies as the footage did is not."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest

from streamproc.normality.drift import PART_S, PARTS, Drift, DriftReference, drift_reference

RANDOM = np.random.default_rng(2)
TAIL = "in the footage that was learned: learn anew with `streamproc induce`"


def values(count: int, median: float = 0.6, spread: float = 0.2) -> npt.NDArray[np.float64]:
    return np.asarray(median * np.exp(RANDOM.normal(0, spread, count)))


def reference(*medians: float) -> DriftReference:
    found = drift_reference([values(2000, median) for median in medians or (0.57, 0.6, 0.6, 0.63)])
    assert found is not None
    return found


def reports(drift: Drift, hours: float, name: str = "speed", **shape: float) -> list[str]:
    """Of so many hours, a value a second."""
    said = [drift.add(name, value, 1.0) for value in values(round(hours * 3600), **shape)]
    return [text for text in said if text]


def test_a_reference_says_what_the_footage_had() -> None:
    found = reference()
    assert found.median == pytest.approx(0.6, rel=0.02)
    assert found.p99 == pytest.approx(0.6 * np.exp(2.326 * 0.2), rel=0.05)
    assert found.median_spread == pytest.approx(0.63 / 0.57, rel=0.03)
    assert DriftReference.model_validate_json(found.model_dump_json()) == found
    assert drift_reference([]) is None
    assert drift_reference([[0.0, 0.0, 0.0, 5.0]]) is None


def test_what_is_as_it_was_is_not_reported_for_a_day() -> None:
    drift = Drift({"speed": reference()})
    assert reports(drift, hours=24) == []


def test_a_change_is_reported_once_and_says_how_much() -> None:
    drift = Drift({"speed": reference()})
    assert reports(drift, 2.0, median=0.84) == [f"what moves is 1.4 times as fast as {TAIL}"]
    assert reports(drift, 5.0, median=0.84) == []
    assert reports(drift, 5.0, median=0.9) == [], "hardly another"
    assert reports(drift, 1.0, median=1.5) == [f"what moves is 2.5 times as fast as {TAIL}"]


def test_slower_is_a_change_too_and_other_measurements_are_told_by_name() -> None:
    drift = Drift({"size": reference()})
    assert reports(drift, 1.0, "size", median=0.3) == [f"size measures 0.5 times what it measured {TAIL}"]


def test_it_takes_three_parts_in_a_row() -> None:
    drift = Drift({"speed": reference()})
    enough_h = PARTS * PART_S / 3600
    assert reports(drift, enough_h - 0.01, median=1.2) == []
    assert reports(drift, 0.02, median=1.2) != []
    drift = Drift({"speed": reference()})
    assert [reports(drift, PART_S / 3600, median=m) for m in (1.2, 1.2, 0.6) * 5] == [[]] * 15, "a school's break"


def test_footage_that_varied_leaves_as_much_room() -> None:
    assert reports(Drift({"speed": reference(0.4, 0.6, 0.6, 0.8)}), 3.0, median=0.9) == []
    assert reports(Drift({"speed": reference(0.6, 0.6, 0.6, 0.6)}), 3.0, median=0.9) != []


def test_the_fastest_alone_may_drift() -> None:
    drift = Drift({"speed": reference()})
    (said,) = reports(drift, 1.0, spread=0.5)
    assert re.fullmatch(rf"the fastest moves (1\.9|2|2\.1) times as fast as {re.escape(TAIL)}", said)


def test_what_came_back_is_reported_when_it_goes_again() -> None:
    drift = Drift({"speed": reference()})
    assert [len(reports(drift, 2.0, median=m)) for m in (0.9, 0.6, 0.9)] == [1, 0, 1]


def test_a_gap_is_no_evidence_and_what_is_not_known_is_not_watched() -> None:
    drift = Drift({"speed": reference()})
    said = [drift.add("speed", 2.0, 1.9) for _ in range(1000)]
    said += [drift.add("speed", float("nan"), 1.0) for _ in range(5000)]
    said += [drift.add("appearance", 9.0, 1.0) for _ in range(5000)]
    assert set(said) == {None}
    assert {drift.add("speed", 0.0, -1.0), drift.add("speed", 1e12, 0.1)} == {None}


def test_what_has_drifted_is_told_until_it_comes_back() -> None:
    drift = Drift({"speed": reference()})
    told = []
    for median in (0.6, 0.9, 0.9, 0.6):
        reports(drift, 1.0, median=median)
        told.append(drift.reports)
    assert told == [(), *[(f"what moves is 1.5 times as fast as {TAIL}",)] * 2, ()]


def test_values_are_taken_by_media_time_and_what_was_not_measured_is_left_out() -> None:
    drift = Drift({"speed": reference(), "appearance": reference()})
    for index, value in enumerate(values(round(PARTS * PART_S) + 2, median=0.9)):
        drift.take(float(index), {"speed": value, "glide": value, "appearance": -1.0})
        assert not drift.reports or index >= PARTS * PART_S
    assert drift.reports == (f"what moves is 1.5 times as fast as {TAIL}",)
