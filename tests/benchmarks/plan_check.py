"""What `streamproc plan` says beside what sites of two and four cameras take here.

    python tests/benchmarks/plan_check.py

The embedded preset over RTSP from a server in a process of its own, people walking all the time. A site is watched for
30 s once its packet rings are full. How much of the time something stands out is the plan's to be told, and is told as
the site's own metrics have it. Windows: the share of those due that came, looked at or passed by as calm; what is lost
costs less: the last column is the processor's ratio in proportion to them. `parts` is the plan without what live
cameras take beyond the parts; the figure for that, `live_share`, is fitted on the rows of two cameras, and those of
four check it.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from streamproc.config import PipelineSettings
from streamproc.planning.asked import Asked, Machine
from streamproc.planning.figures import load_figures
from streamproc.planning.plan import plan
from streamproc.planning.sampled import Stream, rates
from streamproc.site import load_preset
from streamproc.testing_bench import learned, machine, pedestrians, site

STREAMS = (Stream(640, 480, 10, 2), Stream(1280, 720, 25, 2))
CAMERAS = (2, 4)
NORMAL_S, FULL_S, WATCH_S = 50.0, 40.0, 30.0
SINK = "{kind: jsonl, path: alerts.jsonl}"


def main() -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/plan_check.py\n")
    print(f"{'':<34}{'processor, cores':^35}{'memory, MB':^27}")
    print(
        f"{'stream':<26}{'cameras':>8}{'parts':>8}"
        + f"{'plan':>8}{'took':>8}{'plan/took':>11}" * 2
        + f"{'out':>6}{'windows':>9}{'so':>7}"
    )
    preset = load_preset("embedded")
    with tempfile.TemporaryDirectory() as temporary:
        for stream in STREAMS:
            name = f"{stream.width_px}x{stream.height_px}"
            folder, size = Path(temporary) / name, (stream.width_px, stream.height_px)
            folder.mkdir()
            rules, calibration = learned(folder, pedestrians(folder / "normal.mp4", size, int(stream.fps), NORMAL_S))
            clip = pedestrians(folder / "clip.mp4", size, int(stream.fps), 28.0, begin_s=NORMAL_S)
            for cameras in CAMERAS:
                due = cameras * rates(stream, preset.sampling).windows * WATCH_S
                cores, memory_mb, looked, passed = watched(folder / f"n{cameras}", clip, cameras, rules, calibration)
                windows = looked + passed
                out = standing_out(preset, looked / windows)
                asked = Asked(preset, cameras, stream, Machine(1, 1000.0), standing_out=out)
                said = plan(asked, load_figures())
                busy = said.amount("together, when it is busy") or 0.0
                so = busy / cores * windows / due
                told = [f"{busy - (said.amount('beside each other') or 0.0):>8.2f}"]
                for planned, took in (
                    (busy, cores),
                    (said.amount("megabytes to have") or 0.0, memory_mb),
                ):
                    digits = 2 if took < 10 else 0
                    told.append(f"{planned:>8.{digits}f}{took:>8.{digits}f}{planned / took:>11.2f}")
                begins = f"{f'{name} at {stream.fps:g}/s':<26}{cameras:>8}"
                print(f"{begins}{''.join(told)}{out:>6.0%}{windows / due:>9.0%}{so:>7.2f}", flush=True)


def standing_out(preset: PipelineSettings, looked: float) -> float:
    """Share of the time, of the share of windows that were looked at."""
    calm = (preset.normality.calm_looks_per_s or 0.0) / preset.sampling.bursts_per_s
    return min(1.0, max(0.0, (looked - calm) / (1 - calm)))


def watched(folder: Path, clip: Path, cameras: int, rules: str, calibration: Path) -> tuple[float, float, float, float]:
    """Cores and megabytes that a site took, and how many windows it looked at and passed by."""
    with site(folder, clip, cameras, rules, calibration, SINK) as one:
        one.wait("windows_total", 5 * cameras, 120)
        time.sleep(FULL_S)
        looked, passed, cpu_s, began_s = one.metric("windows_total"), one.passed_by(), one.cpu_s(), time.monotonic()
        time.sleep(WATCH_S)
        took_s = time.monotonic() - began_s
        cores = (one.cpu_s() - cpu_s) / took_s
        looked, passed = one.metric("windows_total") - looked, one.passed_by() - passed
        return cores, one.memory_mb(), looked * WATCH_S / took_s, passed * WATCH_S / took_s


if __name__ == "__main__":
    main()
