"""A region of a real RTSP stream changes: a defect's alert with its heat map is in the sink, and nothing before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
import pytest
from PIL import Image

from streamproc import assembly, enrolment
from streamproc.assembly import assemble
from streamproc.config import CameraSettings, ExplainSettings, InspectionSettings
from streamproc.enrolment import enrol
from streamproc.errors import ModelLoadError
from streamproc.inspection.answers.explainer import Explainer
from streamproc.inspection.answers.routes import make_route
from streamproc.inspection.answers.settings import PictureRoute
from streamproc.inspection.live.crops import Thing
from streamproc.inspection.live.explaining import Explaining
from streamproc.inspection.live.inspectors import ThingInspector, inspectors_of
from streamproc.inspection.nouns import Features, Pixels, Views
from streamproc.models.store import ModelStore
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock
from streamproc.site import load_site
from streamproc.testing_inspection import FakeBackbone
from streamproc.testing_modelserver import FakeModelServer
from streamproc.testing_rtsp import RtspServer
from streamproc.testing_wiring import FakeBackends, write_rules

pytestmark = pytest.mark.integration

FPS, WIDTH, HEIGHT = 10, 480, 270
NORMAL_S = 8
"""The stream's region is as it should be for so long; then it has a blot."""
SITE = """\
schema_version: 1
site: {{id: site}}
pipeline: ./own.yaml
cameras:
  - id: hall
    main: {main}
    timeout_s: 2
    rules: rules/hall.yaml
    regions:
      - name: main-valve
        polygon: [[0.3, 0.2], [0.7, 0.2], [0.7, 0.8], [0.3, 0.8]]
    privacy_masks:
      - name: desk
        polygon: [[0.2, 0.2], [0.35, 0.2], [0.35, 0.9], [0.2, 0.9]]
alerts: {{sinks: [{{kind: jsonl, path: alerts.jsonl}}], evidence: {{directory: evidence}}}}
observability: {{port: null}}
"""


def picture(number: int, blot: bool) -> Pixels:
    """A wall with a striped wheel on it, which camera noise runs over; with ``blot`` its upper right is rusty."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    wall = np.full((HEIGHT, WIDTH), 90.0)
    away = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2)
    wheel = away < 70
    wall[wheel] = np.where((np.degrees(np.arctan2(rows - HEIGHT / 2, columns - WIDTH / 2)) // 30) % 2, 200, 130)[wheel]
    coloured = np.repeat(wall[..., None], 3, 2)
    if blot:
        coloured[np.hypot(rows - HEIGHT * 0.31, columns - WIDTH * 0.6) < 24] = (150, 60, 30)
    noisy = coloured + np.random.default_rng(number).normal(0, 3, wall.shape)[..., None]
    return np.clip(noisy, 0, 255).astype(np.uint8)


def film(path: Path, seconds: int, blot_from_s: float) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = FPS
        stream.codec_context.time_base = Fraction(1, FPS)
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0"}
        for number in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(picture(number, number >= blot_from_s * FPS), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {"normal": film(folder / "normal.mp4", 12, 99), "hall": film(folder / "hall.mp4", 30, NORMAL_S)}


@pytest.fixture
def server(clips: dict[str, Path]) -> Iterator[RtspServer]:
    with RtspServer({"hall": clips["hall"]}) as server:
        yield server


def written(folder: Path, server: RtspServer, looks: str = "every_s: 0.5") -> Path:
    write_rules(folder / "rules" / "hall.yaml", "hall")
    preset = f"schema_version: 1\nname: own\nsampling: {{window_s: 0.2}}\ninspection: {{{looks}}}\n"
    (folder / "own.yaml").write_text(preset, encoding="utf-8")
    (folder / "site.yaml").write_text(SITE.format(main=server.url("hall")), encoding="utf-8")
    return folder / "site.yaml"


def defects(folder: Path) -> list[dict[str, Any]]:
    sink = folder / "alerts.jsonl"
    alerts = [json.loads(line) for line in sink.read_text().splitlines()] if sink.exists() else []
    return [alert for alert in alerts if alert["data"]["kind"] == "defect"]


def wait(until: Callable[[], object], within_s: float, what: str) -> None:
    ends_s = time.monotonic() + within_s
    while not until():
        assert time.monotonic() < ends_s, what
        time.sleep(0.1)


def check(alert: dict[str, Any], by: str) -> None:
    """What the alert of the blot has to say and show."""
    data = alert["data"]
    assert (data["action"], data["category"], data["severity"]) == ("open", "main-valve", "warning")
    assert data["reason"].startswith("The main valve is not as it should be, most of all in its upper")
    assert f"times its threshold by the {by}" in data["reason"]
    assert data["cited_rules"] == data["votes"] == []
    assert data["measurements"][0]["value"] > data["measurements"][0]["normal"] == 1.0
    (found,) = data["objects"]
    assert found["label"] == "main valve"
    assert found["box_norm"] == pytest.approx([0.3, 0.2, 0.7, 0.8])
    assert data["evidence"]["snapshot_uri"] is not None
    path = Path(urlsplit(found["heatmap_uri"]).path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 200_000
    shown = np.asarray(Image.open(path).convert("RGB")).astype(int)
    half = (shown.shape[1] - 6) // 2
    for one in (shown[:, :half], shown[:, half + 6 :]):
        assert one[10:-10, : half // 12].max() < 30, "the privacy mask stays black"
    coloured = shown[:, half + 6 :, 0] - shown[:, half + 6 :, 2]
    hot = np.argwhere(coloured > 60)
    assert len(hot)
    row, column = hot.mean(0) / coloured.shape
    assert row < 0.5
    assert column > 0.5


class DrawnFeatures(FakeBackbone):
    """Colour and texture of a patch; what is black has a direction too, as a network's tokens have."""

    def encode(self, views: Views) -> Features:
        plain = super().encode(views)
        return replace(plain, tokens=plain.tokens + np.float32(0.1), taps=plain.taps + np.float32(0.1))


