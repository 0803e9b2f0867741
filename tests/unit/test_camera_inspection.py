"""From settings to inspected cameras: what is looked at, mistakes told by their field, a replay that finds a defect."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from streamproc import assembly
from streamproc import replay as replaying
from streamproc.assembly import Assembled, assemble
from streamproc.camera_inspection import camera_inspection, memory_path, things
from streamproc.checking import check_site
from streamproc.config import SHIPPED, CameraSettings, EfficientNetEncoder, InspectionSettings, SiglipEncoder
from streamproc.errors import ConfigError
from streamproc.inspection.nouns import Pixels
from streamproc.inspection.shipped import expert_file, shipped_expert
from streamproc.models.store import ModelStore
from streamproc.observability.metrics import Metrics
from streamproc.replay import replay
from streamproc.site import load_preset, load_site
from streamproc.testing import FakeClock
from streamproc.testing_defects import FakeInspector, seen
from streamproc.testing_sources import write_clip
from streamproc.testing_wiring import FakeBackends, write_rules
from streamproc.types import CameraState, RuleSet

RULES = RuleSet("gate", "site", "gate", 3, "ab" * 32, ())
SQUARE = "polygon: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]"


def site(
    folder: Path, *, regions: str = f"[{{name: valve, {SQUARE}}}]", objects: str = "[]", inspection: str | None = ""
) -> Path:
    """A site with a camera ``gate``; without ``inspection`` its pipeline has none."""
    write_rules(folder / "rules" / "gate.yaml")
    preset = "schema_version: 1\nname: own\n"
    if inspection is not None:
        preset += f"inspection: {{{inspection}}}\n"
    (folder / "own.yaml").write_text(preset, encoding="utf-8")
    path = folder / "site.yaml"
    path.write_text(
        "schema_version: 1\nsite: {id: site}\npipeline: ./own.yaml\ncameras:\n  - id: gate\n    main: clip.mp4\n"
        f"    rules: rules/gate.yaml\n    regions: {regions}\n    inspected_objects: {objects}\n"
        "alerts: {sinks: [{kind: jsonl, path: alerts.jsonl}], incidents: {resolve_after_s: 2}}\n"
        "observability: {port: null}\n",
        encoding="utf-8",
    )
    return path


# ---- settings


def test_regions_are_told_apart_by_their_names(tmp_path: Path) -> None:
    path = site(tmp_path, regions=f"[{{name: valve, {SQUARE}}}, {{name: valve, {SQUARE}}}]")
    with pytest.raises(
        ConfigError, match=r"site\.yaml:8:\d+: cameras\.0\.regions\.1\.name: two regions are called valve"
    ):
        load_site(path)


def test_a_kind_of_object_that_the_detector_does_not_know_is_told_at_its_field(tmp_path: Path) -> None:
    path = site(tmp_path, objects="[car, valve]")
    said = r"site\.yaml: cameras\.0\.inspected_objects\.1: the detector knows no 'valve'; permitted: person, bicycle"
    with pytest.raises(ConfigError, match=said):
        check_site(path)


def test_thresholds_that_overlap_are_told_at_their_line(tmp_path: Path) -> None:
    path = site(tmp_path, inspection="defect_at: 1.0, ok_at: 1.2")
    with pytest.raises(ConfigError, match=r"own\.yaml:3:\d+: inspection\.ok_at: ok_at 1\.2 lies above defect_at 1"):
        load_site(path)


def test_an_encoder_of_no_known_kind_names_those_there_are(tmp_path: Path) -> None:
    path = site(tmp_path, inspection="encoder: {kind: resnet}")
    with pytest.raises(
        ConfigError, match=r"own\.yaml:3:\d+: inspection\.encoder\.kind: 'resnet' is not permitted; .*dinov2"
    ):
        load_site(path)


@pytest.mark.parametrize(
    ("said", "encoder"),
    [
        ("{kind: efficientnet, side_px: 320}", EfficientNetEncoder(side_px=320)),
        ("{kind: siglip, model: some/model}", SiglipEncoder(model="some/model")),
    ],
)
def test_a_preset_names_its_encoder(tmp_path: Path, said: str, encoder: EfficientNetEncoder | SiglipEncoder) -> None:
    inspection = load_site(site(tmp_path, inspection=f"encoder: {said}")).pipeline.inspection
    assert inspection is not None
    assert inspection.encoder == encoder


def test_an_encoders_edge_is_told_at_its_line(tmp_path: Path) -> None:
    path = site(tmp_path, inspection="encoder: {kind: efficientnet, side_px: 238}")
    with pytest.raises(ConfigError, match=r"own\.yaml:3:\d+: .*side_px: .*32"):
        load_site(path)


def test_an_experts_path_is_relative_to_the_preset(tmp_path: Path) -> None:
    path = site(tmp_path, inspection="expert: {path: expert.onnx}")
    for pipeline in (load_site(path).pipeline, load_preset(str(tmp_path / "own.yaml"))):
        assert pipeline.inspection is not None
        assert pipeline.inspection.expert is not None
        assert pipeline.inspection.expert.path == tmp_path / "expert.onnx"


def test_the_preset_runs_the_packages_own_expert(tmp_path: Path) -> None:
    inspection = load_preset("inspection").inspection
    assert inspection is not None
    assert inspection.expert is not None
    assert inspection.expert.path == SHIPPED
    assert expert_file(inspection.expert.path, "dinov2-s") == shipped_expert("dinov2-s")
    assert expert_file(tmp_path / "own.onnx", "dinov2-s") == tmp_path / "own.onnx"


def test_regions_that_nobody_looks_at_are_said(tmp_path: Path) -> None:
    (camera,) = check_site(site(tmp_path, inspection=None)).cameras
    assert any("the pipeline has no `inspection`" in text for text in camera.warnings)
    (camera,) = check_site(site(tmp_path)).cameras
    assert not any("the pipeline has no `inspection`" in text for text in camera.warnings)


def test_what_of_a_camera_is_inspected(tmp_path: Path) -> None:
    loaded = load_site(site(tmp_path, objects="[car, car]"))
    assert [thing.key for thing in things(loaded, loaded.camera("gate"))] == ["region valve", "object car"]
    without = load_site(site(tmp_path, inspection=None))
    assert things(without, without.camera("gate")) == ()
    assert memory_path(Path("rules/gate.yaml")) == Path("rules/gate.inspection.zip")


# ---- a camera


def inspected(path: Path, looks: dict[str, FakeInspector], **camera: Any) -> Any:
    loaded, backends = load_site(path), FakeBackends()
    backends.looks = looks
    settings: CameraSettings = loaded.camera("gate").model_copy(update=camera)
    return camera_inspection(loaded, settings, cast(Any, backends), cast(Any, None), lambda: RULES, Metrics(["gate"]))


def test_a_thing_that_nobody_knows_is_said_with_the_remedy_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    with capture_logs() as logs:
        made = inspected(site(tmp_path, objects="[car]"), {"object car": FakeInspector()})
    (text,) = made.missing
    assert text.startswith("region valve: nobody knows how it should look; streamproc induce ")
    assert [(one["event"], one["reason"]) for one in logs] == [("not_inspected", text)]


def test_only_a_recording_that_is_not_played_in_real_time_may_lose_nothing(tmp_path: Path) -> None:
    path = site(tmp_path)
    assert inspected(path, {}).may_drop
    assert not inspected(path, {}, realtime=False).may_drop
    assert inspected(path, {}, realtime=False, main="rtsp://10.0.0.5/1").may_drop


def test_without_anything_to_inspect_there_is_no_inspection(tmp_path: Path) -> None:
    assert inspected(site(tmp_path, regions="[]"), {}) is None
    with capture_logs() as logs:
        assert inspected(site(tmp_path, inspection=None), {}) is None
    assert [one["event"] for one in logs] == ["not_inspected"]


# ---- a site


def test_a_site_offers_its_windows_to_inspection_and_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inspector = FakeInspector(lambda _: 0.5)

    def backends(*_: object) -> FakeBackends:
        made = FakeBackends()
        made.looks = {"region valve": inspector}
        return made

    monkeypatch.setattr(assembly, "Backends", backends)
    made: Assembled = assemble(load_site(site(tmp_path, objects="[car]")), ModelStore(), FakeClock())
    made.supervisor.start("worker", made.site._work, on_failure="restart", ask_to_end=made.hub.lanes.close)
    inspection = made.hub._inspection
    assert inspection is not None
    made.supervisor.start("inspection", inspection.work, on_failure="restart", ask_to_end=inspection.close)
    for second in (0.0, 1.0):
        made.hub.window(seen(second))
    made.hub.state(CameraState("gate", 1, "ended", datetime(2026, 11, 21, 8, tzinfo=UTC)))
    assert len(inspector.asked) == 1
    assert made.hub.said["gate"][0].startswith("object car: nobody knows how it should look")
    page = generate_latest(made.metrics.registry).decode()
    assert 'streamproc_crops_inspected_total{camera="gate"} 1.0' in page
    assert 'streamproc_queue_items{queue="inspection"} 0.0' in page
    made.site.stop(5)


# ---- a replay


def bright(crop: Pixels) -> float:
    """The clip's pictures brighten: from the twelfth second on they are not as they should be."""
    return 3.0 if float(np.mean(crop)) > 96 else 0.3


