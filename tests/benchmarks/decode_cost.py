"""What a camera costs from packet to window, before anything looks at it.

    python tests/benchmarks/decode_cost.py

Real footage as H.264 from a file, through the same unit as a live camera, inline: demuxing, decoding, conversion of the
planned pictures to RGB at 640 px, windows. Beside it, in the same run: every picture read with OpenCV's VideoCapture.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2

from streamproc.camera import UnitSettings
from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.footage import NormalFootage
from streamproc.runtime.clock import SystemClock
from streamproc.testing_bench import machine, pedestrians

CASES = (((640, 480), 10), ((1280, 720), 25), ((1920, 1080), 25))


def ours(clip: Path, sampling: SamplingSettings) -> tuple[float, int]:
    """Processor seconds, and windows."""
    camera = CameraSettings(id="bench", main=str(clip), realtime=False)
    settings = UnitSettings(camera, sampling, PyavDecoder(), NormalitySettings())
    began_s = time.process_time()
    windows = sum(1 for _ in NormalFootage([clip], settings, SystemClock()).windows())
    return time.process_time() - began_s, windows


def opencv(clip: Path) -> float:
    """Processor seconds to read every picture."""
    began_s = time.process_time()
    capture = cv2.VideoCapture(str(clip))
    while capture.read()[0]:
        pass
    capture.release()
    return time.process_time() - began_s


def main() -> None:
    cv2.setNumThreads(1)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/decode_cost.py\n")
    print("processor seconds a minute of video, best of three")
    print(f"{'stream':<16}{'windows, 10 pictures/s':>24}{'windows, 2 pictures/s':>24}{'OpenCV read()':>16}")
    with tempfile.TemporaryDirectory() as folder:
        for size, fps in CASES:
            clip = pedestrians(Path(folder) / f"{size[1]}.mp4", size, fps, 20.0)
            minutes = 20.0 / 60
            bursts = min(ours(clip, SamplingSettings())[0] for _ in range(3)) / minutes
            sparse = SamplingSettings(bursts_per_s=1.0)
            few = min(ours(clip, sparse)[0] for _ in range(3)) / minutes
            read = min(opencv(clip) for _ in range(3)) / minutes
            print(f"{f'{size[0]}x{size[1]}@{fps}':<16}{bursts:>24.2f}{few:>24.2f}{read:>16.2f}")


if __name__ == "__main__":
    main()