class DrawnBackends(FakeBackends):
    """Fakes, but for the close looks: a real memory of what a small encoder without weights tells."""

    def inspectors(  # type: ignore[override]
        self, camera: CameraSettings, things: Sequence[Thing], memory: Path
    ) -> Mapping[str, ThingInspector]:
        return inspectors_of(camera, things, InspectionSettings(), DrawnFeatures(), None, memory)


def test_a_region_that_changes_raises_a_defect_with_its_heat_map(
    tmp_path: Path, server: RtspServer, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (assembly, enrolment):
        monkeypatch.setattr(module, "Backends", lambda *_: DrawnBackends())
    path = written(tmp_path, server)
    report = enrol(path, "hall", [str(clips["normal"])])
    assert report.pictures == {"region main-valve": 16}
    assert report.size_bytes < 1_500_000
    made = assemble(load_site(path), ModelStore(), SystemClock())
    made.site.start()
    try:
        wait(lambda: defects(tmp_path), 40, "no defect was told")
    finally:
        made.site.stop(9)
    first = defects(tmp_path)[0]
    check(first, "memory of how it looked")
    assert set(first["data"]["pipeline"]["latency_ms"]) == {"queue", "inspection", "publish"}


def test_a_defect_is_explained_by_the_next_message_and_the_first_waits_for_nothing(
    tmp_path: Path, server: RtspServer, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    said = json.dumps({"there": "yes", "what": "Rust.", "why": "Water.", "prevention": "Paint."})
    with FakeModelServer(reply=lambda _: said if told.wait(40) else "") as fake:
        settings = ExplainSettings(base_url=fake.base_url, model="test-model", deadline_s=50)
        asked = ModelServer(settings, SystemClock())
        backends = DrawnBackends()
        explaining = Explaining(Explainer(asked, settings, make_route(PictureRoute())), asked.close)
        monkeypatch.setattr(backends, "explaining", lambda: explaining)
        for module in (assembly, enrolment):
            monkeypatch.setattr(module, "Backends", lambda *_: backends)
        path = written(tmp_path, server)
        path.write_text(path.read_text().replace("alerts: {", "alerts: {incidents: {update_every_s: 1}, "))
        enrol(path, "hall", [str(clips["normal"])])
        made = assemble(load_site(path), ModelStore(), SystemClock())
        made.site.start()
        try:
            wait(lambda: defects(tmp_path), 40, "no defect was told")
            told.set()
            wait(lambda: "Rust." in defects(tmp_path)[-1]["data"]["reason"], 40, "no explanation was told")
        finally:
            told.set()
            made.site.stop(9)
    first, *_, last = (alert["data"] for alert in defects(tmp_path))
    assert (first["action"], last["alert_id"]) == ("open", first["alert_id"])
    assert "test-model" not in first["reason"]
    explained = (one["data"] for one in defects(tmp_path) if "Rust." in one["data"]["reason"])
    words = 'The model test-model, shown a main valve: "Rust." Why: "Water." To prevent it: "Paint."'
    update = next(explained)
    assert update["reason"].endswith(words)
    assert ("explanation", "test-model") in [(model["role"], model["name"]) for model in update["models"]]
    (request,) = fake.requests
    assert "a main valve" in request["messages"][1]["content"][-1]["text"]


@pytest.mark.models
def test_the_command_line_does_so_with_the_embedded_encoder(
    tmp_path: Path, server: RtspServer, clips: dict[str, Path]
) -> None:
    store = ModelStore()
    try:
        for name in ("nanodet", "movenet", "bge-small", "dinov2-s"):
            store.ensure(name)
    except ModelLoadError as error:
        pytest.skip(f"models cannot be had: {error}")
    path = written(tmp_path, server, "every_s: 1, memory: {shots: 6}, expert: {path: shipped}")
    command = [sys.executable, "-m", "streamproc.cli"]
    learned = subprocess.run(
        [*command, "inspect", "enrol", str(path), "--camera", "hall", "--clips", str(clips["normal"]), "--json"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert json.loads(learned.stdout)["pictures"] == {"region main-valve": 6}
    log = tmp_path / "run.log"
    with log.open("wb") as out:
        running = subprocess.Popen([*command, "run", str(path)], stdout=out, stderr=out, env=dict(os.environ))
    try:
        wait(lambda: defects(tmp_path) or running.poll() is not None, 90, log.read_text()[-3000:])
        assert running.poll() is None, log.read_text()[-3000:]
        running.terminate()
        assert running.wait(15) == 0, log.read_text()[-3000:]
    finally:
        running.kill()
        running.wait()
    check(defects(tmp_path)[0], "memory of how it looked")
    assert defects(tmp_path)[0]["data"]["models"][0]["name"] == "dinov2-s"
