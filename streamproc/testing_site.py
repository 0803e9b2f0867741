"""A whole site of real parts for tests: `streamproc run` as a process, an RTSP camera, a broker, a consumer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamproc.alerts.tail import tail
from streamproc.config import KafkaSinkSettings
from streamproc.demo.broker import DevBroker
from streamproc.errors import DeliveryError
from streamproc.testing_rtsp import RtspServer

USER = "watcher"
PASSWORD = "Tr1cky-m@rked/pass:word"  # noqa: S105 - of a camera in a test

_SITE = """\
schema_version: 1
site: {{id: site, name: Test site}}
pipeline: {pipeline}
cameras:
  - id: two
    main: rtsp://${{CAM_USER}}:${{CAM_PASSWORD}}@127.0.0.1:{rtsp_port}/two
    timeout_s: 2
    rules: rules/two.yaml
alerts:
  sinks:
    - kind: kafka
      bootstrap_servers: ["{bootstrap}"]
  outbox: var/outbox.sqlite3
  evidence: {{directory: var/evidence}}
  incidents: {{resolve_after_s: 3, update_every_s: 3}}
observability: {{log_format: json, log_level: debug, port: {port}}}
"""


@dataclass(eq=False)
class LiveSite:
    """A site's folder, its parts, and what came of it."""

    folder: Path
    server: RtspServer
    broker: DevBroker
    port: int
    """Of the observability pages."""
    pipeline: str = "embedded"
    process: subprocess.Popen[bytes] | None = None
    _reader: threading.Thread | None = None
    _alerts: list[dict[str, Any]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def rules(self) -> Path:
        """The rule file."""
        return self.folder / "rules" / "two.yaml"

    @property
    def log(self) -> Path:
        """Standard output and error of the process."""
        return self.folder / "run.log"

    @property
    def kafka(self) -> KafkaSinkSettings:
        """The sink, for consumers."""
        return KafkaSinkSettings(kind="kafka", bootstrap_servers=(self.broker.bootstrap,))

    def write(self) -> None:
        """Write the site file."""
        text = _SITE.format(
            pipeline=self.pipeline, rtsp_port=self.server.port, bootstrap=self.broker.bootstrap, port=self.port
        )
        (self.folder / "site.yaml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start `streamproc run`."""
        environ = {**os.environ, "CAM_USER": USER, "CAM_PASSWORD": PASSWORD}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamproc.cli", "run", str(self.folder / "site.yaml")],
                stdout=log,
                stderr=log,
                env=environ,
                cwd=self.folder,
            )

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = 15.0) -> int:
        """Signal the process and wait for its exit code."""
        if self.process is None:
            raise RuntimeError("the site was never started")
        self.process.send_signal(number)
        return self.process.wait(within_s)

    def listen(self) -> None:
        """Read the alerts topic as a consumer of its own would."""

        def read() -> None:
            while not self._over.is_set():
                try:
                    for alert in tail(self.kafka, from_beginning=True, stop=self._over.is_set):
                        self._alerts.append(alert)
                except DeliveryError:
                    self._over.wait(0.5)  # the broker is away

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Alerts read from the topic so far, each id once."""
        return list({alert["id"]: alert for alert in self._alerts}.values())

    def pause(self, seconds: float) -> None:
        """Let the site work for a while."""
        self._over.wait(seconds)

    def read_all(self, ids: set[str], within_s: float) -> bool:
        """Whether the consumer has read alerts of all ``ids`` within the time."""
        ends = time.monotonic() + within_s
        while not ids <= {alert["id"] for alert in self.alerts}:
            if time.monotonic() > ends:
                return False
            time.sleep(0.1)
        return True

    def page(self, name: str) -> str:
        """A page of the observability server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=2) as answer:
                return str(answer.read().decode())
        except OSError as error:
            return f"no answer: {error}"

    def phase(self) -> str:
        """The camera's condition as the readiness page tells it."""
        try:
            return str(json.loads(self.page("readyz"))["checks"]["camera two"]["detail"])
        except (ValueError, KeyError):
            return "down"

    def wait(self, until: Callable[[], object], within_s: float, what: str) -> None:
        """Until ``until`` holds; AssertionError with the end of the log if it does not ``within_s``."""
        ends = time.monotonic() + within_s
        while not until():
            if self.process is None or self.process.poll() is not None:
                raise AssertionError(f"the site ended: {self.log.read_text()[-3000:]}")
            if time.monotonic() > ends:
                raise AssertionError(f"not within {within_s:g} s: {what}\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def end(self) -> None:
        """End what is left, without ceremony."""
        self._over.set()
        if self._reader is not None:
            self._reader.join(10.0)
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
