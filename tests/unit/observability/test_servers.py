"""Each server's series, as Prometheus reads them."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamproc.observability.metrics import Metrics
from streamproc.types import ServerGauges, ServerReading

GAUGES = ServerGauges(prefix_queries=1500.0, prefix_hits=600.0, waiting=2.0, running=3.0, queue_s=4.5, queued=10.0)
ONE = ServerReading(
    "http://gpu1:8000/v1", True, "", in_flight=4, answered=9, failed=1, prompt_tokens=700, cached_tokens=400,
    gauges=GAUGES,
)  # fmt: skip


def series(metrics: Metrics) -> dict[str, dict[str, float]]:
    """By name and server."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            if "server" in sample.labels:
                found.setdefault(sample.name.removeprefix("streamproc_model_"), {})[sample.labels["server"]] = (
                    sample.value
                )
    return found


def test_each_server_has_its_own_and_what_it_does_not_tell_is_left_out() -> None:
    metrics = Metrics(["gate"])
    other = replace(ONE, server="http://gpu2:8000/v1", up=False, prompt_tokens=None, gauges=None)
    metrics.model_servers("perception", lambda: (ONE, other))
    found = series(metrics)
    one, two = "http://gpu1:8000/v1", "http://gpu2:8000/v1"
    assert found == {
        "replica_up": {one: 1, two: 0},
        "in_flight": {one: 4, two: 4},
        "requests_answered_total": {one: 9, two: 9},
        "requests_failed_total": {one: 1, two: 1},
        "prompt_tokens_total": {one: 700},
        "prompt_tokens_cached_total": {one: 400, two: 400},
        "server_prefix_queries_total": {one: 1500},
        "server_prefix_hits_total": {one: 600},
        "server_queue_seconds_total": {one: 4.5},
        "server_queued_total": {one: 10},
        "server_waiting": {one: 2},
        "server_running": {one: 3},
    }


def test_they_are_asked_at_each_page() -> None:
    metrics, now = Metrics(["gate"]), [ONE]
    metrics.model_servers("perception", lambda: now)
    assert series(metrics)["in_flight"] == {ONE.server: 4}
    now[0] = replace(ONE, in_flight=0)
    assert series(metrics)["in_flight"] == {ONE.server: 0}


def test_without_servers_there_are_none() -> None:
    assert series(Metrics(["gate"])) == {}
