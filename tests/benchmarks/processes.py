"""What it costs to watch cameras in one process, and in several: processor time, lag, memory, and what crosses.

    python tests/benchmarks/processes.py

Cameras play real footage over RTSP from a server in a process of its own, whose work is not counted. "1" is the
site's own process; "+2" is the site's own and two that watch. Each row watches for 20 s after every camera has had
three windows; processor time and memory are those of all processes together, and the site's end takes each window and
packet and keeps none. Lag: from receipt of a window's last picture until the site has the window.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np

from streamproc.camera import CameraUnit, UnitSettings
from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration
from streamproc.observability.metrics import Metrics
from streamproc.observing import ObserverModels
from streamproc.runtime.clock import SystemClock
from streamproc.shards import wire
from streamproc.shards.child import COMMAND, Launcher
from streamproc.shards.fleet import Fleet
from streamproc.shards.hearing import Hearing
from streamproc.shards.orders import CameraOrders, Orders, PacketsReceived, row_of
from streamproc.shards.telling import RemoteEmit
from streamproc.site import load_preset
from streamproc.testing_bench import machine, memory_mb, pedestrians, processor_s
from streamproc.testing_rtsp import RtspServer
from streamproc.testing_sources import FakeObserver
from streamproc.types import CameraFault, CameraState, DropCause, ObservedWindow, Packet, PacketBatch, StreamInfo

CALIBRATION = Path(__file__).parents[1] / "integration" / "site" / "rules" / "two.normality.json"
WATCH_S = 20.0
ROWS = (
    *((2, cameras, processes) for cameras in (2, 8, 16) for processes in (0, 1, 2, 4)[: cameras.bit_length()]),
    *((1, 8, processes) for processes in (0, 1, 2)),
    *((0, cameras, processes) for cameras in (2, 4) for processes in (0, 1, 2)),
)
"""Pictures a second (0: the embedded preset, tracked and measured), cameras, processes that watch."""
SAMPLING = {0: load_preset("embedded").sampling} | {
    pictures: SamplingSettings(bursts_per_s=float(pictures), burst_frames=1) for pictures in (1, 2)
}


# ---- one row, in a process of its own


class Taking:
    """The site's end: counts."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []
        self.windows: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.packets_seen = 0

    def packets(self, batch: PacketBatch) -> None:
        self.packets_seen += len(batch.packets)

    def main_packets(self, batch: PacketBatch) -> None: ...
    def state(self, state: CameraState) -> None: ...
    def main_state(self, state: CameraState) -> None: ...
    def fault(self, camera_id: str, fault: CameraFault) -> None: ...
    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None: ...

    def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:
        self.drops[cause] += count

    def window(self, observed: ObservedWindow) -> None:
        self.lags_s.append((datetime.now(UTC) - observed.window.captured_at).total_seconds())
        self.windows[observed.window.camera_id] += 1


def unobserved(orders: Orders) -> Callable[[CameraOrders, RemoteEmit], CameraUnit]:
    """Units whose windows nobody looks at, for a process."""
    return lambda one, emit: CameraUnit(one.settings, emit, SystemClock(), lambda _: FakeObserver(), first_run=1)


def row(pictures: int, cameras: int, processes: int, url: str) -> None:
    """Watch, and print what was found as JSON."""
    taking, clock, store = Taking(), SystemClock(), ModelStore()
    settings = settings_of(pictures, cameras, url)
    calibration = None if pictures else Calibration.load(CALIBRATION)
    units: Sequence[Any]
    if processes:
        hearings = {one.camera.id: Hearing(one, taking, lambda: calibration, clock) for one in settings}
        command = (sys.executable, "-P", __file__, "unobserved") if pictures else COMMAND
        launch = Launcher(store.cache_dir, "console", "warning", command)
        metrics = Metrics(hearings)
        fleet = Fleet(hearings, processes, launch, clock, metrics, lambda _: 4000.0)
        units = [fleet.unit(one) for one in hearings]
    else:
        units = in_process(settings, pictures, taking)
    for unit in units:
        unit.start()
    until = time.monotonic() + 90
    while len(taking.windows) < cameras or min(taking.windows.values()) < 3:
        if time.monotonic() > until:
            raise SystemExit(f"no windows: {taking.windows} {taking.drops}")
        time.sleep(0.2)
    began, cpu = time.monotonic(), processor_s(os.getpid())
    taking.lags_s.clear()
    taking.drops.clear()
    time.sleep(WATCH_S)
    took_s = time.monotonic() - began
    used = processor_s(os.getpid()) - cpu
    lags = np.array(taking.lags_s)
    found = {
        "cpu": used / cameras / took_s * 60,
        "cores": used / took_s,
        "rate": len(lags) / took_s / cameras,
        "p50": float(np.median(lags)) * 1e3,
        "p95": float(np.quantile(lags, 0.95)) * 1e3,
        "dropped": sum(taking.drops.values()),
        "memory": memory_mb(os.getpid()),
    }
    for unit in units:
        unit.ask_to_stop()
    for unit in units:
        unit.stop(5)
    print(json.dumps(found), flush=True)
    os._exit(0)


