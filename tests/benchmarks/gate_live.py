"""Sixteen live cameras of 360x240 on this machine: what is lost, and whether the events are caught.

    python tests/benchmarks/gate_live.py DIR [--cameras 16]      # DIR: train/, test/, labels.csv of UCSD Ped2

Each camera plays, over RTSP from a server on the same machine, two normal clips that were not learned from, then one of
the six labelled clips or, on all further cameras, a normal one, then a normal one again: the cuts are everybody's.
The embedded preset as it is shipped, with what it learned from eight other normal clips. An alert is the event's if it
opens while the labelled clip plays, or within two seconds after.
"""

from __future__ import annotations

import argparse
import glob
import json
import logging
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

import structlog

from streamproc.backtest.benchmark import of_folders
from streamproc.backtest.split import learning_from
from streamproc.learn import learn
from streamproc.scaffold import Scaffold
from streamproc.testing_bench import Running, machine, site
from streamproc.testing_footage import film, read_pictures

LEARNED = tuple(f"{number:02d}" for number in range(1, 9))
SINK = "{kind: jsonl, path: alerts.jsonl}"
EARLY_S, LATE_S = 1.0, 2.0
"""When a recording began is known to a second."""
CAUSES = ("busy", "shed")


def begun(one: Running, cameras: int) -> Mapping[str, datetime]:
    """When each camera's recording began, to half a second: when its first windows came."""
    at: dict[str, datetime] = {}
    ends = time.monotonic() + 120
    while len(at) < cameras:
        if time.monotonic() > ends:
            raise RuntimeError(f"not all cameras came up; see {one.folder / 'run.log'}")
        try:
            for number in range(cameras):
                name = f"cam{number:02}"
                if name not in at and one.metric("windows_total", f'camera="{name}"'):
                    at[name] = datetime.now(UTC)
        except OSError:
            pass
        time.sleep(0.2)
    return at


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ped2", type=Path)
    parser.add_argument("--cameras", type=int, default=16)
    flags = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    root: Path = flags.ped2
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print(" ".join(["command: python tests/benchmarks/gate_live.py DIR", *sys.argv[2:]]))
    bench = learning_from(of_folders(root / "train", root / "test", root / "labels.csv"), LEARNED)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draft, rules = folder / "learned.yaml", folder / "learned" / "ped2.yaml"
        Scaffold("evaluation", (("ped2", str(bench.normal[0])),), pipeline="embedded").write(draft)
        learn(draft, "ped2", [glob.escape(str(clip)) for clip in bench.normal], rules)
        before, after = bench.held_out[:2], bench.held_out[2]
        third = [*bench.test, *islice(cycle(bench.held_out), flags.cameras)][: flags.cameras]
        clips = []
        for number, clip in enumerate(third):
            parts = (*before, clip, after)
            clips.append(film((p for part in parts for p in read_pictures(part)), folder / f"{number:02}.mp4"))
        frames = {part: sum(1 for _ in read_pictures(part)) for part in (*before, *third, after)}
        begins_s = sum(frames[part] for part in before) / 10
        text = re.split(r"^version: \d+\n", rules.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
        calibration = rules.with_suffix(".normality.json")
        with site(folder / "site", clips, flags.cameras, text, calibration, SINK) as one:
            at = begun(one, flags.cameras)
            cpu_s, since_s = one.cpu_s(), time.monotonic()
            time.sleep(begins_s + max(frames.values()) / 10 + frames[after] / 10 - 3)
            took_s = time.monotonic() - since_s
            cores = (one.cpu_s() - cpu_s) / took_s
            passed, looked = one.passed_by(), one.metric("windows_total")
            dropped = {cause: one.metric("windows_dropped_total", f'cause="{cause}"') for cause in CAUSES}
            dropped["all causes"] = one.metric("windows_dropped_total")
            undecoded = one.metric("packets_dropped_total")
        opened = []
        lines = (folder / "site" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
        for data in (json.loads(line)["data"] for line in lines):
            if data["action"] == "open":
                camera = data["camera"]["id"]
                place = (datetime.fromisoformat(data["captured_at"]) - at[camera]) / timedelta(seconds=1)
                opened.append((camera, place, data["reason"]))
    each = 60 * cores / flags.cameras
    print(f"\n{flags.cameras} cameras for {took_s:.0f} s: {cores:.2f} cores, {each:.1f} CPU-s a camera-minute")
    print(f"windows looked at {looked:.0f}, passed by as calm {passed:.0f}; packets not decoded {undecoded:.0f}")
    print("windows dropped: " + ", ".join(f"{cause} {count:.0f}" for cause, count in dropped.items()))
    caught = 0
    for number, clip in enumerate(bench.test):
        ends_s = begins_s + frames[clip] / 10 + LATE_S
        own = [one for one in opened if one[0] == f"cam{number:02}" and begins_s - EARLY_S <= one[1] <= ends_s]
        caught += bool(own)
        first = f"{own[0][1] - begins_s:.1f} s in: {own[0][2]}" if own else "none"
        print(f"  clip {clip.stem}: {first}")
        opened = [one for one in opened if one not in own]
    print(f"events caught: {caught} of {len(bench.test)}; other alerts: {len(opened)}")
    for camera, place, reason in opened:
        print(f"  {camera}, {place:.1f} s: {reason}")


if __name__ == "__main__":
    main()
