"""What is counted of a backtest, and what two rule sets raise one without the other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from streamproc.backtest.outcome import Backtest, Moment, Outcome
from streamproc.evaluation.metrics import ScoredVideo, measure

EIGHT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


def moment(
    start_s: float, *rules: str, clip: str = "a.mp4", end_s: float | None = None, false: bool | None = None
) -> Moment:
    return Moment(
        clip=clip,
        start_s=start_s,
        end_s=start_s + 4 if end_s is None else end_s,
        at=EIGHT + timedelta(seconds=start_s),
        severity="warning",
        score=0.8,
        rules=tuple((rule, f"{rule}.") for rule in rules),
        category=rules[0] if rules else "speed",
        reason="Somebody runs.",
        caption="One person runs.",
        false=false,
        picture=b"jpeg",
    )


def outcome(*moments: Moment, name: str = "gate.yaml", labelled: bool = False, normal_s: float = 3600.0) -> Outcome:
    measures = measure([ScoredVideo("a", (0, 1, 0), (0.1, 0.9, 0.2))], 0.5, 1.0) if labelled else None
    return Outcome(name, 3, "ab" * 6, 0.5, 7200.0, normal_s, moments, measures, ())


def test_alerts_by_rule_and_hour() -> None:
    found = outcome(moment(0, "run", "climb"), moment(600, "run"), moment(1900), moment(2000, "run"))
    assert found.by_rule() == {"run": 3, "climb": 1, "novelty: speed": 1}
    assert found.by_hour() == {"2026-11-21 08:00": 2, "2026-11-21 09:00": 2}


def test_without_labels_all_is_taken_to_be_normal_and_with_them_what_opened_on_normal_footage_is_false() -> None:
    unlabelled = outcome(moment(0, "run"), moment(60, "run"))
    assert (unlabelled.false_alarms, unlabelled.rate) == (2, 2.0)
    assert "2 in 1 h if all of it is normal: 2 an hour, at most 6.3 (95 % upper bound)" in unlabelled.rate_said
    labelled = outcome(moment(0, "run", false=True), moment(60, "run", false=False), labelled=True)
    assert (labelled.false_alarms, labelled.rate) == (1, 1.0)
    assert "1 in 1 h of normal footage" in labelled.rate_said
    assert "AUROC 1.000; 1 of 1 events caught" in "\n".join(labelled.lines())


def test_the_bound_is_three_over_the_hours_where_nothing_was_raised() -> None:
    assert outcome(normal_s=3600).rate_max == pytest.approx(2.996, abs=1e-3)
    assert outcome(normal_s=0).rate is None
    assert outcome(normal_s=0).rate_said == ""


def test_what_one_raises_and_the_other_does_not() -> None:
    ours = outcome(moment(0, "run"), moment(100, "run"), moment(0, "run", clip="b.mp4"))
    theirs = outcome(moment(4.5, "climb"), moment(200, "climb"), name="old.yaml")
    both = Backtest(ours, theirs)
    assert [one.place for one in both.only_here] == ["a.mp4 1:40-1:44", "b.mp4 0:00-0:04"]
    assert [one.place for one in both.only_there] == ["a.mp4 3:20-3:24"]
    assert "raised by old.yaml (version 3) alone: 1" in str(both)
    assert Backtest(ours, None).only_here == ()


def test_for_programs_it_is_json_without_pictures() -> None:
    both = Backtest(outcome(moment(0, "run"), labelled=True), outcome())
    found = json.loads(json.dumps(both.as_dict()))
    assert found["moments"][0]["rules"] == [{"id": "run", "text": "run."}]
    assert found["moments"][0]["at"] == "2026-11-21T08:30:00+00:00"
    assert "picture" not in found["moments"][0]
    assert (found["auroc"], found["alerts"], found["hours_observed"]) == (1.0, 1, 1.0)
    assert (len(found["only_here"]), len(found["only_there"])) == (1, 0)
    assert found["against"]["alerts"] == 0
