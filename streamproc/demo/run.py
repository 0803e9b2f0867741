"""`streamproc demo`: two looping cameras, a development broker, the pipeline, and an independent consumer.

Each is a process of its own and talks to the others only as in the field: RTSP, Kafka's protocol, HTTP. This process
sets them up, shows what comes out of the topic, and ends them.
"""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import Progress, TaskID

from streamproc.demo import children, pulse
from streamproc.demo.broker import DevBroker, free_port
from streamproc.demo.consumer import AlertConsumer
from streamproc.demo.footage import CALM_S, HURRY, HURRY_S, Footage, prepare
from streamproc.demo.panel import panel
from streamproc.demo.site import CAMERAS, DemoSite, tail
from streamproc.errors import ConfigError, StreamprocError
from streamproc.models.catalog import ON_DEMAND
from streamproc.models.store import ModelStore

_READY_WITHIN_S = 90.0
_STOP_WITHIN_S = 8.0
_HEARTBEAT_S = 30.0
_TOPIC = "streamproc.alerts"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_demo(workdir: Path, video: Path | None, minutes: float | None) -> int:
    """Run the demo in ``workdir`` until Ctrl-C, SIGTERM, or for ``minutes``; 0 unless part of it failed.

    Raises:
        ConfigError: the recording cannot be used, or another demo runs in ``workdir``.
        StreamprocError: a model cannot be had, or a part did not come up or ended; with the end of its log.
    """
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=110)
    site, running = DemoSite(workdir.absolute()), list[subprocess.Popen[bytes]]()
    with _alone(site.workdir), _interruptible():
        try:
            _Demo(site, console, running).run(video, minutes)
        except KeyboardInterrupt:
            console.print("\nending …")
        finally:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # this part is short, and must be whole
            children.stop(reversed(running), _STOP_WITHIN_S)
    console.print("ended; no process is left")
    return 0


