"""One process: heard, ended where it hangs or grows, and why it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from streamproc.camera import UnitSettings
from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.errors import StageError
from streamproc.observability.metrics import Metrics
from streamproc.shards.hearing import Hearing
from streamproc.shards.orders import Beat, Failed, Leave, StopCamera
from streamproc.shards.shard import Death, Shard
from streamproc.testing import FakeClock
from streamproc.testing_shards import BEAT, FakeChild, FakeLaunch
from streamproc.testing_sources import RecordingEmit


class Kept:
    """A shard of two cameras whose processes follow a script."""

    def __init__(self, script: Callable[[FakeChild], object] = lambda _: None) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics(["gate", "yard"])
        self.launch = FakeLaunch(self.clock, script)
        self.sites = {name: RecordingEmit() for name in ("gate", "yard")}
        self.hearings = {
            name: Hearing(
                UnitSettings(
                    CameraSettings(id=name, main="rtsp://cam/1"), SamplingSettings(), PyavDecoder(), NormalitySettings()
                ),
                site,
                lambda: None,
                self.clock,
            )
            for name, site in self.sites.items()
        }
        for hearing in self.hearings.values():
            hearing.start()
        self.shard = Shard("shard-1", list(self.hearings.values()), self.launch, self.clock, self.metrics, 1000.0)

    @property
    def child(self) -> FakeChild:
        return self.launch.children[-1]

    def value(self, sample: str) -> float:
        page = generate_latest(self.metrics.registry).decode().splitlines()
        return float(next(row for row in page if row.startswith(f"streamproc_{sample} ")).split()[-1])


@pytest.fixture
def keep() -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def make(script: Callable[[FakeChild], object] = lambda _: None) -> Kept:
        made.append(Kept(script))
        return made[-1]

    yield make
    for one in made:
        one.shard.finish()
        assert all(hearing.join(10) for hearing in one.hearings.values())


Keep = Callable[..., Kept]


def test_it_is_started_with_all_cameras_and_ends_with_them(keep: Keep) -> None:
    def script(child: FakeChild) -> None:
        child.say(BEAT, BEAT)
        for emit in child.emits.values():
            emit.over()
        child.end()

    kept = keep(script)
    with capture_logs() as logs:
        assert kept.shard.live() is None
    assert [one.settings.camera.id for one in kept.child.orders.cameras] == ["gate", "yard"]
    assert kept.child.orders.models == Path("models")
    assert not kept.child.killed
    assert kept.shard.left == ()
    assert [one["event"] for one in logs] == ["process_started"]
    assert kept.shard.live() is None  # there is nothing left to start one for
    assert len(kept.launch.children) == 1


def test_what_it_takes_is_told(keep: Keep) -> None:
    kept = keep(lambda child: child.say(Beat(memory_mb=321.0, cpu_s=4.5)).end("exit code 1"))
    kept.shard.live()
    assert kept.value('shard_memory_bytes{shard="shard-1"}') == 321e6
    assert kept.value('shard_cpu_seconds{shard="shard-1"}') == 4.5
    assert kept.value('shard_cameras{shard="shard-1"}') == 0
    assert kept.value('shard_restarts_total{cause="hung",shard="shard-1"}') == 0  # seen before its first increase
    assert kept.shard.doing == "321 MB"


@pytest.mark.parametrize(
    ("how", "reason"),
    [("killed by SIGSEGV", "killed by SIGSEGV"), ("", "it ended though it was to watch")],
)
def test_one_that_ends_before_its_cameras_is_a_death(keep: Keep, how: str, reason: str) -> None:
    kept = keep(lambda child: child.say(BEAT).end(how))
    with capture_logs() as logs:
        assert kept.shard.live() == Death("died", reason)
    (said,) = [one for one in logs if one["event"] == "process_lost"]
    assert (said["log_level"], said["reason"], said["process"]) == ("error", reason, "shard-1")
    assert [one.camera_id for one in kept.shard.left] == ["gate", "yard"]


def test_one_that_says_why_it_cannot_go_on_is_believed(keep: Keep) -> None:
    kept = keep(lambda child: child.say(Failed("ModelLoadError: no detector")).end("exit code 1"))
    assert kept.shard.live() == Death("died", "ModelLoadError: no detector")


def test_one_that_cannot_be_started_is_a_death(keep: Keep) -> None:
    kept = keep()
    kept.launch.fails = StageError("it cannot be started: no memory")
    assert kept.shard.live() == Death("died", "it cannot be started: no memory")


def test_one_that_gives_no_sign_of_life_is_killed(keep: Keep) -> None:
    kept = keep(lambda child: child.say(BEAT).be_silent(14.0).say(BEAT).be_silent(16.0))
    death = kept.shard.live()
    assert death is not None
    assert death.cause == "hung"
    assert death.reason.startswith("no sign of life for 15 s")
    assert kept.child.killed


def test_one_has_longer_to_begin(keep: Keep) -> None:
    kept = keep(lambda child: child.be_silent(110.0).say(BEAT).end("exit code 1"))
    assert kept.shard.live() == Death("died", "exit code 1")
    assert not kept.child.killed
    kept = keep(lambda child: child.be_silent(130.0))
    death = kept.shard.live()
    assert death is not None
    assert (death.cause, kept.child.killed) == ("hung", True)


def test_one_that_grows_is_told_to_leave(keep: Keep) -> None:
    large = Beat(memory_mb=1234.0, cpu_s=1.0)
    kept = keep(lambda child: child.say(BEAT, large, large).end())
    with capture_logs() as logs:
        assert kept.shard.live() == Death("memory", "it grew to 1234 MB; 1000 MB are its bound")
    assert kept.child.told == [Leave()]
    assert not kept.child.killed
    assert "process_too_large" in [one["event"] for one in logs]


def test_one_that_grows_and_does_not_leave_is_killed(keep: Keep) -> None:
    large = Beat(memory_mb=1234.0, cpu_s=1.0)
    kept = keep(lambda child: child.say(large).be_silent(4.0).say(large).be_silent(2.0))
    death = kept.shard.live()
    assert death is not None
    assert (death.cause, kept.child.killed) == ("memory", True)


def test_a_camera_that_is_told_to_end_is_told_in_its_process_and_not_started_again(keep: Keep) -> None:
    def script(child: FakeChild) -> None:
        child.say(BEAT)

    kept = keep(script)
    deaths: list[Death | None] = []
    thread = threading.Thread(target=lambda: deaths.append(kept.shard.live()), daemon=True)
    thread.start()
    assert kept.launch.started(1)
    kept.shard.ask_to_stop("gate")
    kept.shard.ask_to_stop("elsewhere")
    assert kept.child.heard(lambda child: child.told == [StopCamera("gate")])
    assert not kept.shard.nobody.is_set()
    kept.child.end("exit code 1")
    thread.join(10)
    assert deaths == [Death("died", "exit code 1")]
    assert [one.camera_id for one in kept.shard.left] == ["yard"]
    kept.shard.ask_to_stop("yard")
    assert kept.shard.nobody.is_set()
    assert kept.shard.live() is None


def test_a_camera_that_is_told_to_end_while_its_process_starts_is_told_then(keep: Keep) -> None:
    made: list[Kept] = []

    def script(child: FakeChild) -> None:
        made[0].shard.ask_to_stop("gate")
        child.end("exit code 1")

    made.append(kept := keep(script))
    kept.shard.live()
    assert kept.child.told == [StopCamera("gate")]