def settings_of(pictures: int, cameras: int, url: str) -> list[UnitSettings]:
    sampling = SAMPLING[pictures]
    return [
        UnitSettings(CameraSettings(id=f"cam{n:02}", main=f"{url}{n:02}"), sampling, PyavDecoder(), NormalitySettings())
        for n in range(cameras)
    ]


def in_process(settings: Sequence[UnitSettings], pictures: int, taking: Taking) -> list[CameraUnit]:
    if pictures:
        return [CameraUnit(one, taking, SystemClock(), lambda _: FakeObserver()) for one in settings]
    models, calibration = ObserverModels(ModelStore()), Calibration.load(CALIBRATION)
    return [CameraUnit(one, taking, SystemClock(), partial(models.observer, lambda: calibration)) for one in settings]


# ---- the interpreter's lock


def lock(pictures: int, cameras: int, url: str) -> None:
    """How long cameras keep the interpreter's lock from a thread that always wants it."""
    taking = Taking()
    units = in_process(settings_of(pictures, cameras, url), pictures, taking)
    for unit in units:
        unit.start()
    while len(taking.windows) < cameras:
        time.sleep(0.2)
    print(json.dumps({"held": spin(15.0) / cameras}), flush=True)
    os._exit(0)


def spin(seconds: float) -> float:
    """Share of the time in which this thread wanted the lock and had not got it.

    That is when it neither ran nor waited for a processor, as the kernel counts it.
    """
    thread = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")

    def ready_s() -> float:
        ran_ns, waited_ns, _ = map(int, thread.read_text(encoding="ascii").split())
        return (ran_ns + waited_ns) / 1e9

    began, ready = time.monotonic(), ready_s()
    while time.monotonic() < began + seconds:
        for _ in range(1000):
            pass
    took_s = time.monotonic() - began
    return (took_s - (ready_s() - ready)) / took_s


# ---- what crosses


def over_pipe(pictures: list[np.ndarray[Any, Any]], n: int) -> tuple[float, float]:
    ours, theirs = Pipe()

    def take() -> None:
        for _ in range(n):
            theirs.recv()
            theirs.send_bytes(b"1")

    def give() -> None:
        ours.send(pictures)
        ours.recv_bytes()

    return crossed(give, take, n)


def over_wire(pictures: list[np.ndarray[Any, Any]], n: int) -> tuple[float, float]:
    ours, theirs = socket.socketpair()

    def take() -> None:
        for _ in range(n):
            wire.receive(theirs)
            theirs.send(b"1")

    def give() -> None:
        wire.send(ours, pictures)
        ours.recv(1)

    return crossed(give, take, n)


