from __future__ import annotations

from dataclasses import replace

import pytest

from streamproc.config import Area, DeductionSettings
from streamproc.deduction.deducer import NOTHING, Deducer
from streamproc.testing_deduction import (
    caption,
    fact,
    keyword,
    observed,
    rule,
    rule_set,
    semantic,
    speed,
    track,
)
from streamproc.types import Caption, Fact, Match, Measurement, ModelRef, RuleSet, Verdict

HURRY_BAD = rule("a-hurry", "anomaly", "Someone runs or hurries.")
FALL_BAD = rule("a-fall", "anomaly", "Someone falls.", severity="critical")
HURRY_OK = rule("n-hurry", "normal", "Joggers hurry here.")
WALK_OK = rule("n-walk", "normal", "People walk here.")
RULES = rule_set(HURRY_BAD, FALL_BAD, HURRY_OK, WALK_OK)
WALKS = caption(fact("One person walks on the left.", "walks", tracks=[1]))
WALKING = (keyword("n-walk", "walks"),)
QUICK = speed(1.5)
HURRIES = caption(fact("One person hurries on the left.", "hurries", tracks=[1], measurement=QUICK))
ONCE = DeductionSettings(smoothing_s=0)


def decide(
    said: Caption,
    *matches: Match,
    measurements: tuple[Measurement, ...] = (),
    not_judged: tuple[str, ...] = (),
    rules: RuleSet = RULES,
    deducer: Deducer | None = None,
    end_s: float = 1.0,
    run: int = 1,
) -> Verdict:
    window = observed(end_s, run=run, measurements=measurements, tracks=[track()], not_judged=not_judged)
    return (deducer or Deducer(ONCE)).decide(window, said, matches, rules)


def test_an_ordinary_window_is_quiet_and_says_so() -> None:
    verdict = decide(WALKS, *WALKING, measurements=(speed(0.4),))
    assert (verdict.judgement, verdict.alarm, verdict.category, verdict.severity) == ("normal", False, NOTHING, "info")
    assert verdict.score < 0.05
    assert [r.id for r in verdict.cited_rules] == ["n-walk"]
    assert verdict.reason == (
        'Rule n-walk "People walk here." is met by "One person walks on the left.". '
        "Votes normal: keyword, novelty; unknown: semantic."
    )
    assert verdict.objects == ()


def test_a_rule_that_forbids_is_said_to_be_broken_and_what_was_measured() -> None:
    calm = replace(rule("a-calm", "anomaly", "Nobody runs."), forbids="Someone runs.")
    verdict = decide(HURRIES, keyword("a-calm", "hurries"), measurements=(QUICK,), rules=rule_set(calm))
    assert verdict.reason.startswith(
        'Rule a-calm "Nobody runs." is broken by "One person hurries on the left."; measured: speed'
    )


def test_a_measurement_beyond_normal_alarms_by_itself_and_says_that_no_rule_names_it() -> None:
    verdict = decide(HURRIES, measurements=(QUICK,))
    assert (verdict.judgement, verdict.alarm, verdict.category, verdict.severity) == (
        "anomaly",
        True,
        "speed",
        "warning",
    )
    assert verdict.cited_rules == ()
    assert verdict.reason == (
        "No rule names it; it is unlike this camera's normal footage: speed 2.5 times normal speed (normal up to 1.3). "
        '"One person hurries on the left." Votes anomaly: novelty; unknown: keyword, semantic.'
    )
    assert [o.label for o in verdict.objects] == ["person"]


def test_a_measurement_just_at_its_threshold_alarms_though_the_other_voters_are_content() -> None:
    matches = (keyword("n-walk", "left"), semantic("n-walk", HURRIES.text, 0.9))
    assert decide(HURRIES, *matches, measurements=(speed(0.7),)).alarm


def test_a_keyword_alarms_by_itself_and_is_cited_with_its_words() -> None:
    said = caption(fact("One person falls on the left.", "falls", tracks=[1]))
    verdict = decide(said, keyword("a-fall", "falls"), measurements=(speed(0.4),))
    assert (verdict.alarm, verdict.category, verdict.severity) == (True, "a-fall", "critical")
    assert verdict.reason.startswith('Rule a-fall "Someone falls." is met by "One person falls on the left.".')


