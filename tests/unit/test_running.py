"""`streamproc run` from start to signal: what it says it runs on, its pages, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import generate_latest

from streamproc import assembly, running
from streamproc.assembly import Assembled, assemble
from streamproc.demo.broker import free_port
from streamproc.errors import ConfigError, InferenceError, SinkError, StageError
from streamproc.models.store import ModelStore
from streamproc.runtime.breaker import Health
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.site import LoadedSite, load_site
from streamproc.testing import FakeClock
from streamproc.testing_shards import BEAT, FakeLaunch
from streamproc.testing_sources import write_clip
from streamproc.testing_wiring import HURRIES, FakeBackends, write_rules, write_site
from streamproc.types import CameraState, ServerReading

pytestmark = pytest.mark.usefixtures("logging_as_it_was")


class Server:
    """A model server as `run` knows it."""

    def __init__(self, *, up: bool = True, fails: Exception | None = None) -> None:
        self.health = Health(up=up, reason="" if up else "connection refused")
        self.checked = 0
        self._fails = fails

    def readings(self) -> tuple[ServerReading, ...]:
        one = ServerReading("http://gpu1:8000/v1", self.health.up, self.health.reason, 0, 0, 0, 0, 0, None)
        return one, replace(one, server="http://gpu2:8000/v1", up=True, detail="")

    def check(self) -> tuple[str, ...]:
        self.checked += 1
        if self._fails is not None:
            raise self._fails
        return ("model",)


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch, made: list[Assembled]) -> list[bool]:
    """Of each site that froze what is loaded, whether cameras were under way; the tests' own process stays as it is."""
    frozen: list[bool] = []
    monkeypatch.setattr(running, "freeze_loaded", lambda: frozen.append(bool(made[-1].hub.phases)))
    return frozen


@pytest.fixture
def backends(monkeypatch: pytest.MonkeyPatch) -> FakeBackends:
    """What the site under test runs on."""
    fake = FakeBackends(lambda _: HURRIES)
    monkeypatch.setattr(running, "_LOOK_S", 0.02)
    monkeypatch.setattr(assembly, "Backends", lambda *_: fake)
    return fake


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Assembled]:
    """Holds the site that `run` put together."""
    made: list[Assembled] = []

    def remember(loaded: LoadedSite, store: ModelStore, clock: Clock) -> Assembled:
        made.append(assemble(loaded, store, clock))
        return made[-1]

    monkeypatch.setattr(running, "assemble", remember)
    return made


def recording(folder: Path, port: str = "null", **clip: Any) -> Path:
    """A site whose only camera plays a recording of five seconds, as fast as it goes."""
    write_clip(folder / "clip.mp4", size=(64, 48), **({"count": 50} | clip))
    write_rules(folder / "rules" / "gate.yaml")
    path = write_site(folder, more=f"observability: {{port: {port}, log_format: json}}\n")
    path.write_text(path.read_text().replace("rules: rules", "realtime: false, rules: rules"), encoding="utf-8")
    return path


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(row) for row in capsys.readouterr().err.splitlines()]