def over_shared_memory(pictures: list[np.ndarray[Any, Any]], n: int) -> tuple[float, float]:
    """Each window in memory of its own, which goes when its last picture does."""
    import mmap

    ours, theirs = socket.socketpair()
    page = mmap.PAGESIZE

    def take() -> None:
        for _ in range(n):
            size, fds, _, _ = socket.recv_fds(theirs, 1000, 1)
            at = 0
            for shape in pickle.loads(size):  # noqa: S301 - our own
                length = int(np.prod(shape))
                mapped = mmap.mmap(fds[0], length, flags=mmap.MAP_PRIVATE, offset=at)
                np.frombuffer(mapped, np.uint8)[::page].max()  # looked at, as a picture is
                at += -(-length // page) * page
            os.close(fds[0])
            theirs.send(b"1")

    def give() -> None:
        fd, at = os.memfd_create("window"), 0
        for picture in pictures:
            os.pwrite(fd, picture.data, at)
            at += -(-picture.nbytes // page) * page
        os.ftruncate(fd, at)
        socket.send_fds(ours, [pickle.dumps([one.shape for one in pictures])], [fd])
        os.close(fd)
        ours.recv(1)

    return crossed(give, take, n)


def crossed(give: Callable[[], None], take: Callable[[], None], n: int) -> tuple[float, float]:
    """Processor milliseconds a window, of both processes, and the median of milliseconds until it was taken."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pid = os.fork()
    if not pid:
        take()
        os._exit(0)
    cpu, took = time.process_time(), []
    for _ in range(n):
        began = time.perf_counter()
        give()
        took.append(time.perf_counter() - began)
        time.sleep(0.005)
    cpu = time.process_time() - cpu
    os.waitpid(pid, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu / n * 1e3, float(np.median(took)) * 1e3


def crossing() -> None:
    print("a window's pictures handed to another process: processor ms of both, and ms until they were taken")
    print(f"{'':<22}{'pickled, by a pipe':>22}{'beside the pickle':>22}{'shared memory':>22}")
    for count, (width, height) in ((1, (640, 360)), (2, (640, 360)), (10, (640, 360)), (4, (1280, 720))):
        pictures = [np.full((height, width, 3), 7, np.uint8) for _ in range(count)]
        ways = [way(pictures, 100) for way in (over_pipe, over_wire, over_shared_memory)]
        print(f"{f'{count} of {width}x{height}':<22}" + "".join(f"{f'{cpu:.1f}, {ms:.1f}':>22}" for cpu, ms in ways))


def packets() -> None:
    stream = StreamInfo("h264", 1280, 720, 25.0, bytes(60))
    print("\npackets of 8 kB told to another process: processor us a packet, of both")
    for together in (1, 4, 12, 25):
        ours, theirs = socket.socketpair()
        one = row_of(Packet("cam", 1, 0.0, 0.0, datetime.now(UTC), True, bytes(8000)))
        told = PacketsReceived(stream, (one,) * together, main=False)

        def take(theirs: socket.socket = theirs) -> None:
            for _ in range(200):
                event = wire.receive(theirs)
                PacketBatch(event.stream, tuple(Packet("cam", *row) for row in event.rows))
                theirs.send(b"1")

        def give(ours: socket.socket = ours, told: PacketsReceived = told) -> None:
            wire.send(ours, told)
            ours.recv(1)

        cpu, _ = crossed(give, take, 200)
        print(f"{together:>4} at once{cpu / together * 1e3:>8.0f}")


# ---- all of it


@contextmanager
def served(size: tuple[int, int], fps: int, folder: Path) -> Iterator[str]:
    clip = pedestrians(folder / f"{size[1]}.mp4", size, fps, 40.0)
    with RtspServer({f"cam{n:02}": clip for n in range(16)}, endless=True) as server:
        yield server.url("cam")


def found(*argv: object) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, "-P", __file__, *map(str, argv)], stdout=subprocess.PIPE, text=True, check=False, timeout=200
    )
    return json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 and run.stdout else {}


def main() -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/processes.py\n")
    crossing()
    packets()
    with tempfile.TemporaryDirectory() as temporary:
        heading = (
            "what",
            "cameras",
            "processes",
            "cpu s/camera-min",
            "cores",
            "windows/s",
            "dropped",
            "lag p50 ms",
            "p95 ms",
            "MB",
        )
        for what, size, fps in (("sampling", (1280, 720), 25), ("embedded", (640, 480), 10)):
            print(f"\n{what}, {size[0]}x{size[1]} at {fps} pictures/s")
            print("".join(f"{name:>18}" if index else f"{name:<16}" for index, name in enumerate(heading)))
            with served(size, fps, Path(temporary)) as url:
                for pictures, cameras, processes in ROWS:
                    if bool(pictures) != (what == "sampling"):
                        continue
                    name = f"{pictures} picture{'s' * (pictures > 1)}/s" if pictures else "observed"
                    one = found("row", pictures, cameras, processes, url)
                    if not one:
                        print(
                            f"{name:<16}{cameras:>18}{f'+{processes}' if processes else '1':>18}   no figures",
                            flush=True,
                        )
                        continue
                    print(
                        f"{name:<16}{cameras:>18}{f'+{processes}' if processes else '1':>18}{one['cpu']:>18.2f}"
                        f"{one['cores']:>18.2f}{one['rate']:>18.2f}{one['dropped']:>18.0f}{one['p50']:>18.0f}"
                        f"{one['p95']:>18.0f}{one['memory']:>18.0f}",
                        flush=True,
                    )
                for pictures, cameras in ((2, 4), (2, 8)) if what == "sampling" else ((0, 2),):
                    held = [found("lock", pictures, cameras, url).get("held", float("nan")) for _ in range(3)]
                    print(
                        f"the interpreter's lock, {cameras} cameras: {np.median(held) * 1e3:.1f} ms a second and camera"
                    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["unobserved", *fds]:
            from streamproc.shards import process

            sys.argv[1:] = fds
            process.main(unobserved)
        case ["row", pictures, cameras, processes, url]:
            row(int(pictures), int(cameras), int(processes), url)
        case ["lock", pictures, cameras, url]:
            lock(int(pictures), int(cameras), url)
        case _:
            main()
