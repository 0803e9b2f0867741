"""How many 640x480 10 fps cameras one machine holds with the embedded pipeline before windows drop, and the memory.

    python tests/benchmarks/site_capacity.py

All cameras play real footage over RTSP from a server on the same machine, whose work is part of the load. Each step
watches for 20 s after every camera has had five windows. The rules and the calibration are the ones the tests use.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from streamproc.testing_bench import machine, pedestrians, site

FIXTURES = Path(__file__).parents[1] / "integration" / "site" / "rules"
STEPS = (2, 4, 5, 6, 7, 8, 10, 12, 16)
WATCH_S = 20.0


def main() -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/site_capacity.py\n")
    rules = (
        "rules:\n"
        + FIXTURES.joinpath("two.yaml").read_text(encoding="utf-8").split("\nrules:\n")[1].split("\nprovenance:")[0]
        + "\n"
    )
    print(f"{'cameras':>8}{'windows/s':>11}{'dropped':>9}{'cores':>7}{'cores a camera':>16}{'memory MB':>11}")
    held = 0
    with tempfile.TemporaryDirectory() as temporary:
        clip = pedestrians(Path(temporary) / "clip.mp4", (640, 480), 10, 40.0)
        for cameras in STEPS:
            folder = Path(temporary) / f"n{cameras}"
            with site(
                folder, clip, cameras, rules, FIXTURES / "two.normality.json", "{kind: jsonl, path: alerts.jsonl}"
            ) as one:
                one.wait("windows_total", 5 * cameras, 120)
                windows, dropped, cpu, began = (
                    one.metric("windows_total"),
                    one.metric("windows_dropped_total"),
                    one.cpu_s(),
                    time.monotonic(),
                )
                time.sleep(WATCH_S)
                took_s = time.monotonic() - began
                cores = (one.cpu_s() - cpu) / took_s
                lost = one.metric("windows_dropped_total") - dropped
                rate = (one.metric("windows_total") - windows) / took_s
                print(
                    f"{cameras:>8}{rate:>11.1f}{lost:>9.0f}{cores:>7.2f}{cores / cameras:>16.2f}"
                    f"{one.memory_mb():>11.0f}",
                    flush=True,
                )
            if lost:
                break
            held = cameras
    print(f"\nheld without a drop: {held} cameras")


if __name__ == "__main__":
    main()