def test_a_recording_is_played_to_its_end_its_alerts_delivered_and_all_closed(
    tmp_path: Path, backends: FakeBackends, capsys: pytest.CaptureFixture[str], frozen: list[bool]
) -> None:
    assert running.run_site(recording(tmp_path)) == 0
    alerts = [json.loads(row) for row in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [alert["data"]["action"] for alert in alerts] == ["open", "resolve"]
    assert alerts[0]["data"]["models"][-1]["stand_in_for"] == "a captioner"
    assert Path(alerts[0]["data"]["evidence"]["snapshot_uri"].removeprefix("file://")).is_file()
    assert backends.closed
    said = logged(capsys)
    events = [row["event"] for row in said]
    assert events.index("stand_in") < events.index("watching") < events.index("recordings_ended")
    assert events[-1] == "stopped"
    assert frozen == [False]
    # Nothing is lost on the way, though nobody waits for the pages.
    (stand_in,) = [row for row in said if row["event"] == "stand_in"]
    assert (stand_in["model"], stand_in["stands_in_for"]) == ("scripted", "a captioner")


def test_a_threshold_that_was_set_without_the_language_model_is_said_at_start(
    tmp_path: Path, backends: FakeBackends, capsys: pytest.CaptureFixture[str]
) -> None:
    llm = 'deduction: {llm: {base_url: "http://127.0.0.1:1/v1", model: llm}}\n'
    (tmp_path / "own.yaml").write_text(f"schema_version: 1\nname: own\n{llm}")
    path = recording(tmp_path)
    assert running.run_site(path) == 0
    assert "threshold_without_llm" not in [row["event"] for row in logged(capsys)]
    path.write_text(path.read_text().replace("pipeline: embedded", "pipeline: ./own.yaml"), encoding="utf-8")
    assert running.run_site(path) == 0
    (said,) = [row for row in logged(capsys) if row["event"] == "threshold_without_llm"]
    assert (said["camera"], "without the language model" in said["reason"]) == ("gate", True)


def test_a_recording_that_breaks_the_camera_ends_the_run_with_a_failure(
    tmp_path: Path, backends: FakeBackends, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaks:
        def observe(self, window: object) -> object:
            raise RuntimeError("fell over")

    monkeypatch.setattr(backends, "observer", lambda *_: Breaks())
    with pytest.raises(StageError, match="could not be played to their end: gate"):
        running.run_site(recording(tmp_path))
    assert backends.closed


class Signalled:
    """Waits until the pages say something, then sends a signal to this process."""

    def __init__(self, port: int, until: Callable[[dict[str, Any]], object]) -> None:
        self.page: dict[str, Any] = {}
        self.metrics = ""
        self._port, self._until = port, until
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _get(self, name: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{name}", timeout=5) as answer:
            return str(answer.read().decode())

    def _run(self) -> None:
        for _ in range(300):
            try:
                self.page = json.loads(self._get("readyz"))
                self.metrics = self._get("metrics")
            except OSError:
                self.page = {}
            if self.page and self._until(self.page):
                break
            threading.Event().wait(0.02)
        os.kill(os.getpid(), signal.SIGTERM)


def test_the_pages_tell_cameras_servers_and_stand_ins_until_sigterm_ends_it(
    tmp_path: Path, backends: FakeBackends
) -> None:
    backends.servers["deduction"] = Server(up=False, fails=InferenceError("connection refused"))
    port = free_port()
    path = recording(tmp_path, str(port))
    # A camera that is not there keeps the site from being over.
    path.write_text(path.read_text().replace("clip.mp4", "device:/dev/video99"), encoding="utf-8")
    pages = Signalled(port, lambda page: page["checks"]["camera gate"]["detail"] == "lost")
    assert running.run_site(path) == 0
    checks = pages.page["checks"]
    assert pages.page["status"] == "degraded"
    assert pages.page["stand_ins"] == {"perception": "scripted stands in for a captioner"}
    assert {name: (check["ok"], check["level"]) for name, check in checks.items()} == {
        "threads": (True, "alive"),
        "outbox": (True, "wanted"),
        "camera gate": (False, "wanted"),
        "calibration gate": (False, "wanted"),
        "normal gate": (True, "wanted"),
        "words gate": (True, "wanted"),
        "model server deduction": (False, "wanted"),
    }
    assert checks["outbox"]["detail"] == "jsonl: 0 waiting"
    assert checks["model server deduction"]["detail"] == "http://gpu1:8000/v1 connection refused"
    assert checks["calibration gate"]["detail"].startswith("no calibration beside the rule file")
    assert 'streamproc_model_server_up{role="deduction"} 0.0' in pages.metrics
    assert 'streamproc_model_replica_up{role="deduction",server="http://gpu1:8000/v1"} 0.0' in pages.metrics
    assert 'streamproc_model_replica_up{role="deduction",server="http://gpu2:8000/v1"} 1.0' in pages.metrics
    assert 'streamproc_stand_in{role="perception",stand_in_for="a captioner"} 1.0' in pages.metrics


def test_the_pages_tell_what_the_processes_do_that_watch_cameras(
    tmp_path: Path, backends: FakeBackends, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.yaml").write_text("schema_version: 1\nname: own\nprocesses: 1\n")
    path = recording(tmp_path)
    path.write_text(path.read_text().replace("pipeline: embedded", "pipeline: ./own.yaml"), encoding="utf-8")
    launch = FakeLaunch(FakeClock(), lambda child: child.say(BEAT))
    monkeypatch.setattr(assembly, "Launcher", lambda *_: launch)
    loaded = load_site(path)
    site = assemble(loaded, ModelStore(), SystemClock())
    health = running._health(loaded, site)
    assert health.readiness()[1]["checks"]["processes"] == {"ok": False, "level": "wanted", "detail": "shard-1: starts"}
    site.site.start()
    assert launch.started(1)
    child = launch.children[0]
    child.emits["gate"].state(CameraState("gate", 1, "ended", datetime.now(UTC)))
    child.emits["gate"].over()
    child.end()
    until = time.monotonic() + 10
    while not site.site.finished():
        assert time.monotonic() < until
    site.fleet._threads["shard-1"].join(10)  # type: ignore[union-attr]
    page = health.readiness()[1]["checks"]["processes"]
    assert (page["ok"], page["detail"]) == (True, "shard-1: its cameras are over")
    assert health.liveness()[0]
    site.site.stop(5)


def test_a_model_server_of_the_wrong_kind_is_the_operators_mistake_and_nothing_is_left_running(
    tmp_path: Path, backends: FakeBackends, made: list[Assembled]
) -> None:
    backends.servers["perception"] = Server(fails=ConfigError("model server x does not serve vlm; it has: y"))
    with pytest.raises(ConfigError, match="it has: y"):
        running.run_site(recording(tmp_path))
    assert backends.closed
    assert made[0].supervisor.stopping.is_set()
    assert made[0].hub.phases == {}  # no camera was started
    with pytest.raises(SinkError):
        made[0].outbox.pending("jsonl")


def test_a_server_that_answers_is_a_metric_from_the_start(
    tmp_path: Path, backends: FakeBackends, made: list[Assembled]
) -> None:
    backends.servers["perception"] = server = Server()
    running.run_site(recording(tmp_path))
    assert server.checked == 1
    page = generate_latest(made[0].metrics.registry).decode()
    assert 'streamproc_model_server_up{role="perception"} 1.0' in page


def test_told_to_stop_while_a_server_let_it_wait_it_starts_no_camera(
    tmp_path: Path, backends: FakeBackends, made: list[Assembled]
) -> None:
    class Slow(Server):
        def check(self) -> tuple[str, ...]:
            made[0].supervisor.stopping.set()
            return super().check()

    backends.servers["perception"] = Slow()
    assert running.run_site(recording(tmp_path)) == 0
    assert made[0].hub.phases == {}


def test_a_port_that_is_taken_is_the_operators_mistake(tmp_path: Path, backends: FakeBackends) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="another process listens there"):
            running.run_site(recording(tmp_path, str(taken.getsockname()[1])))
    assert backends.closed


def test_a_stage_that_dies_ends_the_run_with_a_failure(
    tmp_path: Path, backends: FakeBackends, made: list[Assembled], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies() -> None:
        raise RuntimeError("fell over")

    path = recording(tmp_path)
    path.write_text(path.read_text().replace("clip.mp4", "device:/dev/video99"), encoding="utf-8")
    watch = running._watch

    def with_a_fault(loaded: LoadedSite, site: Assembled) -> None:
        site.supervisor.start("extra", dies)
        watch(loaded, site)

    monkeypatch.setattr(running, "_watch", with_a_fault)
    with pytest.raises(StageError, match="stage extra: RuntimeError: fell over"):
        running.run_site(path)
    assert backends.closed
    assert cast(Any, made[0].deliveries[0])._thread.is_alive() is False


def test_a_delivery_that_died_makes_the_process_one_to_start_again(tmp_path: Path, backends: FakeBackends) -> None:
    loaded = load_site(recording(tmp_path))
    site = assemble(loaded, ModelStore(), SystemClock())
    health = running._health(loaded, site)
    assert health.liveness()[0]
    cast(Any, site.deliveries[0])._thread = threading.Thread()
    alive, page = health.liveness()
    assert not alive
    assert page["checks"]["threads"]["detail"] == "delivery-jsonl"
    site.outbox.close()


def test_what_is_not_judged_and_what_drifted_is_told_on_the_page(tmp_path: Path, backends: FakeBackends) -> None:
    loaded = load_site(recording(tmp_path))
    site = assemble(loaded, ModelStore(), SystemClock())
    health = running._health(loaded, site)
    assert health.readiness()[1]["checks"]["normal gate"]["ok"]
    site.hub.said["gate"] = ("what is normal: the camera was moved", "what moves is 1.4 times as fast")
    ready, page = health.readiness()
    assert ready
    assert page["status"] == "degraded"
    assert page["checks"]["normal gate"] == {
        "ok": False,
        "level": "wanted",
        "detail": "what is normal: the camera was moved; what moves is 1.4 times as fast",
    }
    site.outbox.close()
