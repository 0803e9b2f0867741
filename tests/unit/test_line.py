"""One camera's line: what the gate keeps back, what a model loses, what reaches the alerts, how long it took."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from streamproc.config import DeductionSettings, SamplingSettings
from streamproc.deduction.deducer import Deducer
from streamproc.errors import InferenceError, NotSent, ReplyError, SinkError
from streamproc.line import LOST_IN_A_ROW, CameraLine
from streamproc.observability.metrics import Metrics
from streamproc.sampling.gate import WindowGate
from streamproc.secrets import remember
from streamproc.testing import FakeClock
from streamproc.testing_deduction import keyword, observed, rule, rule_set, speed
from streamproc.testing_wiring import HURRIES, WALKS, ScriptedCaptioner
from streamproc.types import Caption, Match, ObservedWindow, Picture, RuleSet, Verdict, Vote

RULES = rule_set(rule("normal-walk", "normal"), rule("people-hurry", "anomaly"))


class Rules:
    """Walking meets one rule, hurrying the other; the clock goes on by a second meanwhile."""

    def __init__(self, clock: FakeClock) -> None:
        self.refreshed = 0
        self.rules = RULES
        self._clock = clock

    def refresh(self) -> None:
        self.refreshed += 1

    def match(self, caption: Caption, observed: ObservedWindow) -> tuple[RuleSet, Sequence[Match]]:
        self._clock.advance(1.0)
        met = "people-hurry" if "hurries" in caption.text else "normal-walk"
        return RULES, [keyword(met, caption.text)]


class Desk:
    def __init__(self) -> None:
        self.busy = False
        self.fed: list[Verdict] = []
        self.pictures: list[Picture | None] = []
        self.fails: Exception | None = None

    def feed(self, verdict: Verdict, picture: Picture | None = None) -> object:
        if self.fails is not None:
            raise self.fails
        self.fed.append(verdict)
        self.pictures.append(picture)
        return []


class Walk:
    """A line with fakes around it, and the real gate and deducer in it."""

    def __init__(
        self,
        says: Callable[[ObservedWindow], str | Exception] = lambda _: HURRIES,
        *,
        live: bool = True,
        stale_after_s: float = math.inf,
    ) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics(["gate"])
        self.desk = Desk()
        self.rules = Rules(self.clock)
        self.dropped = [0]
        """How many windows were dropped before each verdict, the last one's first."""
        self.captioner = ScriptedCaptioner(says)
        self.line = CameraLine(
            "gate",
            WindowGate(SamplingSettings()),
            self.captioner,
            self.rules,
            Deducer(DeductionSettings()),
            self.desk,
            self.metrics,
            self.clock,
            take_dropped=lambda: self.dropped.pop() if self.dropped else 0,
            live=live,
            stale_after_s=stale_after_s,
        )

    def value(self, sample: str) -> float:
        """A line of the metrics page."""
        page = generate_latest(self.metrics.registry).decode().splitlines()
        return float(next(row for row in page if row.startswith(f"streamproc_{sample} ")).split()[-1])


def test_a_window_reaches_the_desk_with_its_verdict_and_last_picture() -> None:
    walk = Walk()
    window = observed(1.0)
    verdict = walk.line.watch(window)
    assert verdict is not None
    assert walk.desk.fed == [verdict]
    assert walk.desk.pictures == [window.window.last.picture]
    assert [one.id for one in verdict.cited_rules] == ["people-hurry"]
    assert walk.value('verdicts_total{camera="gate",judgement="anomaly"}') == 1


def test_windows_that_the_language_model_was_asked_about_are_counted_with_what_a_further_question_came_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walk = Walk()
    decide = walk.line._deducer.decide

    def with_model(*seen: Any, **how: Any) -> Verdict:
        verdict = decide(*seen, **how)
        vote = Vote("llm", "normal", (), 2.0, 0.0, "", reflected="kept")
        return replace(verdict, votes=(*verdict.votes, vote)) if seen[0].window.end_s == 2.0 else verdict

    monkeypatch.setattr(walk.line._deducer, "decide", with_model)
    for end_s in (1.0, 2.0, 3.0):
        walk.line.watch(observed(end_s))
    assert walk.value('llm_windows_total{camera="gate"}') == 1
    assert walk.value('llm_reflections_total{camera="gate",outcome="kept"}') == 1
    assert walk.value('llm_reflections_total{camera="gate",outcome="changed"}') == 0


