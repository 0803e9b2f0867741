"""Sixteen live cameras of 360x240 on this machine: what is lost, and whether the events are caught.

    python tests/benchmarks/gate_live.py DIR [--cameras 16]      # DIR: train/, test/, labels.csv of UCSD Ped2

Each camera plays, over RTSP from a server on the same machine, two normal clips that were not learned from, then one of
the six labelled clips or, on all further cameras, a normal one, then a normal one again: the cuts are everybody's.
The embedded preset as it is shipped, with what it learned from eight other normal clips. An alert is the
event's if it opens while the labelled clip plays, or within two seconds after, by the stream's own time. Windows are
looked at, passed by because nothing stands out, or lost: busy, where the machine did not keep up; shed, where a camera
looked away for it.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from datetime import UTC, datetime
from itertools import cycle, islice, pairwise
from pathlib import Path

import structlog

from streamproc.backtest.benchmark import of_folders
from streamproc.backtest.split import learning_from
from streamproc.testing_bench import Running, learned, machine, site
from streamproc.testing_footage import film, read_pictures

LEARNED = tuple(f"{number:02d}" for number in range(1, 9))
SINK = "{kind: jsonl, path: alerts.jsonl}"
LATE_S, SETTLES_S = 2.0, 10.0
PHASES = ("all normal", "six with an event", "all normal again")


def so_far(one: Running) -> tuple[float, ...]:
    """Seconds, processor seconds, windows looked at, passed by, lost by cause, and packets that were not decoded."""
    busy, shed = (one.metric("windows_dropped_total", f'cause="{cause}"') for cause in ("busy", "shed"))
    windows = one.metric("windows_total"), one.passed_by()
    return time.monotonic(), one.cpu_s(), *windows, busy, shed, one.metric("packets_dropped_total")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ped2", type=Path)
    parser.add_argument("--cameras", type=int, default=16)
    flags = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    root: Path = flags.ped2
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print(f"command: python tests/benchmarks/gate_live.py DIR --cameras {flags.cameras}")
    bench = learning_from(of_folders(root / "train", root / "test", root / "labels.csv"), LEARNED)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rules, calibration = learned(folder, *bench.normal)
        before, after = bench.held_out[:2], bench.held_out[2]
        third = [*bench.test, *islice(cycle(bench.held_out), flags.cameras)][: flags.cameras]
        clips = []
        for number, clip in enumerate(third):
            parts = (*before, clip, after)
            clips.append(film((p for part in parts for p in read_pictures(part)), folder / f"{number:02}.mp4"))
        frames = {part: sum(1 for _ in read_pictures(part)) for part in (*before, *third, after)}
        begins_s = sum(frames[part] for part in before) / 10
        with site(folder / "site", clips, flags.cameras, rules, calibration, SINK) as one:
            one.wait("windows_total", flags.cameras, 120)
            time.sleep(SETTLES_S)
            told = [so_far(one)]
            for seconds in (begins_s - SETTLES_S - 2, max(frames.values()) / 10 + 2, frames[after] / 10 - 2):
                time.sleep(seconds)
                told.append(so_far(one))
        opened = []
        lines = (folder / "site" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
        for data in (json.loads(line)["data"] for line in lines):
            if data["action"] == "open":
                place_s = max(caption["pts_s"] for caption in data["captions"])  # recordings' times are the stream's
                opened.append((data["camera"]["id"], place_s, data["reason"]))
    print(
        f"\n{'':<34}{'cores':>7}{'CPU-s/camera-min':>18}{'looked/s':>10}{'passed/s':>10}{'busy':>7}{'shed':>7}{'undecoded':>11}"
    )
    for what, (then, now) in zip(PHASES, pairwise(told), strict=True):
        took_s, cpu_s, looked, passed, busy, shed, undecoded = (
            late - early for early, late in zip(then, now, strict=True)
        )
        each = f"{cpu_s / took_s:>7.2f}{60 * cpu_s / took_s / flags.cameras:>18.1f}"
        rates = f"{looked / took_s:>10.1f}{passed / took_s:>10.1f}"
        print(f"{f'{what}, {took_s:.0f} s':<34}{each}{rates}{busy:>7.0f}{shed:>7.0f}{undecoded:>11.0f}")
    caught = 0
    for number, clip in enumerate(third[: len(bench.test)]):
        ends_s = begins_s + frames[clip] / 10 + LATE_S
        own = [one for one in opened if one[0] == f"cam{number:02}" and begins_s <= one[1] <= ends_s]
        caught += bool(own)
        first = f"{own[0][1] - begins_s:.1f} s in: {own[0][2]}" if own else "none"
        print(f"  clip {clip.stem}: {first}")
        opened = [one for one in opened if one not in own]
    print(f"events caught: {caught} of {min(len(bench.test), flags.cameras)}; other alerts: {len(opened)}")
    for camera, place, reason in opened:
        print(f"  {camera}, {place:.1f} s: {reason}")


if __name__ == "__main__":
    main()
