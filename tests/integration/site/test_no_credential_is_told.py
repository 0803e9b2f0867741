"""Every command with marked credentials, through success and failure: none is in what is printed or written."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from streamproc.demo.broker import free_port
from streamproc.testing_modelserver import Fail, FakeModelServer
from streamproc.testing_rtsp import RtspServer, make_h264

pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(180)]

RULES = Path(__file__).parent / "rules"
CAMERA, WRONG, BROKER = (f'M4rked "{name}" p@ss/w:rd é' for name in ("camera", "wrong", "broker"))
MODEL = "M4rked-model-key"  # an HTTP header holds no more
ENVIRON = {"CAM_USER": "watcher", "CAM_PASSWORD": CAMERA, "WRONG": WRONG, "BROKER": BROKER, "MODEL_KEY": MODEL}
SITE = """\
schema_version: 1
site: {{id: site}}
pipeline: ./own.yaml
cameras:
  - {{id: two, main: "rtsp://${{CAM_USER}}:${{{password}}}@127.0.0.1:{port}/two", timeout_s: 1, rules: rules/two.yaml}}
alerts:
  sinks:
    - kind: kafka
      bootstrap_servers: ["127.0.0.1:1"]
      security: {{security_protocol: SASL_PLAINTEXT, sasl_mechanism: PLAIN, sasl_username: "${{CAM_USER}}",
                  sasl_password: "${{BROKER}}"}}
observability: {{log_format: {log_format}, log_level: debug, port: {page}}}
"""
PRESET = """\
schema_version: 1
name: own
perception:
  {{kind: vlm, base_url: "{base_url}", model: test-model, api_key: "${{MODEL_KEY}}", deadline_s: 2, retries: 0}}
"""


@dataclass
class Place:
    """A site's folder, its camera and model server, and all that was printed."""

    folder: Path
    camera: RtspServer
    models: FakeModelServer
    said: list[str] = field(default_factory=list)

    def write(self, *, variable: str = "CAM_PASSWORD", log_format: str = "json", page: object = "null") -> None:
        text = SITE.format(password=variable, port=self.camera.port, log_format=log_format, page=page)
        (self.folder / "site.yaml").write_text(text, encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "streamproc.cli", *arguments]
        environ = {**os.environ, **ENVIRON}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=environ, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=60)
        self.said.append(said)
        return process.returncode, said

    def watch(self, until: str, then: Callable[[], None] = lambda: None) -> tuple[int, str]:
        """Have `streamproc run` write its log until a line holds ``until``, do ``then``, and SIGTERM it."""
        process = self.start("run", "site.yaml")
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if until in line:
                    break
            then()
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=30)
        finally:
            process.kill()
        self.said.append("".join(lines) + rest)
        return process.returncode, self.said[-1]

    def leaks(self) -> list[str]:
        """Where a credential stands, in any of the forms that others write it in."""
        forms = set()
        for secret in (CAMERA, WRONG, BROKER, MODEL):
            forms |= {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
        texts = [(f"output {number}", said.encode()) for number, said in enumerate(self.said)]
        texts += [(str(path), path.read_bytes()) for path in self.folder.rglob("*") if path.is_file()]
        return [f"{where}: {form}" for where, text in texts for form in forms if form.encode() in text]


@pytest.fixture
def place(tmp_path: Path, footage: dict[str, Path]) -> Iterator[Place]:  # for the models
    (tmp_path / "rules").mkdir()
    for name in ("two.yaml", "two.normality.json"):
        (tmp_path / "rules" / name).write_bytes((RULES / name).read_bytes())
    clip = make_h264(tmp_path / "clip.mp4", frames=30)
    with (
        RtspServer({"two": clip}, "watcher", CAMERA) as camera,
        FakeModelServer(models=("test-model",), key=MODEL, always=Fail(500, f"not for {MODEL}")) as models,
    ):
        (tmp_path / "own.yaml").write_text(PRESET.format(base_url=models.base_url), encoding="utf-8")
        place = Place(tmp_path, camera, models)
        place.write()
        yield place


def test_no_credential_is_told_by_any_command(place: Place) -> None:
    # Looked at: well, refused, away, written down literally.
    assert place.run("check", "site.yaml")[0] == 0
    address = f"@127.0.0.1:{place.camera.port}/two"
    code, said = place.run("probe", "rtsp://${CAM_USER}:${CAM_PASSWORD}" + address, "--seconds", "1")
    assert (code, "h264" in said) == (0, True), said
    code, said = place.run("probe", "rtsp://${CAM_USER}:${WRONG}" + address)
    assert code == 1, said

    # The model server answers each window with an error that repeats the key.
    code, said = place.run("replay", "site.yaml", "--camera", "two", "--video", "clip.mp4")
    assert (code, "window_lost" in said) == (0, True), said
    assert place.run("replay", "site.yaml", "--camera", "two", "--video", "own.yaml")[0] == 1
    code, said = place.run("induce", "site.yaml", "--camera", "two", "--clips", "clip.mp4")
    assert code != 0
    assert "Traceback" not in said

    # Running: everything away or failing at once.
    code, said = place.watch("health_not_sent")  # nothing was decided: the health topic is what finds the broker away
    assert code == 0, said
    assert '"phase": "streaming"' in said
    place.write(variable="WRONG", log_format="console", page=free_port())
    code, said = place.watch("phase=refused")
    assert code == 0, said
    place.models.key = "another"
    code, said = place.run("run", "site.yaml")
    assert code == 2, said

    assert place.leaks() == []


def test_no_credential_is_told_by_a_process_that_watches_nor_in_the_list_of_processes(place: Place) -> None:
    preset = place.folder / "own.yaml"
    preset.write_text(preset.read_text(encoding="utf-8") + "processes: 1\n", encoding="utf-8")
    listed: list[str] = []

    def look() -> None:
        for arguments in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                listed.append(arguments.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    code, said = place.watch("health_not_sent", look)
    assert code == 0, said
    assert '"phase": "streaming"' in said
    assert "process_lost" not in said
    assert any("streamproc.shards.process" in one for one in listed)
    place.said.append("\n".join(listed))
    place.write(variable="WRONG", log_format="console")
    code, said = place.watch("phase=refused")
    assert code == 0, said
    assert place.leaks() == []


def test_a_password_written_into_a_file_is_refused_and_not_repeated(place: Place) -> None:
    path = place.folder / "site.yaml"
    commands = (["check", "--json"], ["run"], ["induce", "--camera", "two", "--clips", "clip.mp4"])
    literals = ("watcher:M4rked-l1teral@", "watcher:M4rked-l1teral/?@", "${CAM_USER}:M4rked-l1teral${WRONG}@")
    for literal, command in zip(literals, commands, strict=True):
        place.write()
        path.write_text(path.read_text().replace("${CAM_USER}:${CAM_PASSWORD}@", literal), encoding="utf-8")
        code, said = place.run(command[0], "site.yaml", *command[1:])
        assert code == 2
        assert "site.yaml" in said
        assert "M4rked-l1teral" not in said
