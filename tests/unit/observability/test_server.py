"""The pages as a browser and as Prometheus get them."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from streamproc.errors import ConfigError
from streamproc.observability.metrics import Metrics
from streamproc.observability.server import Health, ObservabilityServer, Reading
from streamproc.secrets import remember


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def server(health: Health) -> Iterator[ObservabilityServer]:
    with ObservabilityServer(Metrics(["gate"]).registry, health, "127.0.0.1", 0) as server:
        yield server


def get(server: ObservabilityServer, path: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def page(server: ObservabilityServer, path: str) -> tuple[int, dict[str, Any]]:
    status, kind, body = get(server, path)
    assert kind.startswith("application/json")
    return status, json.loads(body)


def test_metrics_are_prometheus_text(server: ObservabilityServer) -> None:
    status, kind, body = get(server, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert 'streamproc_frames_total{camera="gate"} 0.0' in body


def test_an_unknown_page_names_the_known(server: ObservabilityServer) -> None:
    status, found = page(server, "/nothing")
    assert status == 404
    assert found == {"pages": ["/metrics", "/healthz", "/readyz"]}


def test_liveness_asks_only_what_a_restart_would_mend(server: ObservabilityServer, health: Health) -> None:
    health.add("outbox", lambda: Reading(ok=False, detail="disk full"))
    health.add("threads", lambda: Reading(ok=True), level="alive")
    status, found = page(server, "/healthz")
    assert (status, found["status"]) == (200, "alive")
    assert list(found["checks"]) == ["threads"]
    health.add("threads", lambda: Reading(ok=False, detail="delivery ended"), level="alive")
    status, found = page(server, "/healthz")
    assert (status, found["status"]) == (503, "dead")
    assert found["checks"]["threads"] == {"ok": False, "level": "alive", "detail": "delivery ended"}


@pytest.mark.parametrize(
    ("alive", "outbox", "camera", "status", "says"),
    [
        (True, True, True, 200, "ready"),
        (True, True, False, 200, "degraded"),
        (True, False, True, 503, "not ready"),
        (True, False, False, 503, "not ready"),
        (False, True, True, 503, "not ready"),
    ],
)
def test_readiness_tells_the_useless_from_the_degraded(
    health: Health, alive: bool, outbox: bool, camera: bool, status: int, says: str
) -> None:
    health.add("threads", lambda: Reading(alive), level="alive")
    health.add("outbox", lambda: Reading(outbox))
    health.add("camera gate", lambda: Reading(camera, "lost: no packet for 5 s"), level="wanted")
    ok, found = health.readiness()
    assert (200 if ok else 503, found["status"]) == (status, says)
    assert found["checks"]["camera gate"]["detail"] == "lost: no packet for 5 s"


def test_readiness_says_what_is_a_stand_in(server: ObservabilityServer, health: Health) -> None:
    health.stand_in("perception", "embedded scene captioner, stands in for a VLM")
    _, found = page(server, "/readyz")
    assert found["stand_ins"] == {"perception": "embedded scene captioner, stands in for a VLM"}


def test_a_check_that_raises_has_failed_and_gives_no_credential_away(health: Health) -> None:
    def broken() -> Reading:
        raise OSError("login m4rked-pw refused")

    remember("m4rked-pw")
    health.add("broker", broken)
    ok, found = health.readiness()
    assert not ok
    assert found["checks"]["broker"]["detail"] == "check failed: OSError: login *** refused"


def test_a_port_in_use_is_the_operators_to_change(server: ObservabilityServer) -> None:
    with pytest.raises(ConfigError, match=r"another process listens there; set observability\.port"):
        ObservabilityServer(Metrics([]).registry, Health(), "127.0.0.1", server.port)


def test_an_address_of_another_machine_is_the_operators_to_change() -> None:
    with pytest.raises(ConfigError, match=r"set observability\.host to an address of this machine"):
        ObservabilityServer(Metrics([]).registry, Health(), "192.0.2.1", 0)


def test_a_closed_server_gives_its_port_back(server: ObservabilityServer) -> None:
    server.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


def test_a_silent_client_keeps_nobody_waiting(server: ObservabilityServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5):
        assert get(server, "/metrics")[0] == 200
