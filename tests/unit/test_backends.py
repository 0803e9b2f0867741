"""The models that a preset names: each loaded once, servers by role, stand-ins by name."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from streamproc.backends import Backends
from streamproc.camera import UnitSettings
from streamproc.config import (
    CameraSettings,
    DeductionSettings,
    DinoV2Encoder,
    EfficientNetEncoder,
    ExplainSettings,
    InspectionSettings,
    LlmSettings,
    NormalitySettings,
    PipelineSettings,
    PyavDecoder,
    SamplingSettings,
    SiglipEncoder,
    VlmPerception,
)
from streamproc.errors import ConfigError, InferenceError, ModelLoadError
from streamproc.models.store import ModelStore
from streamproc.normality.calibration import Calibration
from streamproc.runtime.breaker import Health
from streamproc.testing import FakeClock, until
from streamproc.types import Window

GATE = CameraSettings(id="gate", main="clip.mp4")
EMBEDDED = PipelineSettings(schema_version=1, name="embedded")
SERVED = PipelineSettings(
    schema_version=1,
    name="served",
    perception=VlmPerception(kind="vlm", base_url="http://127.0.0.1:1/v1", model="vlm"),
    deduction=DeductionSettings(llm=LlmSettings(base_url="http://127.0.0.1:2/v1", model="llm")),
)
MEASURED = Calibration.load(Path(__file__).parent.parent / "integration" / "site" / "rules" / "two.normality.json")


class Model:
    def __init__(self, path: Path) -> None:
        self.path, self.revision = path, f"of {path}"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModelStore:
    """Has every model, and models that load from anything."""
    monkeypatch.setattr("streamproc.models.nanodet.NanoDet", Model)
    monkeypatch.setattr("streamproc.models.movenet.MoveNet", Model)
    monkeypatch.setattr("streamproc.models.sentences.SentenceEmbedder", Model)
    store = ModelStore(tmp_path)
    monkeypatch.setattr(store, "ensure", Path)
    return store


def test_the_embedded_preset_runs_without_servers_and_names_its_stand_in(store: ModelStore) -> None:
    backends = Backends(EMBEDDED, store, FakeClock())
    assert backends.servers == {}
    assert backends.llm() is None
    assert [(model.role, model.revision) for model in backends.models()] == [
        ("detector", "of nanodet"),
        ("pose", "of movenet"),
        ("embedding", "of bge-small"),
    ]
    (stand_in,) = backends.stand_ins()
    assert (stand_in.role, stand_in.name) == ("perception", "scene")
    assert "vision-language model" in (stand_in.stand_in_for or "")
    assert type(backends.captioner(GATE)).__name__ == "SceneCaptioner"
    backends.close()


def test_what_explains_defects_is_a_server_of_its_own_and_may_be_missing(store: ModelStore) -> None:
    explain = ExplainSettings(base_url="http://127.0.0.1:3/v1", model="eyes")
    looks = EMBEDDED.model_copy(update={"inspection": InspectionSettings(explain=explain)})
    backends = Backends(looks, store, FakeClock())
    assert {role: server.settings.model for role, server in backends.servers.items()} == {"explanation": "eyes"}
    assert backends.explaining() is not None
    backends.close()
    for without in (EMBEDDED, EMBEDDED.model_copy(update={"inspection": InspectionSettings()})):
        assert Backends(without, store, FakeClock()).explaining() is None


@pytest.mark.parametrize(
    ("encoder", "opened", "stands_in"),
    [
        (DinoV2Encoder(side_px=336), ("dinov2-s", 336), True),
        (EfficientNetEncoder(side_px=320), ("efficientnet-lite0", 320), True),
        (SiglipEncoder(model="some/model"), ("siglip:some/model", None), False),
    ],
)
def test_the_encoder_that_a_preset_names_is_opened_once_and_stands_in_for_the_larger(
    store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    encoder: DinoV2Encoder | EfficientNetEncoder | SiglipEncoder,
    opened: tuple[str, int | None],
    stands_in: bool,
) -> None:
    asked: list[tuple[str, int | None]] = []

    def opening(called: str, side_px: int | None = None, **_: object) -> object:
        asked.append((called, side_px))
        name = called if stands_in else "llava-onevision-siglip"
        return type("Encoder", (), {"name": name, "revision": "1", "side_px": 224})()

    monkeypatch.setattr("streamproc.inspection.backbones.opening.open_backbone", opening)
    looks = EMBEDDED.model_copy(update={"inspection": InspectionSettings(encoder=encoder)})
    backends = Backends(looks, store, FakeClock())
    for _ in range(2):
        backends.inspectors(GATE, (), tmp_path / "none.zip")
    assert asked == [opened]
    assert [model.role for model in backends.stand_ins()] == ["perception", *["inspection"] * stands_in]


def test_model_servers_by_role_and_no_stand_in_beside_them(store: ModelStore) -> None:
    heard: list[tuple[str, bool]] = []
    backends = Backends(SERVED, store, FakeClock(), lambda role, health: heard.append((role, health.up)))
    assert {role: server.settings.model for role, server in backends.servers.items()} == {
        "perception": "vlm",
        "deduction": "llm",
    }
    assert backends.stand_ins() == ()
    assert type(backends.captioner(GATE)).__name__ == "VlmCaptioner"
    assert type(backends.servers["perception"]).__name__ == "VisionServer"  # its check tests the model's eyes
    voter = backends.llm()
    assert voter is not None
    assert voter.model.name == "llm"
    backends.servers["deduction"]._on_health(Health(up=False, reason="gone"))
    assert heard == [("deduction", False)]
    backends.close()


def test_what_learns_rules_is_named_by_the_preset_and_its_server_is_no_part_of_watching(store: ModelStore) -> None:
    backends = Backends(EMBEDDED, store, FakeClock())
    assert type(backends.inducer()).__name__ == "StatisticalInducer"
    assert backends.writer is None
    backends.close()
    writes = {"kind": "llm", "base_url": "http://gpu:8001/v1", "model": "mistral"}
    preset = PipelineSettings.model_validate({"schema_version": 1, "name": "writes", "induction": writes})
    backends = Backends(preset, store, FakeClock())
    assert (backends.servers, backends.writer) == ({}, None)
    assert type(backends.inducer()).__name__ == "LanguageModelInducer"
    assert backends.writer is not None
    assert (backends.writer.settings.model, backends.writer.settings.deadline_s) == ("mistral", 120.0)
    assert backends.servers == {}
    backends.close()
    with pytest.raises(InferenceError, match="closed"):
        backends.writer.check()


def test_a_model_that_cannot_be_had_is_said(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise ModelLoadError(f"{name} could not be fetched")

    monkeypatch.setattr(store, "ensure", missing)
    with pytest.raises(ModelLoadError, match="nanodet"):
        Backends(EMBEDDED, store, FakeClock())


def test_without_a_pose_model_a_site_watches_all_the_same(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_pose_is_missing(name: str) -> Path:
        if name == "movenet":
            raise ModelLoadError("movenet could not be fetched")
        return Path(name)

    monkeypatch.setattr(store, "ensure", only_pose_is_missing)
    with capture_logs() as logs:
        backends = Backends(EMBEDDED, store, FakeClock())
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("pose_model_missing", "warning")]
    assert [model.role for model in backends.models()] == ["detector", "embedding"]
    assert cast(Any, backends.observer(lambda: None, UNIT))._observer._postures is None


UNIT = UnitSettings(GATE, SamplingSettings(), PyavDecoder(), NormalitySettings())


def test_each_camera_has_an_observer_of_its_own_beside_the_shared_detector(store: ModelStore) -> None:
    backends = Backends(EMBEDDED, store, FakeClock())
    one, two = (cast(Any, backends.observer(lambda: None, UNIT))._observer for _ in range(2))
    assert one is not two
    assert one._eyes is not two._eyes
    assert one._eyes.detector is two._eyes.detector is backends.detector
    assert one._postures._estimator is two._postures._estimator is backends.pose


def test_a_calibration_that_does_not_fit_the_pipeline_is_refused(store: ModelStore) -> None:
    backends = Backends(EMBEDDED, store, FakeClock())
    assert backends.observer(lambda: MEASURED, UNIT) is not None
    wider = replace(UNIT, normality=NormalitySettings(flow_width_px=512))
    with pytest.raises(ConfigError, match="flow_width_px: 384, the pipeline says 512"):
        backends.observer(lambda: MEASURED, wider)


def test_cameras_are_looked_at_in_turns_as_many_at_once_as_there_are_cores(
    monkeypatch: pytest.MonkeyPatch, store: ModelStore
) -> None:
    monkeypatch.setattr("streamproc.observing.cores", lambda: 2)
    backends, leave, inside = Backends(EMBEDDED, store, FakeClock()), threading.Event(), list[int]()
    came = threading.Semaphore(0)

    def look(number: int) -> None:
        def calibration() -> Calibration:
            if made:
                inside.append(number)
                came.release()
                leave.wait(5)
                raise ConfigError("seen enough")
            return MEASURED

        made = list[bool]()
        observer = backends.observer(calibration, UNIT)
        made.append(True)
        with suppress(ConfigError):
            observer.observe(cast(Window, None))  # the calibration is asked for first

    threads = [threading.Thread(target=look, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: backends.turns.waiting >= 2)
    assert came.acquire(timeout=5)
    assert came.acquire(timeout=5)
    assert len(inside) == 2
    leave.set()
    for thread in threads:
        thread.join(5)
    assert sorted(inside) == [0, 1, 2, 3]
