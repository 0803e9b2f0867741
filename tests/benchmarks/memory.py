"""Memory a camera takes, and whether it grows.

    python tests/benchmarks/memory.py [--minutes 60] [--cameras 2] [--alerting]

Resident megabytes of the process and of all that it started, what they share counted once. First by the number of
cameras: sampling alone (720p, one picture a second, nothing looks at it), and the embedded pipeline (640x480, 10 fps,
people walking), each once its packet rings are full. Then the embedded pipeline minute by minute, without the files
that it maps (libraries, which other processes map as well); the first ten minutes are its warm-up, and what it grows by
after them is a Theil-Sen slope with its 95 % interval. Draws `memory.png` too.
With ``--alerting`` the minutes alone, with a rule that is broken all the time: evidence and messages all the time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import theilslopes

from streamproc.demo import children
from streamproc.testing_bench import ALWAYS_BROKEN, machine, memory_mb, pedestrians, rules_of, site, surveillance
from streamproc.testing_rtsp import RtspServer

FIXTURES = Path(__file__).parents[1] / "integration" / "site" / "rules"
CLIENT = Path(__file__).parent / "contenders" / "client.py"
NUMBERS = (1, 4, 8, 16)
FULL_S = 60.0
"""After which packet rings are full (30 s), and models and their buffers are there."""
WARM_UP_MIN = 10
SINK = "{kind: jsonl, path: alerts.jsonl}"


def sampling_alone(server: RtspServer, cameras: int) -> float:
    """Megabytes of our units alone."""
    argv = [sys.executable, CLIENT, "ours", server.url("nice"), cameras, 1, 2 * FULL_S, 2 / cameras]
    process = children.spawn([str(part) for part in argv], stdout=subprocess.PIPE)
    try:
        if children.first_line(process, 60) != "ready":
            raise RuntimeError(f"{cameras} cameras did not come up")
        time.sleep(FULL_S)
        return memory_mb(process.pid)
    finally:
        children.stop([process])


def embedded(folder: Path, clip: Path, cameras: int) -> float:
    """Megabytes of a site."""
    with site(folder, clip, cameras, rules_of(FIXTURES / "two.yaml"), FIXTURES / "two.normality.json", SINK) as one:
        one.wait("windows_total", 5 * cameras, 120)
        time.sleep(FULL_S)
        return one.memory_mb()


def soak(folder: Path, clip: Path, cameras: int, minutes: int, rules: str) -> list[float]:
    """Megabytes of its own at the end of each minute."""
    told: list[float] = []
    with site(folder, clip, cameras, rules, FIXTURES / "two.normality.json", SINK) as one:
        one.wait("windows_total", 5 * cameras, 120)
        began_s = time.monotonic()
        for minute in range(1, minutes + 1):
            time.sleep(max(0.0, began_s + 60 * minute - time.monotonic()))
            told.append(one.own_memory_mb())
            print(f"{told[-1]:>7.1f}", end="\n" if minute % 10 == 0 else "", flush=True)
        alerts, dropped = one.metric("alerts_decided_total"), one.metric("windows_dropped_total")
    print(f"\n{alerts:.0f} messages of alerts decided, {dropped:.0f} windows dropped")
    return told


def draw(numbers: dict[str, list[float]], minutes: Sequence[float], path: Path) -> None:
    """Megabytes by the number of cameras, and by the minute."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, values in numbers.items():
        left.plot(NUMBERS, values, marker="o", label=name)
    left.set(xlabel="cameras", ylabel="MB", ylim=(0, None))
    left.legend(fontsize=8)
    right.plot(range(1, len(minutes) + 1), minutes)
    right.axvspan(0, WARM_UP_MIN, color="0.9")
    right.set(xlabel="minutes", ylim=(0, None))
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--cameras", type=int, default=2, help="that are watched for those minutes")
    parser.add_argument("--alerting", action="store_true", help="only the minutes, with an incident that goes on")
    flags = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print(" ".join(["command: python tests/benchmarks/memory.py", *sys.argv[1:]]))
    numbers: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        clip = pedestrians(Path(temporary) / "clip.mp4", (640, 480), 10, 40.0)
        if not flags.alerting:
            print(f"\n{'MB by cameras':<20}" + "".join(f"{number:>8}" for number in NUMBERS) + f"{'a camera':>10}")
            with RtspServer({"nice": surveillance(2, 0)}, endless=True) as server:
                numbers["sampling alone"] = [sampling_alone(server, number) for number in NUMBERS]
            numbers["embedded pipeline"] = [embedded(Path(temporary) / f"n{one}", clip, one) for one in NUMBERS]
        for name, values in numbers.items():
            each = np.polyfit(NUMBERS, values, 1)[0]
            print(f"{name:<20}" + "".join(f"{value:>8.0f}" for value in values) + f"{each:>10.1f}", flush=True)
        print(
            f"\nMB of its own at the end of each of {flags.minutes} minutes, embedded pipeline, {flags.cameras} cameras"
        )
        rules = ALWAYS_BROKEN if flags.alerting else rules_of(FIXTURES / "two.yaml")
        minutes = soak(Path(temporary) / "soak", clip, flags.cameras, flags.minutes, rules)
    if len(minutes) > WARM_UP_MIN + 2:
        slope, _, low, high = theilslopes(minutes[WARM_UP_MIN:], alpha=0.95)
        told = f"{60 * slope:+.1f} MB an hour ({60 * low:+.1f} to {60 * high:+.1f})"
        print(f"growth after the first {WARM_UP_MIN} minutes: {told}")
    if numbers:
        draw(numbers, minutes, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
