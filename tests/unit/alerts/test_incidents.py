"""Incidents: open, update, resolve, suppress; runs, silence, restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from streamproc.alerts.compose import Origin, build_alert
from streamproc.alerts.incidents import Decision, Incident, Incidents
from streamproc.config import CameraSettings, IncidentSettings, Schedule, SiteIdentity
from streamproc.testing_alerts import HURRY, START, verdict_at
from streamproc.types import CameraState, Rule, Verdict

ORIGIN = Origin(SiteIdentity(id="yard"), CameraSettings(id="gate", main="rtsp://cam/1"))
SETTINGS = IncidentSettings(resolve_after_s=5, update_every_s=10)
FALL = Rule("person-lies", "human", "anomaly", "A person lies on the ground.", severity="error")
NIGHT = Schedule(hours="20:00-23:00")


class Camera:
    """Incidents whose decisions are told, as the desk does."""

    def __init__(self, *, schedules: tuple[Schedule, ...] = (), stored: tuple[str, ...] = ()) -> None:
        self.incidents = Incidents("yard", "gate", SETTINGS, schedules=schedules, silence_s=30, stored=stored)
        self.states: dict[str, str] = {}
        self.last: list[Decision] = []

    def feed(self, verdict: Verdict) -> list[str | None]:
        return self.tell(self.incidents.feed(verdict, verdict.pts_s))

    def tell(self, decisions: list[Decision]) -> list[str | None]:
        for decision in decisions:
            self.states.pop(decision.incident.kind, None)
            if decision.action is not None:
                alert = build_alert(decision, ORIGIN, published_at=decision.at)
                incident = self.incidents.told(alert, decision.incident)
                if decision.action != "resolve":
                    self.states[incident.kind] = incident.model_dump_json()
        self.last = decisions or self.last
        return [decision.action for decision in decisions]

    def restarted(self) -> Camera:
        return Camera(stored=tuple(self.states.values()))


def test_a_quiet_camera_decides_nothing() -> None:
    camera = Camera()
    assert [camera.feed(verdict_at(float(s), alarm=False)) for s in range(20)] == [[]] * 20


def test_an_incident_opens_updates_and_resolves() -> None:
    camera = Camera()
    told = {s: said for s in range(40) if (said := camera.feed(verdict_at(float(s), alarm=3 <= s <= 15)))}
    assert told == {3: ["open"], 13: ["update"], 20: ["resolve"]}
    assert camera.last[0].incident.revision == 3
    assert camera.last[0].incident.last_alarm_at == START + timedelta(seconds=15)
    assert camera.states == {}


def test_a_short_lull_does_not_resolve() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.feed(verdict_at(4.9, alarm=False)) == []
    assert camera.feed(verdict_at(5.0)) == []


def test_an_alarm_after_a_long_gap_without_verdicts_is_another_incident() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.feed(verdict_at(5.1)) == ["resolve", "open"]
    first, second = (decision.incident.alert_id for decision in camera.last)
    assert first != second
    assert camera.feed(verdict_at(10.2, alarm=False)) == ["resolve"]
    assert camera.last[0].incident.alert_id == second


def test_another_rule_joins_as_a_revision_and_stays_cited() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.feed(verdict_at(1.0, rules=(FALL,))) == ["update"]
    alert = camera.incidents.open["behaviour"].last_alert
    assert alert is not None
    assert [rule.id for rule in alert.data.cited_rules] == ["people-hurry", "person-lies"]
    assert camera.feed(verdict_at(2.0, rules=(HURRY,))) == []


def test_a_higher_severity_is_told_at_once_and_a_lower_one_is_not() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.feed(verdict_at(1.0, severity="critical")) == ["update"]
    assert camera.feed(verdict_at(2.0, severity="info")) == []
    assert camera.incidents.open["behaviour"].severity == "critical"


def test_kinds_are_apart() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.feed(replace(verdict_at(0.5), kind="defect")) == ["open"]
    assert set(camera.incidents.open) == {"behaviour", "defect"}


def test_a_new_run_goes_on_with_the_incident() -> None:
    camera = Camera()
    camera.feed(verdict_at(100.0))
    soon = START + timedelta(seconds=104)
    assert camera.feed(verdict_at(0.5, run=2, captured_at=soon)) == []
    assert camera.feed(verdict_at(5.4, run=2, alarm=False, captured_at=soon + timedelta(seconds=4.9))) == []
    assert camera.feed(verdict_at(5.5, run=2, alarm=False, captured_at=soon + timedelta(seconds=5))) == ["resolve"]


def test_within_a_run_media_time_decides_not_the_wall_clock() -> None:
    camera = Camera()
    camera.feed(verdict_at(10.0))
    late = START + timedelta(seconds=100)  # packets that came late, all at once
    assert camera.feed(verdict_at(12.0, alarm=False, captured_at=late)) == []


def test_a_clock_that_is_set_back_delays_no_update_and_is_no_other_recording() -> None:
    camera = Camera()
    hour = timedelta(hours=1)
    told = {
        s: said
        for s in range(40)
        if (
            said := camera.feed(
                verdict_at(float(s), alarm=s <= 30, captured_at=START + timedelta(seconds=s) - hour * (s > 4))
            )
        )
    }
    assert told == {0: ["open"], 10: ["update"], 20: ["update"], 30: ["update"], 35: ["resolve"]}


def test_a_clock_that_is_set_forward_hurries_no_update() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.feed(verdict_at(4.0, captured_at=START + timedelta(hours=1))) == []


def test_a_clock_that_was_set_back_between_two_runs_delays_no_update() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    camera.feed(verdict_at(4.0))
    assert camera.feed(verdict_at(0.4, run=2, captured_at=START - timedelta(seconds=3))) == ["update"]
    assert camera.feed(verdict_at(1.4, run=2, captured_at=START - timedelta(seconds=2))) == []


def test_a_model_that_is_down_has_not_seen_calm() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.feed(verdict_at(34.9, alarm=False, judgement="unknown")) == []
    assert camera.feed(verdict_at(35.0, alarm=False, judgement="unknown")) == ["resolve"]


def test_a_silent_camera_is_resolved_by_the_clock_with_the_reason() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    camera.incidents.camera_changed(CameraState("gate", 1, "lost", START, "no packet for 5 s"))
    camera.incidents.camera_changed(CameraState("gate", 2, "connecting", START))
    assert camera.tell(camera.incidents.tick(START, 34.9)) == []
    assert camera.tell(camera.incidents.tick(START, 35.0)) == ["resolve"]
    assert "lost (no packet for 5 s)" in camera.last[0].reason
    assert camera.incidents.tick(START, 99.0) == []


def test_a_clock_that_is_set_while_a_camera_is_watched_ends_nothing_and_keeps_nothing_open() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.tell(camera.incidents.tick(START + timedelta(hours=1), 1.0)) == []
    assert camera.tell(camera.incidents.tick(START - timedelta(hours=1), 35.0)) == ["resolve"]


def test_after_a_restart_with_a_clock_set_back_a_dead_camera_is_resolved_all_the_same() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    again, before = camera.restarted(), START - timedelta(hours=1)
    assert again.tell(again.incidents.tick(before, 500.0)) == []
    assert again.tell(again.incidents.tick(before, 535.0)) == ["resolve"]


def test_the_end_is_never_before_the_start() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    camera.feed(verdict_at(1.0, captured_at=START - timedelta(hours=1)))
    camera.feed(verdict_at(7.0, captured_at=START - timedelta(hours=1), alarm=False))
    resolution = build_alert(camera.last[0], ORIGIN, published_at=START)
    assert (resolution.data.action, resolution.data.end) == ("resolve", START)


def test_the_end_of_a_source_resolves() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert camera.tell(camera.incidents.camera_changed(CameraState("gate", 1, "ended", START))) == ["resolve"]


@pytest.mark.parametrize(("after_s", "said"), [(3.0, []), (9.9, []), (14.9, ["update"]), (15.1, ["resolve", "open"])])
def test_after_a_restart_an_incident_is_gone_on_with_or_resolved(after_s: float, said: list[str]) -> None:
    camera = Camera()
    camera.feed(verdict_at(100.0))
    again = camera.restarted()
    when = START + timedelta(seconds=100 + after_s)
    assert again.feed(verdict_at(0.4, run=1, captured_at=when)) == said


def test_after_a_restart_on_a_dead_camera_the_clock_resolves() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    again = camera.restarted()
    assert again.tell(again.incidents.tick(START + timedelta(hours=1), 0.0)) == ["resolve"]
    assert again.last[0].incident.revision == 2


def test_an_earlier_recording_is_another_incident() -> None:
    camera = Camera()
    camera.feed(verdict_at(100.0))
    assert camera.feed(verdict_at(1.0, run=2)) == ["resolve", "open"]


def test_an_alarm_at_an_unwatched_hour_is_suppressed_once() -> None:
    camera = Camera(schedules=(NIGHT,))
    told = [camera.feed(verdict_at(float(s), alarm=s < 20)) for s in range(40)]
    assert [said for said in told if said] == [["suppress"], [None]]
    assert camera.states == {}


def test_an_alarm_that_lasts_into_watched_hours_opens_then() -> None:
    camera = Camera(schedules=(Schedule(hours="08:01-09:00"),))
    assert camera.feed(verdict_at(58.0)) == ["suppress"]
    assert camera.feed(verdict_at(61.0)) == [None, "open"]


def test_going_back_forgets_what_could_not_be_stored() -> None:
    camera = Camera()
    before = camera.incidents.open
    camera.incidents.feed(verdict_at(0.0), 0.0)
    camera.incidents.restore(before)
    assert camera.feed(verdict_at(1.0)) == ["open"]


def test_the_stored_state_is_read_back_as_it_was() -> None:
    camera = Camera()
    camera.feed(verdict_at(0.0))
    assert Incident.model_validate_json(camera.states["behaviour"]) == camera.incidents.open["behaviour"]
