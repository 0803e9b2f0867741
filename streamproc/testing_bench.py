"""Sites of any number of cameras for measurements: one clip served over RTSP, `streamproc run` as a process."""

from __future__ import annotations

import glob
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamproc.demo.broker import free_port
from streamproc.learn import learn
from streamproc.models.store import ModelStore
from streamproc.scaffold import Scaffold
from streamproc.testing_rtsp import RtspServer

_NOISE = 2.0
"""Standard deviation of a good sensor's noise by day, of 255."""
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


_Pixels = npt.NDArray[np.uint8]


def pedestrians(
    path: Path, size: tuple[int, int], fps: int, seconds: float, *, begin_s: float = 0.0, still: bool = False
) -> Path:
    """Real footage of ``size`` (width, height) as H.264, a keyframe every two seconds; nearest pictures at ``fps``.
    There are 79 s of it, the first ``begin_s`` of which are left out.

    ``still``: the same place with nobody in it, the median of the footage, seen with a sensor's noise.
    """
    shown = _at(fps, islice(_walking(size), int(begin_s * 10), int((begin_s + seconds) * 10)))
    if still:
        place = np.median(list(islice(_walking(size), 0, int(seconds * 10), 20)), axis=0)
        grain = np.random.default_rng(0)
        shown = (
            (place + grain.normal(0, _NOISE, (*size[::-1], 1))).clip(0, 255).astype(np.uint8)
            for _ in range(int(seconds * fps))
        )
    _encode(path, size, fps, shown, {"bf": "0", "crf": "23"}, keyframe_s=2)
    return path


def _at(fps: int, pictures: Iterable[_Pixels]) -> Iterator[_Pixels]:
    """Pictures of ten a second, each as often or as seldom as ``fps`` wants it."""
    for number, picture in enumerate(pictures):
        yield from repeat(picture, math.ceil((number + 1) * fps / 10) - math.ceil(number * fps / 10))


def surveillance(keyframe_s: int, b_frames: int) -> Path:
    """Real footage as a common camera sends it: H.264, 1280x720, 25 fps, 2 Mbit/s, 30 s to be looped; encoded once.

    The recording has ten pictures a second; they are shown at 25, so that each is another.
    """
    path = Path(tempfile.gettempdir()) / "streamproc-bench" / f"surveillance-{keyframe_s}-{b_frames}.mp4"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.mp4")
        options = {"b": "2M", "maxrate": "3M", "bufsize": "4M", "bf": str(b_frames)}
        _encode(partial, (1280, 720), 25, islice(_walking((1280, 720)), 30 * 25), options, keyframe_s)
        partial.rename(path)
    return path


def _walking(size: tuple[int, int]) -> Iterator[_Pixels]:
    with av.open(str(ModelStore().ensure("vtest"))) as source:
        for frame in source.decode(video=0):
            yield cv2.resize(frame.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA)


def _encode(
    path: Path, size: tuple[int, int], fps: int, pictures: Iterable[_Pixels], options: dict[str, str], keyframe_s: int
) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, "yuv420p", keyframe_s * fps
        stream.options = {"preset": "veryfast", "x264-params": "scenecut=0", **options}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def processor_s(pid: int) -> float:
    """Processor seconds of a process and of all that it started, so far."""
    ticks = sum(int(field) for one in _family(pid) for field in _stat(one)[11:15])  # with those of children that ended
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident megabytes of a process and of all that it started; what several share is counted once."""
    return sum(_mapped_mb(one, "Pss") for one in _family(pid))


def own_memory_mb(pid: int) -> float:
    """The same without the files that they map, libraries above all, swapped out or not: that part of a process grows
    and shrinks with what others map of them."""
    return sum(_mapped_mb(one, "Pss_Anon|SwapPss") for one in _family(pid))


def _mapped_mb(pid: int, fields: str) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return sum(map(int, re.findall(rf"^(?:{fields}): +(\d+) kB", rollup, re.MULTILINE))) * 1024e-6


def _family(pid: int) -> list[int]:
    """The process and all that it started, and that they did."""
    parents = {int(folder.name): _stat(int(folder.name))[1:2] for folder in Path("/proc").glob("[0-9]*")}
    family = [pid]
    for one in family:
        family += [child for child, parent in parents.items() if parent == [str(one)]]
    return family


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on; none where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """A site under measurement."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def metric(self, name: str, labelled: str = "") -> float:
        """Sum of a metric's samples, over all labels; or of those whose labels hold ``labelled``."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
        samples = _SAMPLE.findall(page)
        return sum(float(v) for found, labels, v in samples if found == f"streamproc_{name}" and labelled in labels)

    def passed_by(self) -> float:
        """Windows that nobody looked at, as nothing stood out."""
        return self.metric("windows_skipped_total", 'cause="calm"')

    def lost(self) -> float:
        """Windows dropped so far, and packets that were not decoded in time."""
        return self.metric("windows_dropped_total") + self.metric("packets_dropped_total")

    def cpu_s(self) -> float:
        """Processor seconds so far."""
        return processor_s(self.process.pid)

    def memory_mb(self) -> float:
        """Resident megabytes."""
        return memory_mb(self.process.pid)

    def own_memory_mb(self) -> float:
        """Without the files that it maps."""
        return own_memory_mb(self.process.pid)

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


def learned(folder: Path, *clips: Path) -> tuple[str, Path]:
    """What the embedded preset learns from ``clips``: the rules as ``site`` takes them, and the calibration's file."""
    draft, rules = folder / "learned.yaml", folder / "learned" / "camera.yaml"
    Scaffold("evaluation", (("camera", str(clips[0])),), pipeline="embedded").write(draft)
    learn(draft, "camera", [glob.escape(str(clip)) for clip in clips], rules)
    text = re.split(r"^version: \d+\n", rules.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    return text, rules.with_suffix(".normality.json")


ALWAYS_BROKEN = "rules:\n  - {id: odd-walking, about: human, says: anomaly, text: Somebody walks., keywords: [walk]}\n"
"""Rules as ``site`` takes them: where people walk all the time, an incident goes on all the time."""


def rules_of(path: Path) -> str:
    """The rules of a rule file, as ``site`` takes them."""
    return "rules:\n" + path.read_text(encoding="utf-8").split("\nrules:\n")[1].split("\nprovenance:")[0] + "\n"


@contextmanager
def site(
    folder: Path,
    clip: Path | Sequence[Path],
    cameras: int,
    rules: str,
    calibration: Path,
    sink: str,
    *,
    update_every_s: float = 10.0,
    apart_s: float = 0.0,
) -> Iterator[Running]:
    """A site of ``cameras`` cameras that all play ``clip``, or each its own; ``rules``: the file after its version.

    Their pictures come nearly at the same moments, as they connect; or, by their names, up to ``apart_s`` later.
    """
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    names = [f"cam{number:02}" for number in range(cameras)]
    clips = [clip] * cameras if isinstance(clip, Path) else clip
    with RtspServer(dict(zip(names, clips, strict=True)), endless=True, apart_s=apart_s) as server:
        port = free_port()  # now that the server has its own
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
