"""A site's end in a process of its own, for tests that kill it: ``owner.py CAMERA=ADDRESS…``, all in one process.

It prints the number of the process that watches, once each camera was heard of, and then waits for its own end.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from streamproc.camera import UnitSettings
from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.observability import logs
from streamproc.observability.metrics import Metrics
from streamproc.runtime.clock import SystemClock
from streamproc.shards.child import ChildProcess, Launcher
from streamproc.shards.fleet import Fleet
from streamproc.shards.hearing import Hearing
from streamproc.testing_sources import RecordingEmit

HOOKED = (sys.executable, "-P", str(Path(__file__).with_name("hooked.py")))


def main() -> None:
    logs.configure()
    site, clock = RecordingEmit(), SystemClock()
    hearings: dict[str, Hearing] = {}
    for argument in sys.argv[1:]:
        name, _, address = argument.partition("=")
        camera = CameraSettings(id=name, main=address)
        settings = UnitSettings(camera, SamplingSettings(), PyavDecoder(), NormalitySettings())
        hearings[name] = Hearing(settings, site, lambda: None, clock)
    launch = Launcher(Path(), "json", "info", HOOKED)

    def noted(name: str, cameras: list[Hearing]) -> ChildProcess:
        child = launch(name, cameras)
        pids.append(child.pid)
        return child

    pids: list[int] = []
    fleet = Fleet(hearings, 1, noted, clock, Metrics(hearings), lambda _: 4000.0)  # type: ignore[arg-type]
    for name in hearings:
        fleet.unit(name).start()
    site.arrived(lambda e: {p.camera_id for b in e.batches for p in b.packets} == set(hearings), 60)
    print(pids[0], flush=True)
    threading.Event().wait(120)


if __name__ == "__main__":
    main()
