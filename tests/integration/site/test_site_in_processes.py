"""A whole site whose cameras are watched in processes of their own: the same alerts, and nobody taken along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamproc.calibrations import calibration_path
from streamproc.config import PipelineSettings
from streamproc.demo.broker import DevBroker, free_port
from streamproc.normality.calibration import Calibration
from streamproc.site import load_preset
from streamproc.testing import until
from streamproc.testing_rtsp import RtspServer
from streamproc.testing_site import PASSWORD, USER, LiveSite

pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(300)]

RULES = Path(__file__).parent / "rules"
Part = Callable[[str, float, float], Path]


def preset(folder: Path, processes: int) -> str:
    """The embedded preset with so many processes; its address in a site file."""
    own: PipelineSettings = load_preset("embedded").model_copy(update={"name": "own", "processes": processes})
    (folder / "own.yaml").write_text(own.model_dump_json(), encoding="utf-8")
    return "./own.yaml"


def played(site: Path, clip: Path, processes: int) -> list[dict[str, Any]]:
    """What `run` tells of two cameras that play the same recording, without what the clock says."""
    text = site.read_text(encoding="utf-8")
    row = f"id: two, main: {clip}, realtime: false, rules: rules/two.yaml"
    text = text.replace("id: two, main: clip.mp4, rules: rules/two.yaml", row)
    path = site.with_name(f"in{processes}.yaml")
    more = f"pipeline: {preset(site.parent, processes)}\nobservability: {{port: null}}\n"
    path.write_text(text.replace("alerts.jsonl", f"in{processes}.jsonl") + f"  outbox: in{processes}.sqlite3\n" + more)
    argv = [sys.executable, "-m", "streamproc.cli", "run", str(path)]
    run = subprocess.run(argv, stderr=subprocess.PIPE, text=True, check=False, timeout=200)
    assert run.returncode == 0, run.stderr[-3000:]
    assert ("process_started" in run.stderr) == bool(processes)
    rows = (site.parent / f"in{processes}.jsonl").read_text(encoding="utf-8").splitlines()
    alerts = [json.loads(row)["data"] for row in rows]
    return [{name: value for name, value in one.items() if name in TOLD} for one in alerts]


TOLD = (
    "revision", "action", "severity", "score", "score_max", "category", "cited_rules", "votes", "captions",
    "measurements", "models", "rule_set",
)  # fmt: skip
"""Of an alert: all that does not depend on when the recording was played."""


def test_a_recording_raises_the_same_alerts_in_another_process(site: Path, part: Part) -> None:
    clip = part("two", 54.0, 66.0)
    here = played(site, clip, 0)
    assert here[0]["action"] == "open"
    assert played(site, clip, 1) == here


@pytest.fixture
def live(tmp_path: Path, footage: dict[str, Path]) -> Iterator[LiveSite]:
    (tmp_path / "rules").mkdir()
    for name in ("two.yaml", "two.normality.json"):
        (tmp_path / "rules" / name).write_bytes((RULES / name).read_bytes())
    with (
        RtspServer({"two": footage["one"]}, USER, PASSWORD) as server,
        DevBroker(tmp_path / "broker") as broker,
    ):
        site = LiveSite(tmp_path, server, broker, free_port(), preset(tmp_path, 1))
        site.write()
        site.start()
        try:
            yield site
        finally:
            site.end()


def said(live: LiveSite, event: str) -> list[dict[str, Any]]:
    rows = [row for row in live.log.read_text(encoding="utf-8").splitlines() if row.startswith("{")]
    return [one for one in map(json.loads, rows) if one["event"] == event]


def windows(live: LiveSite) -> float:
    page = live.page("metrics").splitlines()
    return next((float(row.split()[-1]) for row in page if row.startswith("streamproc_windows_total{")), 0.0)


def test_a_site_goes_on_through_the_death_of_a_process_and_takes_a_new_calibration_there(live: LiveSite) -> None:
    live.wait(lambda: live.phase() == "streaming" and windows(live) >= 10, 60, "windows")
    checks = json.loads(live.page("readyz"))["checks"]
    assert checks["processes"]["ok"]
    assert checks["processes"]["detail"].startswith("shard-1: ")

    # A calibration that is exchanged with its rules is measured by over there.
    (calibration,) = live.folder.glob("rules/*.normality.json")
    other = Calibration.load(calibration)
    changed = other.model_copy(update={"learned_at": "2026-11-22T08:00:00+00:00"})
    changed.save(calibration_path(live.rules))
    now = Calibration.load(calibration).sha256
    text = live.rules.read_text(encoding="utf-8").replace("\nversion: 1\n", "\nversion: 2\n")
    live.rules.write_text(text.replace(other.sha256, now), encoding="utf-8")
    live.wait(lambda: said(live, "calibration_changed"), 20, "the exchange")
    count = windows(live)
    live.wait(lambda: windows(live) >= count + 20, 30, "windows by the new calibration")
    assert [one["sha256"] for one in said(live, "calibration_followed")] == [now[:12]]
    assert said(live, "camera_thread_failed") == []

    (started,) = said(live, "process_started")
    os.kill(started["pid"], signal.SIGKILL)
    live.wait(lambda: len(said(live, "process_started")) == 2, 30, "another process")
    count = windows(live)
    live.wait(lambda: live.phase() == "streaming" and windows(live) >= count + 10, 60, "windows again")
    assert 'streamproc_shard_restarts_total{cause="died",shard="shard-1"} 1.0' in live.page("metrics")
    (lost,) = said(live, "process_lost")
    assert lost["reason"] == "killed by SIGKILL"

    # A signal to all of them, as an init system sends it, ends them in order all the same.
    pid = said(live, "process_started")[-1]["pid"]
    os.kill(pid, signal.SIGTERM)
    assert live.stop() == 0, live.log.read_text()[-3000:]
    assert len(said(live, "process_lost")) == 1
    until(lambda: not Path(f"/proc/{pid}").exists())  # it may have been left to init to collect
    assert PASSWORD not in live.log.read_text()