class _Demo:
    def __init__(self, site: DemoSite, console: Console, running: list[subprocess.Popen[bytes]]) -> None:
        self._site, self._console, self._running = site, console, running
        """Every process we started, in order; ended the other way round."""
        self._port = free_port()

    def run(self, video: Path | None, minutes: float | None) -> None:
        began = time.monotonic()
        footage = self._footage(video)
        with self._step("the development broker and two cameras"):
            bootstrap, base = self._broker(), self._cameras(footage)
        self._site.write(base, bootstrap, self._port)
        if self._site.learnt(footage.normal):
            self._console.print("  normal was learnt before; its rules are in", self._site.workdir / "rules")
        else:
            with self._step("learning what is normal on each camera, from the normal clip alone"):
                self._site.learn(footage.normal, self._running)
        with AlertConsumer(bootstrap, _TOPIC) as consumer:
            with self._step("the pipeline"):
                self._pipeline()
            self._console.print(f"set up in {time.monotonic() - began:.0f} s\n")
            self._explain(footage, bootstrap)
            self._watch(consumer, None if minutes is None else time.monotonic() + minutes * 60)

    def _footage(self, video: Path | None) -> Footage:
        store = ModelStore()
        with self._step("models and footage", spins=False):
            for asset in store.list():
                if asset.role not in ON_DEMAND:
                    store.ensure(asset.name)
            recording = video or store.ensure("vtest")
        bars, tasks = Progress(console=self._console), dict[str, TaskID]()

        def tell(clip: str, done: int, total: int) -> None:
            if not tasks:
                bars.start()
            if clip not in tasks:
                tasks[clip] = bars.add_task(f"cutting the clip {clip}", total=total)
            bars.update(tasks[clip], completed=done)

        try:
            return prepare(recording, store.cache_dir, tell)
        finally:
            if tasks:
                bars.stop()

    def _broker(self) -> str:
        broker = DevBroker(self._site.workdir / "broker")
        broker.start()
        if broker.process is not None:
            self._running.append(broker.process)
        return broker.bootstrap

    def _cameras(self, footage: Footage) -> str:
        argv: list[str | Path] = [sys.executable, "-m", "streamproc.demo.rtsp_server"]
        for camera, clip in (("one", footage.one), ("two", footage.two)):
            argv += ["--camera", f"{camera}={clip}"]
        server = self._spawn("cameras", argv, stdout=subprocess.PIPE)
        line = children.first_line(server, _READY_WITHIN_S)
        if not line.startswith("ready "):
            raise StreamprocError(f"the cameras did not come up:\n{tail(self._site.log('cameras'))}")
        return line.split()[1].rpartition("/")[0]

    def _pipeline(self) -> None:
        self._spawn("pipeline", [sys.executable, "-m", "streamproc.cli", "run", self._site.file])
        self._until(lambda: pulse.ready(self._port), "the pipeline")
        self._until(lambda: len(pulse.pulses(self._port)) == len(CAMERAS), "the cameras' metrics")

    def _spawn(self, name: str, argv: list[str | Path], stdout: int | None = None) -> subprocess.Popen[bytes]:
        log = self._site.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            process = children.spawn(argv, stdout=out if stdout is None else stdout, stderr=out)
        self._running.append(process)
        return process

    def _until(self, true: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + _READY_WITHIN_S
        while not true():
            self._check_alive()
            if time.monotonic() > until:
                raise StreamprocError(f"{what}: not ready after {_READY_WITHIN_S:.0f} s\n{self._said()}")
            time.sleep(0.2)

    def _check_alive(self) -> None:
        for process in self._running:
            if process.poll() is not None:
                raise StreamprocError(f"a part of the demo ended with exit code {process.returncode}\n{self._said()}")

    def _said(self) -> str:
        log = self._site.log("pipeline")
        return f"{log}:\n{tail(log)}"

    def _watch(self, consumer: AlertConsumer, until: float | None) -> None:
        began, shown = time.monotonic(), 0
        due = began + _HEARTBEAT_S
        while until is None or time.monotonic() < until:
            for received in consumer.read(within_s=0.5):
                if not shown:
                    self._console.print(f"the first alert, {time.monotonic() - began:.0f} s after set-up:")
                shown += 1
                self._console.print(panel(received))
            self._check_alive()
            if time.monotonic() >= due:
                due += _HEARTBEAT_S
                heartbeat = pulse.sentence(pulse.pulses(self._port))
                self._console.print(f"{time.strftime('%H:%M:%S')}  {heartbeat}", soft_wrap=True)
        self._console.print(f"time is up after {shown} message(s)")

    def _explain(self, footage: Footage, bootstrap: str) -> None:
        self._console.print(
            f"Two cameras play real footage over RTSP, in a loop; each was learnt from a part that neither plays.\n"
            f"Camera one plays the rest of it as it was filmed and should stay quiet.\n"
            f"Camera two does too for up to {CALM_S} s, then at {HURRY} times the speed for {HURRY_S} s: "
            f"[bold]the hurry is simulated[/].\n"
            f"Its loop lasts {footage.two_s:.0f} s; each loop is a new run for the pipeline.\n"
            f"The broker at {bootstrap} is a [bold]development broker[/], not for alerts that matter.\n"
            f"The captioner is an [bold]embedded stand-in[/] for a vision-language model.\n"
            f"What follows was read from the topic {_TOPIC} by an independent consumer. Metrics: "
            f"http://127.0.0.1:{self._port}/metrics\n"
            f"Files: {self._site.workdir} (try an edit in rules/). Ctrl-C ends everything.\n",
            soft_wrap=True,
        )

    @contextmanager
    def _step(self, what: str, *, spins: bool = True) -> Iterator[None]:
        self._console.print(f"{what} …")
        began = time.monotonic()
        with self._console.status("working") if spins else nullcontext():
            yield
        self._console.print(f"  done in {time.monotonic() - began:.1f} s")


@contextmanager
def _alone(workdir: Path) -> Iterator[None]:
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"another demo runs in {workdir}; end it, or give another --workdir") from None
        yield


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature signals call
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
