"""How many 720p cameras a machine takes pictures from, and what each costs: ours beside what people use today.

    python tests/benchmarks/cameras.py [--quick] [--only ours,floor] [--costs]

Real footage over RTSP, H.264 at 25 fps and 2 Mbit/s, from a server on the same machine: `nice` with a keyframe every
two seconds, `nasty` with one every ten and B-frames. Nothing looks at the pictures. The ways are those of
`contenders/client.py`; `floor` is the least that we know to be possible. ffmpeg is the one on PATH, or
$STREAMPROC_BENCH_FFMPEG; Roboflow's inference (`pip install inference`) stands in an environment of its own, whose
Python is $STREAMPROC_BENCH_INFERENCE; what is not there is left out.

Cameras are held where for twenty seconds every picture came and none was handed over a second later than at best. The
server's own work is part of that load and is told; it is not part of the processor seconds. Draws `cameras.png` too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from streamproc.demo import children
from streamproc.testing_bench import machine, processor_s, surveillance
from streamproc.testing_rtsp import RtspServer

CLIENT = Path(__file__).parent / "contenders" / "client.py"
WAYS = {
    "ours": "ours",
    "floor": "floor",
    "opencv-grab": "OpenCV grab",
    "opencv-read": "OpenCV read",
    "ffmpeg": "ffmpeg",
    "inference": "inference",
}
FEW = 4
"""Cameras that every way holds: what one costs is measured with them."""
ROUNDS = 2
READY_WITHIN_S = 180.0
STEP = 1.12
"""From one number of cameras to the next: held numbers are known to an eighth."""
MOST = 400
"""Cameras: a connection and some threads each."""


@dataclass(frozen=True)
class Case:
    """What is watched, how often."""

    stream: str
    keyframe_s: int
    rate: float
    """Pictures a second."""

    def __str__(self) -> str:
        return f"{self.stream}, {self.rate:g}/s"


CASES = (
    Case("nice", 2, 0.5),
    Case("nice", 2, 1.0),
    Case("nice", 2, 2.0),
    Case("nasty", 10, 1.0),
    Case("nasty", 10, 2.0),
)
"""The first is one picture a keyframe interval."""
Cells = Mapping[tuple[str, Case], float]
"""By way and case."""


@dataclass(frozen=True)
class Watched:
    """A number of cameras watched for a while."""

    cpu_s: float
    """Processor seconds a camera-minute."""
    server_cores: float
    missed: int
    lag_s: float

    @property
    def held(self) -> bool:
        return self.missed == 0 and self.lag_s < 1.0


def watch(way: str, case: Case, server: RtspServer, cameras: int, seconds: float) -> Watched | None:
    """None where the cameras could not even all be opened, or the client told nothing."""
    python = os.environ["STREAMPROC_BENCH_INFERENCE"] if way == "inference" else sys.executable
    argv = [python, CLIENT, way, server.url(case.stream), cameras, case.rate, seconds, case.keyframe_s / cameras]
    process = children.spawn([str(part) for part in argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        if children.first_line(process, READY_WITHIN_S) != "ready":
            return None
        before = processor_s(process.pid), processor_s(server.pid), datetime.now(UTC)
        told = children.first_line(process, seconds + READY_WITHIN_S)
        after = processor_s(process.pid), processor_s(server.pid), datetime.now(UTC)
    finally:
        children.stop([process])
    if not told:
        print(f"{WAYS[way]}, {cameras} cameras: nothing told, exit {process.returncode}", file=sys.stderr)
        return None
    took_s = (after[2] - before[2]).total_seconds()
    result = json.loads(told)
    cpu_s = (after[0] - before[0]) / took_s * 60 / cameras
    return Watched(cpu_s, (after[1] - before[1]) / took_s, result["missed"], result["lag_s"])


def held(way: str, case: Case, server: RtspServer, cpu_s: float, seconds: float) -> tuple[int, float]:
    """The most cameras held, and the cores that the server took with them; sought from what ``cpu_s`` a camera-minute,
    the server's included, promises, in double steps and then in a single one."""
    promised = (os.cpu_count() or 1) * 60 / cpu_s
    steps = [1]
    while steps[-1] < MOST:
        steps.append(max(steps[-1] + 1, round(steps[-1] * STEP)))
    at = max(index for index, step in enumerate(steps) if index == 0 or step <= promised)
    best, best_at, fails_at = (0, 0.0), -1, len(steps)
    while best_at < at < fails_at:
        watched = watch(way, case, server, steps[at], seconds)
        if watched is not None and watched.held:
            best, best_at = (steps[at], watched.server_cores), at
        else:
            fails_at = at
        if fails_at == len(steps):
            at = min(best_at + 2, fails_at - 1)
        elif best_at < 0:
            at = max(0, fails_at - 2)
        else:
            at = (best_at + fails_at) // 2
    return best


