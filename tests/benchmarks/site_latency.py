"""Latency from capture to topic at four loads: receipt of a window's last picture until the broker's timestamp.

    python tests/benchmarks/site_latency.py [--held CAMERAS]

640x480 10 fps cameras of real footage over RTSP, the embedded pipeline, a development broker on the same machine; as
many cameras as are a quarter, half, three quarters and nine tenths of those that `site_capacity.txt` says are held. A
rule that is always met makes windows alerts with pictures and clips, twice a second and camera, so that there is much
to measure: more work than any site has.

Each load twice: cameras that begin up to a second apart, by their names, as real ones have no beat in common; and
cameras that begin as they connect, within tens of milliseconds of each other, so that all are looked at at once. When
in a tenth of a second, which is their period, pictures came is told with each.

`decode` lasts from receipt to the picture, waiting included; `observe` is the detector, the tracker and the
measurements; `evidence` is everything from the alert's decision to the topic. The last line is all that is neither a
model nor sampling: what is left of the whole without `observe` and `perception`. Draws `site_latency.png` too, whose
stages are those of cameras begun apart.
"""

from __future__ import annotations

import argparse
import cmath
import json
import re
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from kafka import KafkaConsumer
from matplotlib.figure import Figure

from streamproc.demo.broker import DevBroker
from streamproc.testing_bench import ALWAYS_BROKEN, machine, pedestrians, site

FIXTURES = Path(__file__).parents[1] / "integration" / "site" / "rules"
SHARES = (0.25, 0.5, 0.75, 0.9)
WATCH_S = 60.0
APART_S, PERIOD_S = 1.0, 0.1
WHOLE, REST = "capture to topic", "neither model nor sampling"
MODELS = ("observe", "perception")


def latencies(
    folder: Path, clip: Path, cameras: int, apart_s: float
) -> tuple[dict[str, list[float]], list[float], float, float]:
    """Seconds of each alert by part, each camera's phase in seconds, the windows dropped, and the cores taken."""
    parts: dict[str, list[float]] = {}
    turns: dict[str, list[complex]] = {}
    with DevBroker(folder / "broker") as broker:
        sink = f'{{kind: kafka, bootstrap_servers: ["{broker.bootstrap}"]}}'
        calibration = FIXTURES / "two.normality.json"
        with site(
            folder / "site", clip, cameras, ALWAYS_BROKEN, calibration, sink, update_every_s=0.5, apart_s=apart_s
        ) as one:
            one.wait("windows_total", 10 * cameras, 120)
            since, cpu_s = datetime.now(UTC), one.cpu_s()
            time.sleep(WATCH_S)
            dropped, cores = one.lost(), (one.cpu_s() - cpu_s) / WATCH_S
        consumer = KafkaConsumer(
            "streamproc.alerts",
            bootstrap_servers=broker.bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=3000,
        )
        for record in consumer:
            data = json.loads(record.value)["data"]
            captured = datetime.fromisoformat(data["captured_at"])
            if data["action"] == "resolve" or captured < since:
                continue
            told = {stage: value_ms / 1e3 for stage, value_ms in data["pipeline"]["latency_ms"].items()}
            told["evidence"] = record.timestamp / 1e3 - datetime.fromisoformat(data["published_at"]).timestamp()
            whole = record.timestamp / 1e3 - captured.timestamp()
            turns.setdefault(data["camera"]["id"], []).append(
                cmath.exp(2j * cmath.pi * captured.timestamp() / PERIOD_S)
            )
            rest = whole - sum(told[stage] for stage in MODELS)
            for stage, value in {**told, WHOLE: whole, REST: rest}.items():
                parts.setdefault(stage, []).append(value)
        consumer.close()
    phases = [cmath.phase(sum(one)) / (2 * cmath.pi) % 1 * PERIOD_S for _, one in sorted(turns.items())]
    return parts, phases, dropped, cores


def draw(p95: dict[str, list[float]], together: list[float], cameras: list[int], path: Path) -> None:
    """What is reached in 95 of 100 alerts, by load; ``together``: the rest where cameras began together."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for stage, values in p95.items():
        axes.plot(cameras, [1e3 * value for value in values], marker="o", label=stage)
    label = f"{REST},\nbegun together"
    axes.plot(cameras, [1e3 * value for value in together], marker="x", linestyle=":", color="0.3", label=label)
    axes.axhline(50, color="0.6", linestyle="--", linewidth=0.8)
    axes.set(xlabel="cameras", ylabel="ms at p95", yscale="log")
    figure.legend(fontsize=7, loc="outside right upper")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--held", type=int, help="cameras that are the whole load; as site_capacity.txt says if left out"
    )
    flags = parser.parse_args()
    said = re.search(r"640x480, 10 fps, busy: (\d+)", Path(__file__).with_name("site_capacity.txt").read_text("utf-8"))
    held = flags.held or (int(said[1]) if said else 0)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print(" ".join(["command: python tests/benchmarks/site_latency.py", *sys.argv[1:]]))
    numbers = [max(1, round(share * held)) for share in SHARES]
    p95: dict[float, dict[str, list[float]]] = {APART_S: {}, 0.0: {}}
    with tempfile.TemporaryDirectory() as temporary:
        clip = pedestrians(Path(temporary) / "clip.mp4", (640, 480), 10, 40.0)
        for share, cameras in zip(SHARES, numbers, strict=True):
            for apart_s, reached in p95.items():
                parts, phases, dropped, cores = latencies(
                    Path(temporary) / f"{apart_s:g}-{share:g}", clip, cameras, apart_s
                )
                when = "apart" if apart_s else "together"
                print(f"\n{share:.0%} of {held} cameras: {cameras}, begun {when}, {cores:.2f} cores")
                at_ms = ", ".join(f"{1e3 * phase:.0f}" for phase in phases)
                print(f"pictures at {at_ms} ms of each tenth of a second")
                print(f"{len(parts[WHOLE])} alerts, {dropped:.0f} windows dropped; seconds")
                print(f"{'':<28}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
                for stage, values in parts.items():
                    p50, p95_s, p99 = np.percentile(values, (50, 95, 99))
                    reached.setdefault(stage, []).append(p95_s)
                    print(f"{stage:<28}{p50:>8.3f}{p95_s:>8.3f}{p99:>8.3f}{max(values):>8.3f}", flush=True)
    draw(p95[APART_S], p95[0.0][REST], numbers, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
