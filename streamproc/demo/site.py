"""The demo's site: two cameras, learnt from the normal clip as an operator's own would be."""

from __future__ import annotations

import glob
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamproc import __version__
from streamproc.calibrations import calibration_path
from streamproc.demo import children
from streamproc.errors import StreamprocError
from streamproc.site import load_site

CAMERAS: Mapping[str, str] = {"one": "Camera one, as filmed", "two": "Camera two, hurry simulated"}

_SITE = """\
# Written by `streamproc demo` at each start: edits here are lost. The rule files in rules/ are kept, and an edit to
# one takes effect within two seconds while the demo runs.
schema_version: 1
site: {{id: demo, name: Demo}}
pipeline: embedded
cameras:
{cameras}
alerts:
  sinks:
    - kind: kafka
      bootstrap_servers: [{bootstrap}]
  outbox: var/outbox.sqlite3
  evidence: {{directory: var/evidence}}
observability: {{log_format: console, port: {port}}}
"""


@dataclass(frozen=True, slots=True)
class DemoSite:
    """The folder in which the demo keeps everything but footage and models."""

    workdir: Path

    @property
    def file(self) -> Path:
        """The site file."""
        return self.workdir / "site.yaml"

    def rules(self, camera: str) -> Path:
        """A camera's rule set."""
        return self.workdir / "rules" / f"{camera}.yaml"

    def log(self, name: str) -> Path:
        """Where one of the demo's processes writes."""
        return self.workdir / "logs" / f"{name}.log"

    def write(self, rtsp_base: str, bootstrap: str, port: int) -> None:
        """Write the site file, and the folders it needs."""
        for folder in ("rules", "logs"):
            (self.workdir / folder).mkdir(parents=True, exist_ok=True)
        cameras = "\n".join(
            f"  - {{id: {camera}, name: {json.dumps(name)}, main: {json.dumps(f'{rtsp_base}/{camera}')}, "
            f"rules: rules/{camera}.yaml}}"
            for camera, name in CAMERAS.items()
        )
        text = _SITE.format(cameras=cameras, bootstrap=json.dumps(bootstrap), port=port)
        self.file.write_text(text, encoding="utf-8")

    def learnt(self, normal: Path) -> bool:
        """Whether rules and calibrations were induced from this clip, with these settings, by this version."""
        stamp = self._stamp()
        files = (path for camera in CAMERAS for path in (self.rules(camera), calibration_path(self.rules(camera))))
        return all(path.is_file() for path in files) and stamp.is_file() and stamp.read_text() == self._basis(normal)

    def learn(self, normal: Path, running: list[subprocess.Popen[bytes]], within_s: float = 600.0) -> None:
        """Induce each camera's rules from the normal clip, both at once; the processes are added to ``running``.

        Raises:
            StreamprocError: one failed or took too long; with the end of what it said.
        """
        self._stamp().unlink(missing_ok=True)
        learning = {}
        for camera in CAMERAS:
            argv: list[str | Path] = [sys.executable, "-m", "streamproc.cli", "induce", self.file, "--camera", camera]
            argv += ["--clips", glob.escape(str(normal)), "--out", self.rules(camera)]
            with self.log(f"induce-{camera}").open("wb") as log:
                learning[camera] = children.spawn(argv, stdout=log, stderr=log)
            running.append(learning[camera])
        until = time.monotonic() + within_s
        for camera, process in learning.items():
            try:
                code = process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise StreamprocError(f"learning camera {camera} took longer than {within_s:.0f} s") from None
            running.remove(process)
            if code:
                raise StreamprocError(f"learning camera {camera} failed:\n{tail(self.log(f'induce-{camera}'))}")
        self._stamp().write_text(self._basis(normal))

    def _stamp(self) -> Path:
        return self.workdir / "rules" / ".learnt-from"

    def _basis(self, normal: Path) -> str:
        # The clip's folder is named after the recording's hash and the recipe.
        return f"{__version__}\n{normal.parent.name}\n{load_site(self.file).pipeline.model_dump_json()}\n"


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    if not log.is_file():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