def test_a_mere_likeness_does_not_alarm() -> None:
    verdict = decide(WALKS, semantic("a-hurry", WALKS.text, 0.75), measurements=(speed(0.4),))
    assert (verdict.judgement, verdict.alarm) == ("normal", False)
    assert verdict.score > 0.3


def test_rule_and_measurement_together_are_told_together() -> None:
    verdict = decide(HURRIES, keyword("a-hurry", "hurries"), measurements=(QUICK,))
    assert [r.id for r in verdict.cited_rules] == ["a-hurry"]
    assert verdict.reason == (
        'Rule a-hurry "Someone runs or hurries." is met by "One person hurries on the left."; '
        "measured: speed 2.5 times normal speed (normal up to 1.3). Votes anomaly: keyword, novelty; unknown: semantic."
    )
    assert verdict.score > decide(HURRIES, measurements=(QUICK,)).score


def test_the_sites_word_that_it_is_normal_holds_an_anomaly_down() -> None:
    matches = (keyword("a-hurry", "hurries"), keyword("n-hurry", "hurries"))
    verdict = decide(HURRIES, *matches, measurements=(QUICK,))
    assert (verdict.judgement, verdict.alarm, verdict.score) == ("normal", False, 0.0)
    assert verdict.reason.startswith('Rule n-hurry "Joggers hurry here." calls normal what rule a-hurry is about.')
    by_measurement_alone = decide(HURRIES, keyword("n-hurry", "hurries"), measurements=(QUICK,))
    assert not by_measurement_alone.alarm
    assert 'which rule n-hurry "Joggers hurry here." calls normal' in by_measurement_alone.reason


def test_it_holds_down_nothing_else() -> None:
    said = caption(*HURRIES.facts, fact("One person falls.", "falls", tracks=[2]))
    matches = (keyword("a-hurry", "hurries"), keyword("n-hurry", "hurries"), keyword("a-fall", "falls"))
    verdict = decide(said, *matches, measurements=(QUICK,))
    assert (verdict.alarm, verdict.category) == (True, "a-fall")


def test_the_gravest_rule_leads() -> None:
    said = caption(*HURRIES.facts, fact("One person falls.", "falls"))
    verdict = decide(said, keyword("a-hurry", "hurries"), keyword("a-fall", "falls"), measurements=(QUICK,))
    assert [r.id for r in verdict.cited_rules] == ["a-fall", "a-hurry"]
    assert (verdict.category, verdict.severity) == ("a-fall", "critical")
    assert "(also a-hurry)" in verdict.reason


def test_what_nobody_can_judge_is_unknown_and_named() -> None:
    verdict = decide(caption(text="Something."), not_judged=("speed: 1 frame/s, needs 5",))
    assert (verdict.judgement, verdict.alarm, verdict.score) == ("unknown", False, 0.0)
    assert verdict.degraded == ("speed: 1 frame/s, needs 5",)


def test_scores_are_smoothed_over_the_run_and_start_afresh_with_the_next() -> None:
    deducer = Deducer(DeductionSettings(smoothing_s=2.0))

    def window(end_s: float, run: int = 1, *, odd: bool = True) -> Verdict:
        if odd:
            return decide(HURRIES, measurements=(QUICK,), deducer=deducer, end_s=end_s, run=run)
        return decide(WALKS, measurements=(speed(0.1),), deducer=deducer, end_s=end_s, run=run)

    alarms = [window(1.0 + i).alarm for i in range(6)]
    assert alarms == [False, True, True, True, True, True]
    lingering = window(7.0, odd=False)
    assert (lingering.alarm, lingering.judgement) == (True, "normal")
    assert (lingering.category, lingering.severity) == ("speed", "warning")
    assert lingering.reason.startswith("The alarm holds from the moments before.")
    over = [window(8.0 + i, odd=False) for i in range(2)]
    assert [(v.alarm, v.category, v.severity) for v in over] == [(False, NOTHING, "info")] * 2
    assert not window(1.0, run=2).alarm


def test_the_threshold_is_the_calibrated_one() -> None:
    score = decide(HURRIES, measurements=(QUICK,)).smoothed
    at, above = (replace(RULES, alarm_score=least) for least in (score, score + 1e-9))
    assert decide(HURRIES, measurements=(QUICK,), rules=at).alarm
    assert not decide(HURRIES, measurements=(QUICK,), rules=above).alarm
    assert decide(HURRIES, measurements=(QUICK,), rules=above).judgement != "anomaly"


