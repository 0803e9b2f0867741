"""From settings to a site: thresholds that the footage can speak for, mistakes told early, parts that fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from streamproc import assembly
from streamproc.alerts.desk import AlertDesk
from streamproc.alerts.health import Health as HealthMessage
from streamproc.alerts.message import Alert
from streamproc.alerts.outbox import Outbox
from streamproc.assembly import Assembled, assemble, camera_desk, camera_line, unit_settings
from streamproc.calibrations import CalibrationInForce
from streamproc.camera_rules import alarm_score, rules_path
from streamproc.config import Area, CameraSettings
from streamproc.errors import ConfigError
from streamproc.line import CameraLine
from streamproc.models.store import ModelStore
from streamproc.observability.metrics import Metrics
from streamproc.runtime.breaker import Health
from streamproc.runtime.clock import Clock
from streamproc.shards.fleet import RemoteUnit
from streamproc.site import LoadedSite, load_site
from streamproc.testing import FakeClock
from streamproc.testing_alerts import verdict_at
from streamproc.testing_deduction import observed
from streamproc.testing_wiring import HURRIES, FakeBackends, write_rules, write_site
from streamproc.types import Explained

PRESET = """\
schema_version: 1
name: own
deduction: {{alarm_score: {score}{more}}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedSite:
    write_rules(tmp_path / "rules" / "gate.yaml")
    return load_site(write_site(tmp_path))


def with_preset(
    folder: Path, score: float, more: str = "", provenance: Mapping[str, object] | None = None
) -> LoadedSite:
    (folder / "own.yaml").write_text(PRESET.format(score=score, more=more), encoding="utf-8")
    write_rules(folder / "rules" / "gate.yaml", provenance=provenance)
    return load_site(write_site(folder, pipeline="./own.yaml"))


# ---- the rule file


def test_a_camera_without_rules_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = write_site(tmp_path, "gate", "yard")
    path.write_text(path.read_text().replace(", rules: rules/yard.yaml", ""), encoding="utf-8")
    loaded = load_site(path)
    with pytest.raises(ConfigError) as refused:
        rules_path(loaded, loaded.camera("yard"))
    said = str(refused.value)
    assert said.startswith(f"{path}: cameras.1.rules: without rules nothing can be decided")
    assert f"streamproc induce {path} --camera yard --clips 'normal/*.mp4'" in said
    assert "\n" not in said


def test_a_rule_file_that_is_not_there_yet_is_refused_with_the_remedy(tmp_path: Path) -> None:
    loaded = load_site(write_site(tmp_path))
    with pytest.raises(
        ConfigError, match=r"cameras\.0\.rules: there is no rule file .*gate\.yaml yet; write it with: .*induce"
    ):
        rules_path(loaded, loaded.camera("gate"))


# ---- the alarm's threshold


@pytest.mark.parametrize(("preset", "learned", "expected"), [(0.5, None, 0.5), (0.5, 0.72, 0.72), (0.8, 0.72, 0.8)])
def test_the_alarm_score_is_the_presets_or_more_where_normal_footage_came_near_it(
    tmp_path: Path, preset: float, learned: float | None, expected: float
) -> None:
    provenance = {} if learned is None else {"alarm_score": learned}
    loaded = with_preset(tmp_path, preset, provenance=provenance)
    assert alarm_score(loaded, loaded.camera("gate")) == expected


def test_a_rate_that_the_footage_cannot_speak_for_is_refused_with_what_it_supports(tmp_path: Path) -> None:
    loaded = with_preset(tmp_path, 0.5, ", max_false_alarms_per_hour: 0.5", {"hours_observed": 2.0})
    with pytest.raises(ConfigError) as refused:
        alarm_score(loaded, loaded.camera("gate"))
    said = str(refused.value)
    assert said.startswith(str(tmp_path / "rules" / "gate.yaml"))
    assert "2 h of normal footage with no alarms can support at best 1.5 an hour" in said
    assert "5.99 h" in said


def test_a_rate_is_refused_where_nobody_knows_what_was_observed(tmp_path: Path) -> None:
    loaded = with_preset(tmp_path, 0.5, ", max_false_alarms_per_hour: 0.5")
    with pytest.raises(ConfigError, match="supports nothing"):
        alarm_score(loaded, loaded.camera("gate"))


def test_a_rate_that_the_footage_supports_is_taken(tmp_path: Path) -> None:
    loaded = with_preset(tmp_path, 0.5, ", max_false_alarms_per_hour: 0.5", {"hours_observed": 6.0})
    assert alarm_score(loaded, loaded.camera("gate")) == 0.5


# ---- one camera's parts


def line_of(loaded: LoadedSite, backends: FakeBackends, desk: AlertDesk, metrics: Metrics, clock: Clock) -> CameraLine:
    camera = loaded.camera("gate")
    calibration = CalibrationInForce(rules_path(loaded, camera), loaded.pipeline.normality)
    return camera_line(loaded, camera, cast(Any, backends), calibration, desk, metrics, clock)


def test_a_line_decides_by_the_cameras_rules_and_threshold(loaded: LoadedSite, tmp_path: Path) -> None:
    write_rules(tmp_path / "rules" / "gate.yaml", provenance={"alarm_score": 0.9})
    metrics, clock = Metrics(["gate"]), FakeClock()
    camera = loaded.camera("gate")
    with_outbox = Outbox(tmp_path / "outbox.sqlite3", [], clock)
    desk = camera_desk(loaded, camera, with_outbox, None, metrics, clock)
    line = line_of(loaded, FakeBackends(lambda _: HURRIES), desk, metrics, clock)
    verdict = line.watch(observed(1.0))
    assert verdict is not None
    assert verdict.rule_set.version == 3
    assert [match for vote in verdict.votes for match in vote.cites] == ["people-hurry"]
    assert [model.role for model in verdict.models] == ["detector", "perception"]
    assert 0.5 < verdict.smoothed < 0.9
    assert not verdict.alarm
    assert 'streamproc_rule_set_version{camera="gate"} 3.0' in generate_latest(metrics.registry).decode()
    with_outbox.close()


SERVERS = """\
schema_version: 1
name: own
perception: {kind: vlm, base_url: [http://a:1/v1, http://b:1/v1], model: eyes, deadline_s: 8}
deduction: {llm: {base_url: http://c:1/v1, model: judge, deadline_s: 4, stale_after_s: 30}}
"""


@pytest.mark.parametrize(
    ("address", "realtime", "live", "permitted"),
    [
        ("rtsp://10.0.0.1/", True, True, (8.0, 30.0)),
        ("clip.mp4", True, True, (8.0, 30.0)),
        ("clip.mp4", False, True, (math.inf, math.inf)),  # nothing of it may be lost
        ("rtsp://10.0.0.1/", True, False, (math.inf, math.inf)),  # a replay gives the same each time
    ],
)
def test_only_windows_that_come_in_time_grow_stale(
    tmp_path: Path, address: str, realtime: bool, live: bool, permitted: tuple[float, float]
) -> None:
    (tmp_path / "own.yaml").write_text(SERVERS)
    write_rules(tmp_path / "rules" / "gate.yaml")
    loaded = load_site(write_site(tmp_path, "gate", pipeline="./own.yaml"))
    camera = loaded.camera("gate").model_copy(update={"main": address, "realtime": realtime})
    calibration = CalibrationInForce(rules_path(loaded, camera), loaded.pipeline.normality)
    metrics, clock = Metrics(["gate"]), FakeClock()
    desk, backends = cast(Any, None), cast(Any, FakeBackends())
    line = camera_line(loaded, camera, backends, calibration, desk, metrics, clock, live=live)
    assert (line._stale_after_s, cast(Any, line._deducer)._stale_after_s) == permitted


def test_a_rule_edit_is_counted_whether_taken_or_refused(loaded: LoadedSite, tmp_path: Path) -> None:
    metrics, clock = Metrics(["gate"]), FakeClock(datetime.now(UTC))
    camera = loaded.camera("gate")
    outbox = Outbox(tmp_path / "outbox.sqlite3", [], clock)
    desk = camera_desk(loaded, camera, outbox, None, metrics, clock)
    line = line_of(loaded, FakeBackends(), desk, metrics, clock)
    path = tmp_path / "rules" / "gate.yaml"
    edited = path.read_text().replace("version: 3", "version: 4")
    elsewhere = edited.replace("keywords: [hurry]", "keywords: [hurry], when: {zones: [yard]}")
    with capture_logs() as logs:
        for text in (elsewhere, "rules: 7"):
            path.write_text(text, encoding="utf-8")
            clock.advance(60)
            line.watch(observed(1.0))
    doubts = [(log["rule"], log["unknown"]) for log in logs if log["event"] == "rule_without_zone"]
    assert doubts == [("people-hurry", ["yard"])]
    page = generate_latest(metrics.registry).decode()
    assert 'streamproc_rule_set_version{camera="gate"} 4.0' in page
    assert 'streamproc_rule_reload_failures_total{camera="gate"} 1.0' in page
    outbox.close()


def test_a_desk_goes_on_with_the_incidents_that_were_open(loaded: LoadedSite, tmp_path: Path) -> None:
    metrics, clock, camera = Metrics(["gate"]), FakeClock(), loaded.camera("gate")
    told: list[Alert] = []
    outbox = Outbox(tmp_path / "outbox.sqlite3", [], clock)
    for pts_s in (1.0, 2.0):  # the second desk is another process
        desk = camera_desk(loaded, camera, outbox, None, metrics, clock, on_ready=told.append)
        desk.feed(verdict_at(pts_s))
    assert [alert.data.action for alert in told] == ["open"]
    assert desk.busy
    outbox.close()


def test_incidents_of_a_camera_that_was_removed_are_resolved_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rules(tmp_path / "rules" / "gate.yaml", "gate")
    outbox, clock = Outbox(tmp_path / "var" / "outbox.sqlite3", ["jsonl"], FakeClock()), FakeClock()
    path = write_site(tmp_path, "gate", more="alerts: {sinks: [{kind: jsonl, path: a.jsonl}]}\n")
    loaded = load_site(path)
    for name in ("gate", "yard"):
        camera = CameraSettings(id=name, name=f"The {name}", main="rtsp://cam/1")
        camera_desk(loaded, camera, outbox, None, Metrics([]), clock).feed(verdict_at(1.0, camera=name))
    outbox.close()
    made = Made(monkeypatch).of(path)
    (resolved,) = [Alert.model_validate_json(one.body) for one in made.outbox.pending("jsonl")][2:]
    assert (resolved.data.action, resolved.subject, resolved.data.camera.name) == ("resolve", "yard", "The yard")
    assert resolved.data.reason.startswith("Camera removed from the site.")
    assert made.outbox.cameras() == ("gate",)


@pytest.mark.parametrize(("replayed", "source"), [(True, "replay"), (False, "receipt")])
def test_an_alert_says_where_its_times_come_from(
    loaded: LoadedSite, tmp_path: Path, replayed: bool, source: str
) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", [], FakeClock())
    desk = camera_desk(loaded, loaded.camera("gate"), outbox, None, Metrics(["gate"]), FakeClock(), replayed=replayed)
    (alert,) = desk.feed(verdict_at(1.0))
    assert alert.data.clock.source == source
    outbox.close()


def test_evidence_of_a_camera_with_privacy_masks_knows_how_to_apply_them(loaded: LoadedSite, tmp_path: Path) -> None:
    mask = Area(name="window", polygon=((0, 0), (1, 0), (1, 1)))
    camera = loaded.camera("gate").model_copy(update={"privacy_masks": (mask,)})
    outbox = Outbox(tmp_path / "outbox.sqlite3", [], FakeClock())
    camera_desk(loaded, camera, outbox, None, Metrics(["gate"]), FakeClock(), evidence=tmp_path / "evidence")
    outbox.close()


# ---- a whole site


class Made:
    """What ``assemble`` made of a site, with ``FakeBackends`` for its models."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on_health: Any = None
        self.loads = 0

        def backends(pipeline: object, store: object, clock: object, on_health: object) -> FakeBackends:
            self.on_health = on_health
            self.loads += 1
            return FakeBackends()

        monkeypatch.setattr(assembly, "Backends", backends)

    def of(self, path: Path) -> Assembled:
        return assemble(load_site(path), ModelStore(), FakeClock())


def test_a_cameras_desk_knows_what_was_said_of_its_defects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Explaining:
        def take(self, camera_id: str) -> tuple[Explained, ...]:
            return (Explained(f"Said of {camera_id}."),)

    monkeypatch.setattr(FakeBackends, "explaining", lambda _: Explaining())
    write_rules(tmp_path / "rules" / "gate.yaml")
    made = Made(monkeypatch).of(write_site(tmp_path, "gate"))
    desk = made.hub._desks["gate"]
    desk.feed(replace(verdict_at(1.0), kind="defect"))
    (resolved,) = desk.finish(verdict_at(2.0).captured_at, "The source ended.")
    assert resolved.data.reason.endswith("Said of gate.")
    made.site.stop(1)


def test_a_site_is_made_and_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for camera in ("gate", "yard"):
        write_rules(tmp_path / "rules" / f"{camera}.yaml", camera)
    sinks = "alerts: {sinks: [{kind: jsonl, path: a.jsonl}, {kind: jsonl, path: b.jsonl}]}\n"
    made = Made(monkeypatch).of(write_site(tmp_path, "gate", "yard", more=sinks))
    assert [delivery.name for delivery in made.deliveries] == ["jsonl", "jsonl-2"]
    assert made.hub.phases == {}
    assert (tmp_path / "var" / "outbox.sqlite3").exists()
    page = generate_latest(made.metrics.registry).decode()
    for series in (
        'queue_items{queue="lanes"} 0.0',
        'disk_free_bytes{holds="evidence"}',
        'rule_set_version{camera="yard"}',
    ):
        assert f"streamproc_{series}" in page
    made.site.stop(1)


def test_a_pipeline_may_have_its_cameras_watched_in_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for camera in ("gate", "yard", "lane"):
        write_rules(tmp_path / "rules" / f"{camera}.yaml", camera)
    (tmp_path / "own.yaml").write_text("schema_version: 1\nname: own\nprocesses: 2\n")
    path = write_site(tmp_path, "gate", "yard", "lane", pipeline="./own.yaml")
    made, loaded = Made(monkeypatch).of(path), load_site(path)
    assert made.fleet is not None
    assert made.fleet.doing() == {"shard-1": (False, "starts"), "shard-2": (False, "starts")}
    assert all(isinstance(parts.unit, RemoteUnit) for parts in made.site._cameras.values())
    orders = made.fleet._hearings["yard"].orders()
    assert orders.settings == unit_settings(loaded, loaded.camera("yard"))
    made.site.stop(1)


def test_a_model_server_that_goes_away_is_told_on_the_health_topic_and_as_a_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rules(tmp_path / "rules" / "gate.yaml")
    made = Made(monkeypatch)
    site = made.of(write_site(tmp_path))
    said: list[HealthMessage] = []
    monkeypatch.setattr(site.deliveries[0], "health", said.append)
    made.on_health("deduction", Health(up=False, reason="connection refused"))
    made.on_health("deduction", Health(up=True))
    assert [(one.data.part, one.data.name, one.data.state) for one in said] == [
        ("model_server", "deduction", "unavailable"),
        ("model_server", "deduction", "available"),
    ]
    assert said[0].data.detail == "connection refused"
    assert 'streamproc_model_server_up{role="deduction"} 1.0' in generate_latest(site.metrics.registry).decode()
    site.site.stop(1)


@pytest.mark.parametrize("broken", ["rules: 7", None])
def test_a_mistake_in_a_rule_file_is_told_before_models_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str | None
) -> None:
    write_rules(tmp_path / "rules" / "gate.yaml")
    if broken:
        (tmp_path / "rules" / "yard.yaml").write_text(broken)
    made = Made(monkeypatch)
    with pytest.raises(ConfigError, match="yard"):
        made.of(write_site(tmp_path, "gate", "yard"))
    assert made.loads == 0