def available(way: str) -> str:
    """Why a way cannot be taken here; empty where it can."""
    if way == "ffmpeg":
        found = os.environ.get("STREAMPROC_BENCH_FFMPEG") or shutil.which("ffmpeg")
        os.environ["FFMPEG"] = found or ""
        return "" if found else "no ffmpeg on PATH, and STREAMPROC_BENCH_FFMPEG is not set"
    if way == "inference" and not os.environ.get("STREAMPROC_BENCH_INFERENCE"):
        return "STREAMPROC_BENCH_INFERENCE is not set"
    return ""


def draw(costs: Cells, most: Cells, path: Path) -> None:
    """A panel of processor seconds and one of cameras, a group of bars a case."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subplots(2, 1)
    _bars(above, costs, "processor seconds a camera-minute", "{:.2g}")
    _bars(below, most, "cameras held", "{:.0f}")
    above.legend(fontsize=8, ncols=3)
    figure.savefig(path, dpi=80)


def _bars(axes: Any, values: Cells, title: str, form: str) -> None:
    ways = [way for way in WAYS if any(one == way for one, _ in values)]
    cases = [case for case in CASES if any(one == case for _, one in values)]
    width = 0.8 / max(1, len(ways))
    for number, way in enumerate(ways):
        places = [index + (number - (len(ways) - 1) / 2) * width for index in range(len(cases))]
        bars = axes.bar(places, [values.get((way, case), 0) for case in cases], width, label=WAYS[way])
        axes.bar_label(bars, fmt=form, fontsize=7)
    axes.set_xticks(range(len(cases)), [str(case) for case in cases])
    axes.set_title(title, fontsize=10)
    axes.margins(y=0.15)


def measure_costs(
    ways: Sequence[str], cases: Sequence[Case], server: RtspServer, seconds: float
) -> tuple[Cells, Mapping[Case, float]]:
    """Processor seconds a camera-minute, and the server's; what else the machine does only adds to them, so the least
    of some rounds."""
    print(f"\nprocessor seconds a camera-minute: {FEW} cameras, {seconds:g} s, the least of {ROUNDS} rounds in turn")
    print(f"{'':<16}" + "".join(f"{WAYS[way]:>13}" for way in ways) + f"{'ours/floor':>13}{'server':>9}")
    costs: dict[tuple[str, Case], float] = {}
    servers: dict[Case, float] = {}
    for case in cases:
        served = math.inf
        for way in [*ways] * ROUNDS:
            if (watched := watch(way, case, server, FEW, seconds)) is not None:
                costs[way, case] = min(watched.cpu_s, costs.get((way, case), math.inf))
                served = min(watched.server_cores / FEW * 60, served)
        own, least = (costs.get((way, case), math.nan) for way in ("ours", "floor"))
        cells = "".join(f"{costs.get((way, case), math.nan):>13.2f}" for way in ways)
        print(f"{case!s:<16}{cells}{own / least:>13.2f}{served:>9.2f}", flush=True)
        servers[case] = served
    return costs, servers


def measure_held(
    costs: Cells, servers: Mapping[Case, float], ways: Sequence[str], server: RtspServer, seconds: float
) -> Cells:
    """The most cameras held."""
    print("\ncameras held on this machine (cores that the server took with them)")
    print(f"{'':<16}" + "".join(f"{WAYS[way]:>13}" for way in ways))
    most: dict[tuple[str, Case], float] = {}
    for case, served in servers.items():
        print(f"{case!s:<16}", end="", flush=True)
        for way in ways:
            if (way, case) in costs:
                most[way, case], server_cores = held(way, case, server, costs[way, case] + served, seconds)
                print(f"{f'{most[way, case]:.0f} ({server_cores:.2f})':>13}", end="", flush=True)
            else:
                print(f"{'-':>13}", end="")
        print(flush=True)
    return most


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a quarter of the time, two cases: whether it works")
    parser.add_argument("--only", default=",".join(WAYS), help=f"ways, of {', '.join(WAYS)}")
    parser.add_argument("--costs", action="store_true", help="processor seconds only, not how many cameras are held")
    flags = parser.parse_args()
    # A multiple of both keyframe intervals.
    seconds, cases = (4.0, CASES[1::2]) if flags.quick else (10.0, CASES)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print(" ".join(["command: python tests/benchmarks/cameras.py", *sys.argv[1:]]))
    ways = [way for way in WAYS if way in flags.only.split(",")]
    for way in [way for way in ways if available(way)]:
        print(f"left out: {WAYS[way]} ({available(way)})")
        ways.remove(way)
    clips = {"nice": surveillance(2, 0), "nasty": surveillance(10, 3)}
    with RtspServer(clips, endless=True) as server:
        costs, servers = measure_costs(ways, cases, server, seconds)
        if not flags.costs:
            draw(costs, measure_held(costs, servers, ways, server, 2 * seconds), Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