def test_what_the_gate_keeps_back_costs_no_model_and_is_counted_but_the_rules_are_looked_at() -> None:
    walk = Walk()
    still = [replace(observed(end_s), motion=0.0) for end_s in (1.0, 2.0, 3.0)]
    verdicts = [walk.line.watch(one) for one in still]
    assert [verdict is None for verdict in verdicts] == [False, True, True]  # the first look is always worth it
    assert walk.captioner.asked == 1
    assert walk.rules.refreshed == 3
    assert walk.value('windows_skipped_total{camera="gate",cause="still"}') == 2


def usual(walk: Walk) -> None:
    """From now on the line's gate knows that what measures less than half its threshold is usual."""
    walk.line._gate = WindowGate(SamplingSettings(), lambda: 0.5)


def test_while_it_is_as_usual_the_last_words_hold_and_the_verdict_says_of_when_they_are() -> None:
    walk = Walk(lambda _: WALKS, stale_after_s=0.5)
    usual(walk)
    scores, late_s = (0.1, 0.3, 0.2, 0.6, 0.1), iter((0.0, 9.0, 9.0, 0.0, 9.0))  # too late to ask
    captured = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=end_s) for end_s in range(1, 6))
    walk.clock.now = lambda: next(captured) + timedelta(seconds=next(late_s))  # type: ignore[method-assign]
    verdicts = [walk.line.watch(observed(float(i + 1), measurements=[speed(s * 0.7)])) for i, s in enumerate(scores)]
    assert walk.captioner.asked == 2
    assert [v.captions[0].pts_s for v in verdicts if v] == [1.0, 1.0, 1.0, 4.0, 4.0]
    assert [v.pts_s for v in verdicts if v] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [v.degraded for v in verdicts if v] == [
        (),
        ("in the words of 1.0 s before: what moves since is usual here",),
        ("in the words of 2.0 s before: what moves since is usual here",),
        (),
        ("in the words of 1.0 s before: what moves since is usual here",),
    ]
    assert [v.measurements[0].score for v in verdicts if v] == pytest.approx([s * 0.7 for s in scores])
    assert walk.value('windows_skipped_total{camera="gate",cause="usual"}') == 3
    assert walk.desk.fed == verdicts


def test_words_that_were_not_found_do_not_hold() -> None:
    said: list[str | Exception] = [WALKS, InferenceError("down"), WALKS, HURRIES]
    walk = Walk(lambda _: said.pop(0))
    usual(walk)
    scores = (0.1, 0.6, 0.1, 0.1)
    verdicts = [walk.line.watch(observed(float(i + 1), measurements=[speed(s * 0.7)])) for i, s in enumerate(scores)]
    assert [v.judgement for v in verdicts if v] == ["normal", "unknown", "normal", "normal"]
    assert walk.captioner.asked == 3
    assert walk.value('windows_skipped_total{camera="gate",cause="usual"}') == 1


def test_while_an_incident_is_open_a_still_scene_is_looked_at() -> None:
    walk = Walk()
    walk.line.watch(replace(observed(1.0), motion=0.0))
    walk.desk.busy = True
    assert walk.line.watch(replace(observed(2.0), motion=0.0)) is not None


def test_a_window_that_the_model_fails_on_is_lost_counted_and_told_with_the_next_verdict() -> None:
    remember("s3cret-key")
    said_of: list[str | Exception] = [
        InferenceError("http://u:pw@gpu is down, key s3cret-key"),
        ReplyError("not JSON", "I am s3cret-key"),
        WALKS,
        WALKS,
    ]
    says = iter(said_of)
    walk = Walk(lambda _: next(says))
    walk.dropped = [0, 2]
    with capture_logs() as said:
        lost = [walk.line.watch(observed(float(i))) for i in (1, 2)]
    assert [(one.judgement, one.alarm, one.rule_set) for one in lost if one] == [("unknown", False, RULES)] * 2
    assert walk.desk.fed == []
    assert walk.line.unheard == "2 windows in a row could not be put into words: not JSON"
    assert walk.value('verdicts_total{camera="gate",judgement="unknown"}') == 2
    assert walk.value('verdicts_total{camera="gate",judgement="normal"}') == 0
    assert walk.value('windows_lost_total{camera="gate",role="perception"}') == 2
    third = walk.line.watch(observed(3.0))
    assert third is not None
    assert third.dropped_windows == 2 + 2
    assert walk.line.unheard == ""
    fourth = walk.line.watch(observed(4.0))
    assert fourth is not None
    assert fourth.dropped_windows == 0
    assert [(row["event"], row["in_a_row"], row.get("reply")) for row in said] == [
        ("window_lost", 1, None),
        ("window_lost", 2, "I am ***"),
    ]
    assert "s3cret-key" not in str(said) + str(lost)
    assert "u:pw" not in str(said) + str(lost)