def test_an_edited_rule_set_is_in_force_from_the_next_window() -> None:
    deducer = Deducer(ONCE)
    said = caption(fact("One person falls.", "falls"))
    assert decide(said, keyword("a-fall", "falls"), deducer=deducer).alarm
    edited = rule_set(rule("a-fall", "anomaly", enabled=False), version=2)
    verdict = decide(said, keyword("a-fall", "falls"), deducer=deducer, rules=edited)
    assert (verdict.alarm, verdict.rule_set.version) == (False, 2)


def test_the_zone_is_where_the_first_object_stands() -> None:
    left = Area(name="left", polygon=((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0)))
    right = Area(name="right", polygon=((0.7, 0.0), (1.0, 0.0), (1.0, 1.0)))
    deducer = Deducer(ONCE, zones=(right, left), models=(ModelRef("detector", "nanodet", "1"),))
    verdict = decide(HURRIES, measurements=(QUICK,), deducer=deducer)
    assert verdict.zone == "left"
    assert [m.role for m in verdict.models] == ["detector", "perception"]
    assert decide(WALKS, deducer=deducer).zone is None


@pytest.mark.parametrize(
    "told",
    [
        fact("A man falls near the truck.", "falls", place="by the ramp of the loading dock"),
        fact("A man falls in the loading dock.", "falls", place="in the centre"),
    ],
)
def test_where_nothing_can_be_pointed_at_the_zone_is_the_one_that_is_told_of(told: Fact) -> None:
    everywhere = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    zones = tuple(Area(name=name, polygon=everywhere) for name in ("dock", "loading-dock"))
    elsewhere = fact("A man walks in the dock.", "walks", place="in the dock")
    said = caption(elsewhere, told)
    verdict = decide(said, keyword("a-fall", "falls"), deducer=Deducer(ONCE, zones=zones))
    assert (verdict.objects, verdict.zone) == ((), "loading-dock")


def test_a_rule_that_is_answered_in_one_sentence_still_stands_in_another() -> None:
    said = caption(fact("One person hurries on the left.", "hurries"), fact("Two people run.", "run"))
    matches = (keyword("a-hurry", "hurries"), keyword("a-hurry", "run"), keyword("n-hurry", "hurries"))
    verdict = decide(said, *matches)
    assert (verdict.alarm, [rule.id for rule in verdict.cited_rules]) == (True, ["a-hurry"])
    assert 'is met by "Two people run."' in verdict.reason


def test_an_object_carries_what_was_measured_of_it() -> None:
    own = speed(0.9)
    window = observed(measurements=(QUICK,), tracks=[track(1), track(2, own=own), track(3)])
    two = caption(fact("Three people hurry.", "hurries", tracks=[1, 2, 3], measurement=QUICK))
    verdict = Deducer(ONCE).decide(window, two, (), RULES)
    assert [o.measurement for o in verdict.objects] == [QUICK, own, None]


def test_a_measurement_without_a_track_points_at_its_box() -> None:
    measured = speed(1.5, track_id=None, box_norm=(0.4, 0.4, 0.6, 0.6))
    verdict = decide(caption(fact("Something moves.", "moves", measurement=measured)), measurements=(measured,))
    assert [(o.label, o.box_norm) for o in verdict.objects] == [("something", (0.4, 0.4, 0.6, 0.6))]
    assert verdict.objects[0].text == "speed 2.5 times normal speed (normal up to 1.3)"


def test_weights_silence_a_voter() -> None:
    deaf = DeductionSettings.model_validate({"smoothing_s": 0, "weights": {"novelty": 0}})
    verdict = decide(HURRIES, measurements=(QUICK,), deducer=Deducer(deaf))
    assert not verdict.alarm
    assert {vote.voter: vote.weight for vote in verdict.votes} == {"keyword": 0.0, "semantic": 0.0, "novelty": 0.0}


def test_the_record_holds_every_vote_and_its_score_can_be_recomputed() -> None:
    verdict = decide(HURRIES, keyword("a-hurry", "hurries"), measurements=(QUICK,))
    total = sum(v.weight * v.score for v in verdict.votes) / (0.25 + sum(v.weight for v in verdict.votes))
    assert verdict.score == pytest.approx(total)
