"""How many cameras one machine holds with the embedded pipeline before windows drop, what each costs, and the memory.

    python tests/benchmarks/site_capacity.py

All cameras play the same footage over RTSP from a server on the same machine, whose work is part of the load but not of
the cores that are told. Busy: people walk all the time. Quiet: the same place with nobody in it, and a sensor's noise.
Each step watches for 20 s after every camera has had five windows and ten seconds to become calm, and the number grows
until a window is dropped. Windows are looked at, or passed by because nothing stands out. The cameras learned from what
comes before in the same recording.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from streamproc.testing_bench import learned, machine, pedestrians, site

CASES = (((1280, 720), 25, False), ((1280, 720), 25, True), ((640, 480), 10, False), ((640, 480), 10, True))
"""Size, pictures a second, whether nothing moves."""
STEPS = (2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)
NORMAL_S = 50.0
SETTLES_S, WATCH_S = 10.0, 20.0


def held(folder: Path, clip: Path, rules: str, calibration: Path) -> int:
    """The most cameras of which no window was dropped; a line a step is printed."""
    best = 0
    for cameras in STEPS:
        with site(
            folder / f"n{cameras}",
            clip,
            cameras,
            rules,
            calibration,
            "{kind: jsonl, path: alerts.jsonl}",
        ) as one:
            one.wait("windows_total", 5 * cameras, 120)
            time.sleep(SETTLES_S)
            windows, passed, dropped = one.metric("windows_total"), one.passed_by(), one.lost()
            cpu_s, began_s = one.cpu_s(), time.monotonic()
            time.sleep(WATCH_S)
            took_s = time.monotonic() - began_s
            cores = (one.cpu_s() - cpu_s) / took_s
            lost = one.lost() - dropped
            rate, calm = (one.metric("windows_total") - windows) / took_s, (one.passed_by() - passed) / took_s
            print(
                f"{cameras:>8}{rate:>11.1f}{calm:>11.1f}{lost:>9.0f}{cores:>7.2f}{60 * cores / cameras:>15.1f}"
                f"{one.memory_mb():>11.0f}",
                flush=True,
            )
        if lost:
            break
        best = cameras
    return best


def main() -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/site_capacity.py")
    told = []
    with tempfile.TemporaryDirectory() as temporary:
        for size, fps, still in CASES:
            name = f"{size[0]}x{size[1]}, {fps} fps, {'quiet' if still else 'busy'}"
            folder = Path(temporary) / name.replace(", ", "-").replace(" ", "")
            folder.mkdir()
            print(f"\n{name}")
            heads = f"{'cameras':>8}{'looked/s':>11}{'passed/s':>11}{'dropped':>9}{'cores':>7}"
            print(f"{heads}{'s/camera-min':>15}{'memory MB':>11}")
            rules, calibration = learned(folder, pedestrians(folder / "normal.mp4", size, fps, NORMAL_S))
            clip = pedestrians(folder / "clip.mp4", size, fps, 28.0, begin_s=NORMAL_S, still=still)
            told.append((name, held(folder, clip, rules, calibration)))
    print()
    for name, cameras in told:
        print(f"held without a drop, {name}: {cameras} cameras")


if __name__ == "__main__":
    main()