def test_dropped_windows_are_told_once() -> None:
    walk = Walk()
    walk.dropped = [0, 3]
    verdicts = [walk.line.watch(observed(float(i))) for i in (1, 2)]
    assert [verdict.dropped_windows for verdict in verdicts if verdict] == [3, 0]


def test_windows_lost_in_a_row_become_an_error_until_one_succeeds() -> None:
    fails: list[str | Exception] = [InferenceError("503")] * LOST_IN_A_ROW
    says = iter([*fails, WALKS, InferenceError("503")])
    walk = Walk(lambda _: next(says))
    with capture_logs() as said:
        for number in range(LOST_IN_A_ROW + 2):
            walk.line.watch(observed(1.0 + number))
    assert [row["log_level"] for row in said] == ["warning"] * (LOST_IN_A_ROW - 1) + ["error", "warning"]


def test_an_alert_that_cannot_be_decided_is_said_and_the_line_goes_on() -> None:
    walk = Walk()
    walk.desk.fails = SinkError("the disk is full")
    with capture_logs() as said:
        assert walk.line.watch(observed(1.0)) is not None
    assert [row["event"] for row in said] == ["alert_not_decided"]
    walk.desk.fails = None
    walk.line.watch(observed(2.0))
    assert len(walk.desk.fed) == 1


def test_latencies_of_a_live_camera_by_stage() -> None:
    walk = Walk(lambda _: WALKS)
    window = replace(observed(1.0), took_s=0.125)
    while walk.clock.now() < window.window.captured_at + timedelta(seconds=0.75):
        walk.clock.advance(0.25)
    verdict = walk.line.watch(window, decode_ms=500.0)
    assert verdict is not None
    assert verdict.latency_ms == {
        "decode": 375.0,
        "observe": 125.0,
        "queue": 250.0,
        "perception": 0.0,
        "deduction": 1000.0,
    }
    assert walk.value('latency_seconds_sum{stage="deduction"}') == 1.0
    assert walk.value('latency_seconds_count{stage="queue"}') == 1


def test_a_replay_measures_no_latency() -> None:
    walk = Walk(live=False)
    verdict = walk.line.watch(observed(1.0), decode_ms=500.0)
    assert verdict is not None
    assert verdict.latency_ms == {}
    assert walk.value('latency_seconds_count{stage="decode"}') == 0


def test_the_models_of_the_words_and_the_decision_are_named() -> None:
    verdict = Walk().line.watch(observed(1.0))
    assert verdict is not None
    assert [(model.role, model.name, model.stand_in_for) for model in verdict.models] == [
        ("perception", "scripted", "a captioner")
    ]


def test_a_window_whose_turn_comes_too_late_is_not_sent_and_has_the_verdict_unknown() -> None:
    walk = Walk(stale_after_s=10.0)
    window = observed(1.0)
    walk.clock.advance(1.0 + 10.5)  # since its last picture came
    verdict = walk.line.watch(window)
    assert verdict is not None
    assert (verdict.judgement, verdict.alarm, walk.desk.fed) == ("unknown", False, [])
    assert "it waited 10.5 s for its turn; 10 s are permitted" in verdict.reason
    assert walk.captioner.asked == 0
    dropped = 'model_requests_dropped_total{camera="gate",cause="%s",role="perception"}'
    assert walk.value(dropped % "stale") == 1
    assert walk.value('windows_dropped_total{camera="gate",cause="busy"}') == 0  # nothing is lost here but a request
    assert 'streamproc_windows_lost_total{camera="gate"' not in generate_latest(walk.metrics.registry).decode()
    assert walk.value('verdicts_total{camera="gate",judgement="unknown"}') == 1

    verdict = walk.line.watch(observed(11.0))  # half a second old
    assert verdict is not None
    assert verdict.judgement == "anomaly"
    assert verdict.dropped_windows == 1
    assert walk.value(dropped % "stale") == 1


def test_one_that_was_not_sent_for_a_full_client_is_counted_as_such() -> None:
    walk = Walk(lambda _: NotSent("has 8 requests under way and none ended", "overloaded"))
    walk.line.watch(observed(1.0))
    assert walk.value('model_requests_dropped_total{camera="gate",cause="overloaded",role="perception"}') == 1
    assert walk.value('model_requests_dropped_total{camera="gate",cause="stale",role="perception"}') == 0


def test_without_a_limit_a_window_may_be_of_any_age() -> None:
    walk = Walk(live=False)
    walk.clock.advance(1e6)
    verdict = walk.line.watch(observed(1.0))
    assert verdict is not None
    assert verdict.judgement == "anomaly"
