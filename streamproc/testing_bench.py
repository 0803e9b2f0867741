"""Sites of any number of cameras for measurements: one clip served over RTSP, `streamproc run` as a process."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from streamproc.demo.broker import free_port
from streamproc.models.store import ModelStore
from streamproc.testing_rtsp import RtspServer

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def machine() -> str:
    """What this is measured on, in one line."""
    name = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*: (.*)", cpuinfo.read_text(encoding="utf-8"))
        name = found.group(1) if found else platform.machine()
    return (
        f"{os.cpu_count()} cores of {name}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at start"
    )


def pedestrians(path: Path, size: tuple[int, int], fps: int, seconds: float) -> Path:
    """Real footage of ``size`` (width, height) as H.264, a keyframe every two seconds; nearest pictures at ``fps``."""
    pictures = []
    with av.open(str(ModelStore().ensure("vtest"))) as source:
        for frame in source.decode(video=0):
            pictures.append(cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA))
            if len(pictures) >= seconds * 10:
                break
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, "yuv420p", 2 * fps
        stream.options = {"preset": "veryfast", "bf": "0", "crf": "23"}
        for index in range(int(len(pictures) * fps / 10)):
            picture = np.ascontiguousarray(pictures[min(len(pictures) - 1, index * 10 // fps)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """A site under measurement."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def metric(self, name: str) -> float:
        """Sum of a metric's samples, over all labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
        return sum(float(value) for found, _, value in _SAMPLE.findall(page) if found == f"streamproc_{name}")

    def cpu_s(self) -> float:
        """Processor seconds of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident megabytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def wait(self, name: str, least: float, within_s: float) -> None:
        """Until the sum of a metric is at least ``least``."""
        ends = time.monotonic() + within_s
        while True:
            try:
                if self.metric(name) >= least:
                    return
            except OSError:
                pass
            if time.monotonic() > ends or self.process.poll() is not None:
                raise RuntimeError(f"{name} stayed below {least:g}; see {self.folder / 'run.log'}")
            time.sleep(0.5)


@contextmanager
def site(
    folder: Path, clip: Path, cameras: int, rules: str, calibration: Path, sink: str, *, update_every_s: float = 10.0
) -> Iterator[Running]:
    """A site of ``cameras`` cameras that all play ``clip``; ``rules`` is the rule file's text after its ``camera``."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    names = [f"cam{number:02}" for number in range(cameras)]
    port = free_port()
    with RtspServer(dict.fromkeys(names, clip)) as server:
        rows = []
        for name in names:
            text = f"schema_version: 1\nsite: bench\ncamera: {name}\nversion: 1\n{rules}"
            (folder / "rules" / f"{name}.yaml").write_text(text, encoding="utf-8")
            (folder / "rules" / f"{name}.normality.json").write_bytes(calibration.read_bytes())
            rows.append(f"  - {{id: {name}, main: '{server.url(name)}', rules: rules/{name}.yaml}}")
        (folder / "site.yaml").write_text(
            "schema_version: 1\nsite: {id: bench}\npipeline: embedded\ncameras:\n"
            + "\n".join(rows)
            + f"\nalerts:\n  sinks:\n    - {sink}\n  outbox: var/outbox.sqlite3\n"
            + "  evidence: {directory: var/evidence}\n"
            + f"  incidents: {{update_every_s: {update_every_s}}}\n"
            + f"observability: {{port: {port}, log_level: warning}}\n",
            encoding="utf-8",
        )
        argv = [sys.executable, "-m", "streamproc.cli", "run", str(folder / "site.yaml")]
        with (folder / "run.log").open("wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            yield Running(process, port, folder)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
