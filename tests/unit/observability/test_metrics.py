"""The metrics as Prometheus reads them."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamproc.observability.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a scrape, by name and labels."""
    text = generate_latest(metrics.registry).decode()
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((f"streamproc_{name}", tuple(sorted(labels.items()))))


def test_every_series_of_a_configured_camera_starts_at_zero() -> None:
    metrics = Metrics(["gate", "yard"])
    for camera in ("gate", "yard"):
        assert value(metrics, "packets_total", camera=camera) == 0
        for cause in ("no_keyframe", "decoder", "corrupt", "stopping"):
            assert value(metrics, "packets_dropped_total", camera=camera, cause=cause) == 0
        for cause in ("busy", "inference", "unobserved"):
            assert value(metrics, "windows_dropped_total", camera=camera, cause=cause) == 0
        assert value(metrics, "camera_faults_total", camera=camera, fault="reader_abandoned") == 0
        assert value(metrics, "ring_cut_short_total", camera=camera) == 0
        assert value(metrics, "llm_windows_total", camera=camera) == 0
        for outcome in ("kept", "changed", "unheard", "late"):
            assert value(metrics, "llm_reflections_total", camera=camera, outcome=outcome) == 0
        assert value(metrics, "camera_phase", camera=camera, streamproc_camera_phase="connecting") == 1


def test_counts_go_to_their_camera_and_cause() -> None:
    metrics = Metrics(["gate", "yard"])
    metrics.packets("gate", 1, 1200, 1.5e9)
    metrics.dropped("gate", "busy", 3)
    metrics.dropped("gate", "stopping", 7)
    metrics.camera_fault("gate", "restarted")
    metrics.ring_cut_short("yard", 2)
    metrics.health_dropped("kafka")
    metrics.skipped("yard")
    metrics.lost("gate", "perception")
    metrics.verdict("gate", "anomaly")
    metrics.llm_asked("gate", None)
    metrics.llm_asked("gate", "changed")
    assert value(metrics, "llm_windows_total", camera="gate") == 2
    assert value(metrics, "llm_reflections_total", camera="gate", outcome="changed") == 1
    assert value(metrics, "packet_bytes_total", camera="gate") == 1200
    assert value(metrics, "last_packet_timestamp_seconds", camera="gate") == 1.5e9
    assert value(metrics, "windows_dropped_total", camera="gate", cause="busy") == 3
    assert value(metrics, "windows_dropped_total", camera="yard", cause="busy") == 0
    assert value(metrics, "packets_dropped_total", camera="gate", cause="stopping") == 7
    assert value(metrics, "windows_dropped_total", camera="gate", cause="stopping") is None
    assert value(metrics, "camera_faults_total", camera="gate", fault="restarted") == 1
    assert value(metrics, "ring_cut_short_total", camera="yard") == 2
    assert value(metrics, "health_dropped_total", sink="kafka") == 1
    assert value(metrics, "windows_skipped_total", camera="yard", cause="still") == 1
    assert value(metrics, "windows_lost_total", camera="gate", role="perception") == 1
    assert value(metrics, "verdicts_total", camera="gate", judgement="anomaly") == 1


def test_a_camera_that_was_not_configured_adds_one_series_only() -> None:
    metrics = Metrics(["gate"])
    for number in range(50):
        metrics.frames(f"stray{number}")
    assert value(metrics, "frames_total", camera="other") == 50
    assert not any("stray" in str(labels) for _, labels in samples(metrics))


def test_a_camera_is_in_one_phase_at_a_time() -> None:
    metrics = Metrics(["gate"])
    metrics.camera_phase("gate", "streaming")
    metrics.camera_phase("gate", "lost")
    phases = {
        dict(labels)["streamproc_camera_phase"]: on
        for (name, labels), on in samples(metrics).items()
        if name == "streamproc_camera_phase"
    }
    assert phases.pop("lost") == 1
    assert set(phases.values()) == {0}


def test_queue_depth_is_asked_at_the_scrape() -> None:
    metrics = Metrics([])
    items = [1]
    metrics.queue("windows", items.__len__)
    assert value(metrics, "queue_items", queue="windows") == 1
    items.append(2)
    assert value(metrics, "queue_items", queue="windows") == 2


def test_space_is_told_before_the_folder_is_there(tmp_path: Path) -> None:
    metrics = Metrics([])
    metrics.disk("evidence", tmp_path / "not" / "there" / "yet")
    free = value(metrics, "disk_free_bytes", holds="evidence")
    assert free is not None
    assert free > 0


def test_latency_of_a_clock_that_stepped_back_counts_as_none() -> None:
    metrics = Metrics([])
    metrics.latency("publish", -3.0)
    metrics.latency("publish", 0.2)
    assert value(metrics, "latency_seconds_count", stage="publish") == 2
    assert value(metrics, "latency_seconds_sum", stage="publish") == 0.2


def test_two_of_them_share_nothing() -> None:
    one, two = Metrics(["gate"]), Metrics(["gate"])
    one.alert_decided("gate", "open")
    assert value(one, "alerts_decided_total", camera="gate", action="open") == 1
    assert value(two, "alerts_decided_total", camera="gate", action="open") is None


def test_every_method_writes_a_metric() -> None:
    metrics = Metrics(["gate"])
    before = samples(metrics)
    metrics.reconnect("gate")
    metrics.window("gate")
    metrics.model_server("deduction", up=False)
    metrics.stand_in("perception", "Qwen2.5-VL on vLLM")
    metrics.rule_set("gate", 4)
    metrics.rule_reload_failed("gate")
    metrics.incidents_open("gate", 1)
    metrics.alert_delivered("kafka", 2)
    metrics.alerts_pending("kafka", 7, oldest_s=12.0)
    metrics.delivery_failed("kafka")
    metrics.dead_lettered("kafka")
    metrics.evidence_failed("gate")
    metrics.thread_restarted("source gate")
    changed = {name for (name, labels), v in samples(metrics).items() if before.get((name, labels)) != v}
    expected = {
        "reconnects_total", "windows_total", "model_server_up", "stand_in", "rule_set_version",
        "rule_reload_failures_total", "incidents_open", "alerts_delivered_total", "alerts_pending",
        "alerts_pending_oldest_seconds", "delivery_failures_total", "alerts_dead_lettered_total",
        "evidence_failures_total", "thread_restarts_total",
    }  # fmt: skip
    assert {f"streamproc_{name}" for name in expected} <= changed


def test_a_process_is_told_while_it_has_cameras_and_its_restarts_for_good() -> None:
    metrics = Metrics(["gate"])
    metrics.shard_up("shard-1", 4)
    assert value(metrics, "shard_restarts_total", shard="shard-1", cause="memory") == 0
    metrics.shard_used("shard-1", 250.0, 3.5)
    metrics.shard_restarted("shard-1", "memory")
    assert value(metrics, "shard_cameras", shard="shard-1") == 4
    assert value(metrics, "shard_memory_bytes", shard="shard-1") == 250e6
    assert value(metrics, "shard_cpu_seconds", shard="shard-1") == 3.5
    metrics.shard_gone("shard-1")
    metrics.shard_gone("shard-2")  # it never began
    for name in ("shard_cameras", "shard_memory_bytes", "shard_cpu_seconds"):
        assert value(metrics, name, shard="shard-1") is None
    assert value(metrics, "shard_restarts_total", shard="shard-1", cause="memory") == 1
