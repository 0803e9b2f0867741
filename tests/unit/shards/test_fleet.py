"""Cameras spread over processes that are kept running, and apart from one that brings its process down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from streamproc.camera import UnitSettings
from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.observability.metrics import Metrics
from streamproc.shards.fleet import EARLY_DEATHS, STEADY_S, Fleet, RemoteUnit
from streamproc.shards.hearing import Hearing
from streamproc.testing import FakeClock
from streamproc.testing_shards import BEAT, FakeChild, FakeLaunch
from streamproc.testing_sources import RecordingEmit


class Sailing:
    """A fleet whose processes live until a test ends them."""

    def __init__(self, *cameras: str, processes: int, main: str = "rtsp://cam/1") -> None:
        self.clock = FakeClock()
        self.metrics = Metrics(cameras)
        self.launch = FakeLaunch(self.clock)
        self.sites = {name: RecordingEmit() for name in cameras}
        hearings = {
            name: Hearing(
                UnitSettings(
                    CameraSettings(id=name, main=main), SamplingSettings(), PyavDecoder(), NormalitySettings()
                ),
                site,
                lambda: None,
                self.clock,
            )
            for name, site in self.sites.items()
        }
        self.bounds: list[int] = []
        self.fleet = Fleet(hearings, processes, self.launch, self.clock, self.metrics, self.bound)
        self.units = {name: self.fleet.unit(name) for name in cameras}

    def bound(self, cameras: int) -> float:
        self.bounds.append(cameras)
        return 1000.0

    def start(self) -> None:
        for unit in self.units.values():
            unit.start()

    def of(self, child: FakeChild) -> list[str]:
        return [one.settings.camera.id for one in child.orders.cameras]

    def child(self, camera: str) -> FakeChild:
        """The newest process with that camera."""
        return next(one for one in reversed(self.launch.children) if camera in one.emits)

    def end(self) -> None:
        """As a site does: every camera is asked, and each process ends with its last one."""
        for unit in self.units.values():
            unit.ask_to_stop()
        for child in self.launch.children:
            for emit in child.emits.values():
                emit.over()
            child.end()
        assert all(unit.stop(10) for unit in self.units.values())

    def restarts(self, shard: str, cause: str = "died") -> float:
        page = generate_latest(self.metrics.registry).decode().splitlines()
        start = f'streamproc_shard_restarts_total{{cause="{cause}",shard="{shard}"}}'
        return float(next(row for row in page if row.startswith(start)).split()[-1])


@pytest.fixture
def sail() -> Iterator[Callable[..., Sailing]]:
    made: list[Sailing] = []

    def make(*cameras: str, processes: int, main: str = "rtsp://cam/1") -> Sailing:
        made.append(Sailing(*cameras, processes=processes, main=main))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.end()


Sail = Callable[..., Sailing]


def test_cameras_are_dealt_out_evenly_and_a_process_starts_with_all_of_its_own() -> None:
    one = Sailing("a", "b", "c", "d", "e", processes=2)
    for name in ("a", "b", "d"):
        one.units[name].start()
    assert one.launch.started(1)
    assert [one.of(child) for child in one.launch.children] == [["b", "d"]]
    for name in ("c", "e"):
        one.units[name].start()
    assert one.launch.started(2)
    assert one.of(one.launch.children[1]) == ["a", "c", "e"]
    assert one.bounds == [3, 2]
    assert not any(unit.dead for unit in one.units.values())
    one.end()


def test_there_are_no_more_processes_than_cameras(sail: Sail) -> None:
    one = sail("a", "b", processes=8)
    assert one.launch.started(2)
    assert sorted(one.of(child) for child in one.launch.children) == [["a"], ["b"]]


def test_a_process_that_dies_is_followed_by_another_with_its_cameras_and_no_other_camera_notices(sail: Sail) -> None:
    one = sail("a", "b", "c", processes=2)
    assert one.launch.started(2)
    first = one.child("a")
    first.end("killed by SIGKILL")
    assert one.launch.started(3)
    assert one.of(one.launch.children[2]) == ["a", "c"]
    for name in ("a", "c"):
        assert one.sites[name].arrived(lambda e: e.faults == ["restarted"])
        assert one.sites[name].phases == ["lost"]
        assert one.sites[name].states[0].detail == "its process ended: killed by SIGKILL"
    assert one.sites["b"].states == []
    assert one.restarts("shard-1") == 1


def test_between_two_processes_it_waits_longer_and_longer(sail: Sail) -> None:
    one = sail("a", processes=1)
    for number in range(1, 8):
        assert one.launch.started(number)
        one.launch.children[-1].end("exit code 1")
    assert one.launch.started(8)
    waits = one.clock.waits[1:8]
    assert all(0.5 <= wait <= 30.0 for wait in waits)
    assert max(waits[4:]) > waits[0]


def test_cameras_whose_process_keeps_dying_get_one_each_and_the_culprit_goes_on_alone(sail: Sail) -> None:
    one = sail("good", "bad", "fine", processes=1)
    with capture_logs() as logs:
        for number in range(1, EARLY_DEATHS + 1):
            assert one.launch.started(number)
            assert one.of(one.launch.children[-1]) == ["good", "bad", "fine"]
            one.launch.children[-1].end("killed by SIGABRT")
        assert one.launch.started(EARLY_DEATHS + 3)
    alone = one.launch.children[EARLY_DEATHS:]
    assert sorted(one.of(child)[0] for child in alone) == ["bad", "fine", "good"]
    assert {child.orders.name for child in alone} == {"camera-bad", "camera-fine", "camera-good"}
    assert [said["cameras"] for said in logs if said["event"] == "cameras_isolated"] == [["good", "bad", "fine"]]
    for number in range(1, 2 * EARLY_DEATHS):
        one.child("bad").end("killed by SIGABRT")
        assert one.launch.started(EARLY_DEATHS + 3 + number)
    assert one.sites["bad"].arrived(lambda e: len(e.faults) == 3 * EARLY_DEATHS - 1)
    assert len(one.sites["good"].faults) == len(one.sites["fine"].faults) == EARLY_DEATHS
    assert set(one.fleet.doing()) == {"camera-bad", "camera-fine", "camera-good"}
    assert not any(unit.dead for unit in one.units.values())


def test_cameras_that_were_told_to_end_are_not_set_apart() -> None:
    one = Sailing("a", "b", "c", processes=1)
    one.start()
    for number in range(1, EARLY_DEATHS + 1):
        assert one.launch.started(number)
        child = one.launch.children[-1]
        if number == EARLY_DEATHS:
            one.units["c"].ask_to_stop()
        child.end("killed by SIGABRT")
    assert one.launch.started(EARLY_DEATHS + 2)
    assert one.units["c"].join(10)
    assert set(one.fleet.doing()) == {"camera-a", "camera-b"}
    one.end()


def test_deaths_far_apart_keep_cameras_together(sail: Sail) -> None:
    one = sail("a", "b", processes=1)
    for number in range(1, 2 * EARLY_DEATHS):
        assert one.launch.started(number)
        child = one.launch.children[-1]
        one.clock.advance(STEADY_S)
        child.end("exit code 1")
    assert one.launch.started(2 * EARLY_DEATHS)
    assert one.of(one.launch.children[-1]) == ["a", "b"]


def test_a_recording_that_brings_its_own_process_down_is_given_up() -> None:
    one = Sailing("a", processes=1, main="clip.mp4")
    one.start()
    assert one.launch.started(1)
    with capture_logs() as logs:
        one.launch.children[0].end("killed by SIGSEGV")
        assert one.units["a"].join(10)
    assert one.sites["a"].phases == ["lost"]
    assert "recording_given_up" in [said["event"] for said in logs]
    assert len(one.launch.children) == 1
    assert not one.units["a"].dead


def test_a_recording_that_has_ended_is_not_played_again(sail: Sail) -> None:
    one = sail("a", "b", processes=1, main="clip.mp4")
    assert one.launch.started(1)
    one.child("a").emits["a"].over()
    assert one.units["a"].join(10)
    one.child("b").end("killed by SIGKILL")
    assert one.units["b"].join(10)  # it was alone, so it is given up
    assert one.sites["a"].states == []


def test_a_fleet_ends_without_a_further_process() -> None:
    one = Sailing("a", "b", processes=1)
    one.start()
    assert one.launch.started(1)
    child = one.launch.children[0]
    for unit in one.units.values():
        unit.ask_to_stop()
    assert child.heard(lambda c: len(c.told) == 2)
    child.end("killed by SIGKILL")  # before it could say that they ended
    assert all(unit.stop(10) for unit in one.units.values())
    assert len(one.launch.children) == 1
    assert [one.sites[name].states for name in ("a", "b")] == [[], []]


def test_a_camera_that_does_not_end_is_told_as_late(sail: Sail) -> None:
    one = sail("a", processes=1)
    assert one.launch.started(1)
    with capture_logs() as logs:
        assert not one.units["a"].stop(0.01)
    assert [(said["event"], said["camera"]) for said in logs] == [("camera_late", "a")]


def test_one_that_was_never_started_is_over() -> None:
    one = Sailing("a", processes=1)
    assert one.units["a"].stop(0.0)
    assert not one.units["a"].dead


def test_a_camera_whose_keeper_broke_off_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    caught = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: caught.set())
    one = Sailing("a", processes=1)

    def fail(name: str, hearings: object) -> FakeChild:
        raise ValueError("nobody expected this")

    one.fleet._shards[0]._launch = fail
    unit: RemoteUnit = one.units["a"]
    unit.start()
    assert caught.wait(10)
    one.fleet._threads["shard-1"].join(10)
    assert unit.dead


def test_what_processes_do_is_said(sail: Sail) -> None:
    one = sail("a", "b", processes=2)
    assert one.launch.started(2)
    one.child("a").say(BEAT)
    one.child("b").end("killed by SIGKILL")
    assert one.launch.started(3)
    assert one.sites["b"].arrived(lambda e: e.phases == ["lost"])
    assert set(one.fleet.doing()) == {"shard-1", "shard-2"}
