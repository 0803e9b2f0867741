"""Processes that watch cameras, real ones: killed, crashed, hung, grown, and without their site."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs
from tenacity import wait_fixed

from streamproc.camera import CameraUnit, UnitSettings
from streamproc.config import Area, CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.observability.metrics import Metrics
from streamproc.runtime.clock import SystemClock
from streamproc.shards import shard
from streamproc.shards.child import Launcher
from streamproc.shards.fleet import EARLY_DEATHS, Fleet
from streamproc.shards.hearing import Hearing
from streamproc.sources.backoff import Backoff
from streamproc.testing_rtsp import RtspServer, make_h264
from streamproc.testing_sources import FakeObserver, RecordingEmit, write_clip
from streamproc.types import ObservedWindow, on_host

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

HOOKED = (sys.executable, "-P", str(Path(__file__).with_name("hooked.py")))
WITHIN_S = 60.0
AT = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_h264(tmp_path_factory.mktemp("clips") / "a.mp4", frames=40)


@pytest.fixture(scope="module")
def server(clip: Path) -> Iterator[RtspServer]:
    with RtspServer({"one": clip}) as serving:
        yield serving


class Watched:
    """Cameras in real processes, and what a site hears of each."""

    def __init__(self, settings: Sequence[CameraSettings], processes: int, memory_mb: float = 4000.0) -> None:
        clock = SystemClock()
        self.sites = {one.id: RecordingEmit() for one in settings}
        self.metrics = Metrics(self.sites)
        self.pids: dict[str, int] = {}
        """Of the newest process of each camera."""
        launch = Launcher(Path(), "json", "info", HOOKED)

        def noted(name: str, hearings: Sequence[Hearing]) -> object:
            child = launch(name, hearings)
            self.pids.update(dict.fromkeys([one.camera_id for one in hearings], child.pid))
            return child

        hearings = {one.id: Hearing(unit(one), self.sites[one.id], lambda: None, clock) for one in settings}
        self.fleet = Fleet(
            hearings,
            processes,
            noted,  # type: ignore[arg-type]
            clock,
            self.metrics,
            lambda _: memory_mb,
            backoff=lambda: Backoff(lost=wait_fixed(0.2)),
        )
        self.units = {name: self.fleet.unit(name) for name in self.sites}
        for one in self.units.values():
            one.start()

    def has(self, camera: str, condition: Callable[[RecordingEmit], bool]) -> None:
        site = self.sites[camera]
        assert site.arrived(condition, WITHIN_S), (camera, site.states, site.drops, len(site.windows))

    def restarts(self, cause: str) -> float:
        page = generate_latest(self.metrics.registry).decode().splitlines()
        rows = [row for row in page if row.startswith("streamproc_shard_restarts_total") and f'"{cause}"' in row]
        return sum(float(row.split()[-1]) for row in rows)

    def end(self) -> None:
        for one in self.units.values():
            one.ask_to_stop()
        late = [name for name, one in self.units.items() if not one.stop(15)]
        for pid in {self.pids[name] for name in late}:
            os.kill(pid, signal.SIGKILL)
        assert not late


def unit(camera: CameraSettings) -> UnitSettings:
    return UnitSettings(camera, SamplingSettings(), PyavDecoder(), NormalitySettings())


@pytest.fixture
def watch(server: RtspServer) -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def begin(*names: str, processes: int = 1, memory_mb: float = 4000.0) -> Watched:
        cameras = [CameraSettings(id=name, main=server.url("one")) for name in names]
        made.append(Watched(cameras, processes, memory_mb))
        return made[-1]

    yield begin
    for one in made:
        one.end()


Watch = Callable[..., Watched]


def unbroken(site: RecordingEmit, run: int = 1) -> bool:
    """Whether no packet and no window of the run is missing."""
    packets = [one.pts_s for batch in site.batches for one in batch.packets if one.run == run]
    indices = [one.window.index for one in site.windows if one.window.run == run]
    return bool(np.allclose(np.diff(packets), 0.1, atol=0.02)) and indices == list(range(len(indices)))


def test_of_a_process_that_is_killed_the_cameras_come_back_and_no_other_loses_anything(watch: Watch) -> None:
    watched = watch("a", "b", "c", "d", processes=2)
    for name in watched.sites:
        watched.has(name, lambda e: len(e.windows) >= 2)
    assert watched.pids["a"] == watched.pids["c"] != watched.pids["b"] == watched.pids["d"]
    os.kill(watched.pids["a"], signal.SIGKILL)
    for name in ("a", "c"):
        watched.has(name, lambda e: any(one.window.run == 2 for one in e.windows))
        site = watched.sites[name]
        assert [state.phase for state in site.states[:5]] == [
            "connecting", "streaming", "lost", "connecting", "streaming"
        ]  # fmt: skip
        assert site.states[2].detail == "its process ended: killed by SIGKILL"
        assert site.faults == ["restarted"]
    for name in ("b", "d"):
        count = len(watched.sites[name].windows)
        watched.has(name, lambda e, count=count: len(e.windows) >= count + 2)  # type: ignore[misc]
        site = watched.sites[name]
        # The clip's seam begins a run of its own; before it nothing is missing.
        assert "lost" not in site.phases
        assert (site.faults, site.drops) == ([], {})
        assert unbroken(site)
    assert watched.restarts("died") == 1


def test_a_camera_whose_decoder_crashes_takes_its_own_process_along_and_is_then_alone(watch: Watch) -> None:
    with capture_logs() as logs:
        watched = watch("good", "aborts", "other", processes=2)  # good and other, aborts
        watched.has("aborts", lambda e: len(e.faults) >= 2)
        assert watched.sites["good"].faults == watched.sites["other"].faults == []
    lost = [one for one in logs if one["event"] == "process_lost"]
    assert {one["reason"] for one in lost} == {"killed by SIGABRT"}
    assert "Fatal Python error: Aborted" in lost[0]["trace"]
    assert "trouble" in lost[0]["trace"]


def test_a_camera_that_keeps_crashing_ends_in_a_process_of_its_own(watch: Watch) -> None:
    watched = watch("good", "aborts")
    assert watched.pids.get("good", 0) == watched.pids.get("aborts", 0)
    watched.has("aborts", lambda e: len(e.faults) >= EARLY_DEATHS + 2)
    good = watched.sites["good"]
    assert len(good.faults) == EARLY_DEATHS
    assert watched.pids["good"] != watched.pids["aborts"]
    run = EARLY_DEATHS + 1
    watched.has("good", lambda e: sum(one.window.run >= run for one in e.windows) >= 3)
    assert len(good.faults) == EARLY_DEATHS
    assert set(watched.fleet.doing()) == {"camera-good", "camera-aborts"}


def test_a_process_that_hangs_is_killed_and_followed_by_another(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "_HUNG_S", 4.0)
    watched = watch("hangs", "well")
    watched.has("well", lambda e: len(e.faults) >= 1)
    assert "no sign of life" in next(one for one in watched.sites["well"].states if one.phase == "lost").detail
    watched.has("well", lambda e: any(one.run >= 2 for one in e.states if one.phase == "streaming"))
    assert watched.restarts("hung") >= 1


def test_a_process_that_grows_is_told_to_go_and_followed_by_another(watch: Watch) -> None:
    watched = watch("grows", memory_mb=600.0)
    watched.has("grows", lambda e: len(e.faults) >= 1)
    lost = next(one for one in watched.sites["grows"].states if one.phase == "lost")
    assert "600 MB are its bound" in lost.detail
    watched.has("grows", lambda e: any(one.run >= 2 for one in e.states if one.phase == "streaming"))
    assert watched.restarts("memory") >= 1


@pytest.mark.parametrize("name", ["well", "hangs"])
def test_nothing_outlives_a_site_that_is_killed(name: str, server: RtspServer) -> None:
    argv = [sys.executable, "-P", str(Path(__file__).with_name("owner.py")), f"{name}={server.url('one')}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        try:
            assert Path(f"/proc/{pid}").exists()
            if name == "hangs":
                assert gone_within(3.0, pid) is False
        finally:
            owner.kill()
    assert gone_within(10.0, pid)


def gone_within(seconds: float, pid: int) -> bool:
    """Whether the process ends within the time; a dead one that nobody reaps has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