def test_a_replay_finds_the_defect_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def backends(*_: object) -> FakeBackends:
        made = FakeBackends()
        made.looks = {"region valve": FakeInspector(bright)}
        return made

    monkeypatch.setattr(replaying, "Backends", backends)
    path = site(tmp_path)
    write_clip(tmp_path / "clip.mp4", count=160, size=(160, 120))
    told: list[list[dict[str, Any]]] = [[], []]
    for alerts in told:
        replay(
            path, "gate", tmp_path / "clip.mp4", datetime(2026, 11, 21, 8, tzinfo=UTC), tmp_path / "e", alerts.append
        )
    first = [alert for alert in told[0] if alert["data"]["kind"] == "defect"]
    assert first[0]["data"]["action"] == "open"
    data = first[0]["data"]
    assert data["category"] == "valve"
    assert "3.0 times its threshold by the expert, 1.5 times its threshold by the memory" in data["reason"]
    assert data["objects"][0]["heatmap_uri"].endswith("-heat1.jpg")
    assert (tmp_path / "e" / "gate" / "2026-11-21" / data["objects"][0]["heatmap_uri"].rpartition("/")[2]).exists()
    strip = {"published_at"}
    kept = [json.dumps({k: v for k, v in alert["data"].items() if k not in strip}) for alert in told[0]]
    assert kept == [json.dumps({k: v for k, v in alert["data"].items() if k not in strip}) for alert in told[1]]


def test_every_setting_of_inspection_has_a_default() -> None:
    assert InspectionSettings().encoder.kind == "dinov2"
