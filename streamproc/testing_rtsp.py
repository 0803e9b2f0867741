"""For tests: a real RTSP server in a process of its own, and small H.264 files for it to serve."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import av
import numpy as np

from streamproc.demo import children

_READY_WITHIN_S = 20.0


def make_h264(
    path: Path,
    *,
    frames: int = 50,
    fps: int = 10,
    size: tuple[int, int] = (320, 240),
    gop: int | None = None,
    speed_px: float = 4.0,
    b_frames: int = 0,
) -> Path:
    """Write a clip of a white box that goes right by ``speed_px`` a frame over a still, structured ground.

    ``size`` is (width, height), both even; ``gop`` frames from keyframe to keyframe, two seconds by default;
    ``b_frames`` in a row at most. The first frame's box stands at the left edge, so that a loop's seam can be seen.
    Returns ``path`` (mp4).
    """
    width, height = size
    ground = np.random.default_rng(7).integers(60, 120, (height // 8, width // 8, 3), dtype=np.uint8)
    ground = np.kron(ground, np.ones((8, 8, 1), dtype=np.uint8))
    ground = np.pad(ground, ((0, height - ground.shape[0]), (0, width - ground.shape[1]), (0, 0)), mode="edge")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size = gop or 2 * fps
        stream.codec_context.time_base = Fraction(1, fps)
        stream.options = {"preset": "ultrafast", "x264-params": "scenecut=0", "bf": str(b_frames)}
        if not b_frames:
            stream.options["tune"] = "zerolatency"
        for index in range(frames):
            pixels = ground.copy()
            left = int(index * speed_px) % (width - 32)
            pixels[height // 3 : height // 3 + 48, left : left + 32] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class RtspServer:
    """``with RtspServer({"gate": path}) as server``: serves on a free port until the block ends.

    ``restart`` keeps the port, as a camera keeps its address.
    """

    def __init__(
        self,
        clips: Mapping[str, Path],
        user: str | None = None,
        password: str | None = None,
        *,
        endless: bool = False,
        apart_s: float = 0.0,
    ) -> None:
        """``endless``: media time runs on where a clip begins anew, as a camera's does; ``apart_s``: cameras begin up
        to so much later than asked, each at another time by its name, the same time and again."""
        self._clips, self._user, self._password = dict(clips), user, password
        self._endless, self._apart_s = endless, apart_s
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start serving; returns once clients can connect."""
        argv = [sys.executable, "-m", "streamproc.demo.rtsp_server", "--port", str(self.port)]
        for name, path in self._clips.items():
            argv += ["--camera", f"{name}={path}"]
        environ = dict(os.environ)
        if self._endless:
            argv.append("--endless")
        if self._apart_s:
            argv += ["--apart", f"{self._apart_s:g}"]
        if self._user:
            argv += ["--user", self._user, "--password-env", "RTSP_SERVER_PASSWORD"]
            environ["RTSP_SERVER_PASSWORD"] = self._password or ""
        self._process = children.spawn(argv, stdout=subprocess.PIPE, environ=environ)
        line = children.first_line(self._process, _READY_WITHIN_S)
        if not line.startswith("ready "):
            self.kill()
            raise RuntimeError(f"the RTSP server did not come up: {line!r}")
        self.port = int(line.split()[1].rpartition(":")[2].partition("/")[0])

    def url(self, name: str, user: str | None = None, password: str | None = None) -> str:
        """Address of a clip, with credentials if given."""
        login = f"{quote(user, safe='')}:{quote(password or '', safe='')}@" if user else ""
        return f"rtsp://{login}127.0.0.1:{self.port}/{name}"

    @property
    def pid(self) -> int:
        """Of its process; 0 where it does not run."""
        return 0 if self._process is None else self._process.pid

    def kill(self) -> None:
        """Gone at once, as in a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and says nothing more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Killed and started again, at the same address."""
        self.kill()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the RTSP server is not running")
        self._process.send_signal(number)