def test_a_process_is_not_ended_by_signals_that_are_for_its_site(watch: Watch) -> None:
    watched = watch("a")
    watched.has("a", lambda e: len(e.windows) >= 1)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(watched.pids["a"], number)
    count = len(watched.sites["a"].windows)
    watched.has("a", lambda e: len(e.windows) >= count + 2)
    assert watched.sites["a"].faults == []


def test_a_recording_gives_the_windows_in_another_process_that_it_gives_in_this_one(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=57, options={"bf": "2"})
    mask = Area(name="window", polygon=((0, 0), (0.5, 0), (0.5, 0.5)))
    camera = CameraSettings(id="gate", main=str(clip), realtime=False, privacy_masks=(mask,))
    here = RecordingEmit()
    inline = CameraUnit(unit(camera), here, SystemClock(), lambda _: FakeObserver())
    expected = list(inline.run_inline(AT))
    watched = Watched([camera], 1)
    assert watched.units["gate"].join(WITHIN_S)
    there = watched.sites["gate"]
    assert there.phases == ["connecting", "streaming", "ended"]
    assert [told(one) for one in there.windows] == [told(one) for one in expected]
    assert sum(len(one.packets) for one in there.batches) == len(here.batches)
    sent = [one.packets[0] for one in here.batches]
    heard = [one for batch in there.batches for one in batch.packets]
    assert [(p.pts_s, p.dts_s, p.is_keyframe, p.data) for p in heard] == [
        (p.pts_s, p.dts_s, p.is_keyframe, p.data) for p in sent
    ]
    assert there.drops == {}
    assert len(expected) == 6


def told(observed: ObservedWindow) -> tuple[object, ...]:
    """All of a window but the wall clock's times, which follow from them."""
    frames = [frame for burst in observed.window.bursts for frame in burst]
    first = frames[0].received_at
    pictures = tuple((one.pts_s, (one.received_at - first), on_host(one.picture).tobytes()) for one in frames)
    sizes = tuple(len(burst) for burst in observed.window.bursts)
    return observed.window.run, observed.window.index, sizes, pictures, observed.motion, observed.tracks
