"""Model questions that hang for some cameras delay no other camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from streamproc import assembly
from streamproc.assembly import Assembled, assemble
from streamproc.config import LlmSettings
from streamproc.deduction.llm import LlmVoter
from streamproc.models.store import ModelStore
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock
from streamproc.site import load_site
from streamproc.testing_deduction import observed
from streamproc.testing_modelserver import FakeModelServer, Hang
from streamproc.testing_wiring import HURRIES, FakeBackends, FakeUnit, write_rules, write_site
from streamproc.types import ObservedWindow

pytestmark = pytest.mark.integration
CAMERAS = ("gate", "yard", "dock", "roof", "shed", "hall")
PRESET = """\
schema_version: 1
name: own
deduction: {{llm: {{base_url: "{base_url}", model: test-model, samples: 1, reflect: false, deadline_s: 60}}}}
"""
VETO = '{"reason": "Because.", "verdict": "normal", "cites": []}'


class Backends(FakeBackends):
    """Whatever is seen must be asked about; the client is shared, as it is by a site's cameras."""

    def __init__(self, settings: LlmSettings) -> None:
        super().__init__(lambda _: HURRIES)
        self._settings = settings
        self.client = ModelServer(settings, SystemClock())

    def llm(self) -> Any:
        return LlmVoter(self.client, self._settings)


def of(camera: str, end_s: float) -> ObservedWindow:
    """A window of that camera, which came just now."""
    seen, now = observed(end_s), datetime.now(UTC)
    bursts = tuple(
        tuple(replace(frame, camera_id=camera, received_at=now) for frame in burst) for burst in seen.window.bursts
    )
    return replace(seen, window=replace(seen.window, camera_id=camera, bursts=bursts), motion=1.0)


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer(reply=VETO) as server:
        yield server


@pytest.fixture
def built(tmp_path: Path, server: FakeModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assembled]:
    for camera in CAMERAS:
        write_rules(tmp_path / "rules" / f"{camera}.yaml", camera)
    (tmp_path / "own.yaml").write_text(PRESET.format(base_url=server.base_url))
    loaded = load_site(write_site(tmp_path, *CAMERAS, pipeline="./own.yaml"))
    assert loaded.pipeline.deduction.llm is not None
    backends = Backends(loaded.pipeline.deduction.llm)
    monkeypatch.setattr(assembly, "Backends", lambda *_: backends)
    monkeypatch.setattr(assembly, "CameraUnit", lambda *_, **__: FakeUnit([]))
    built = assemble(loaded, cast(ModelStore, None), SystemClock())
    yield built
    backends.client.close()  # ends the question that hangs
    with capture_logs():
        built.site.stop(10)


def test_only_the_cameras_whose_questions_hang_wait(built: Assembled, server: FakeModelServer) -> None:
    hung, others = CAMERAS[:5], CAMERAS[5:]
    server.script.extend(Hang() for _ in hung)
    built.site.start()
    for camera in hung:
        built.hub.window(of(camera, 1.0))
    assert all(server.asked.acquire(timeout=10) for _ in hung)
    for end_s in (1.0, 2.0, 3.0):
        for camera in others:
            built.hub.window(of(camera, end_s))
    assert all(built.hub.lanes.settle(camera, 10) for camera in others)
    assert len(server.requests) == len(hung) + 3 * len(others)
    assert not any(built.hub.lanes.settle(camera, 0) for camera in hung)
