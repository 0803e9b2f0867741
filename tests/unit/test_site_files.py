from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from streamproc.config import PipelineSettings, SiteSettings
from streamproc.errors import ConfigError
from streamproc.schemas import MODELS, schema_text
from streamproc.site import load_site, preset_names
from streamproc.yamlfile import load_model

ROOT = Path(__file__).parents[2]
SITE = """\
schema_version: 1
site: {id: depot}
pipeline: PIPELINE
cameras:
  - {id: gate, main: "rtsp://${A}:${B}@h/p", rules: ../rules/gate.yaml}
  - {id: clip, main: clips/a.mp4, sub: "device:/dev/video0"}
alerts:
  outbox: /var/lib/outbox.sqlite3
  sinks:
    - {kind: jsonl, path: alerts.jsonl}
    - {kind: kafka, bootstrap_servers: [k], security: {ssl_cafile: ca.pem}}
"""


def site_file(folder: Path, pipeline: str = "embedded") -> Path:
    path = folder / "configs" / "site.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(SITE.replace("PIPELINE", pipeline))
    return path


@pytest.mark.parametrize(("name", "model"), MODELS.items())
def test_the_schemas_beside_the_files_are_current(name: str, model: type) -> None:
    assert (ROOT / name).read_text() == schema_text(model), "run python -m streamproc.schemas"


def _unexplained(schema: object) -> list[str]:
    if isinstance(schema, dict):
        # A reference alone takes the description of what it refers to.
        fields = schema.get("properties", {}).items()
        own = [name for name, field in fields if not {"description", "$ref"} & field.keys()]
        return own + [name for value in schema.values() for name in _unexplained(value)]
    return [name for value in schema for name in _unexplained(value)] if isinstance(schema, list) else []


@pytest.mark.parametrize("model", MODELS.values())
def test_every_field_explains_itself(model: type) -> None:
    assert _unexplained(json.loads(schema_text(model))) == []


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("configs/site.example.yaml", "configs/site.schema.json"),
        ("pipelines/embedded.yaml", "pipelines/pipeline.schema.json"),
        ("pipelines/gpu-vllm.yaml", "pipelines/pipeline.schema.json"),
        ("pipelines/inspection.yaml", "pipelines/pipeline.schema.json"),
    ],
)
def test_the_shipped_files_fit_the_schema_they_name(file: str, schema: str) -> None:
    text = (ROOT / file).read_text()
    assert text.startswith(f"# yaml-language-server: $schema={Path(schema).name}\n")
    data = YAML(typ="safe", pure=True).load(text)
    jsonschema.Draft202012Validator(json.loads((ROOT / schema).read_text())).validate(data)


def test_the_presets_load_under_their_own_names() -> None:
    assert set(preset_names()) >= {"embedded", "gpu-vllm"}
    for name in preset_names():
        assert load_model(ROOT / "pipelines" / f"{name}.yaml", PipelineSettings).name == name


def test_the_gpu_preset_asks_the_servers_that_its_comments_start() -> None:
    text = (ROOT / "pipelines/gpu-vllm.yaml").read_text()
    pipeline = load_model(ROOT / "pipelines/gpu-vllm.yaml", PipelineSettings)
    assert pipeline.perception.kind == "vlm"
    assert pipeline.deduction.llm is not None
    assert pipeline.induction.kind == "llm"
    for server in (pipeline.perception, pipeline.deduction.llm, pipeline.induction):
        assert f"--served-model-name {server.model} " in text
        assert f"--revision {server.revision} " in text
        assert f"--port {server.base_url[0].split(':')[2].removesuffix('/v1')} " in text


def test_the_example_site_loads() -> None:
    assert load_model(ROOT / "configs/site.example.yaml", SiteSettings).site.id == "north-depot"
    assert load_site(ROOT / "configs/site.example.yaml").pipeline.name == "embedded"


def test_paths_are_relative_to_the_site_file(tmp_path: Path) -> None:
    loaded = load_site(site_file(tmp_path))
    gate, clip = loaded.settings.cameras
    assert gate.rules == tmp_path / "rules/gate.yaml"
    assert gate.main == "rtsp://${A}:${B}@h/p"
    assert clip.main == str(tmp_path / "configs/clips/a.mp4")
    assert clip.sub == "device:/dev/video0"
    alerts = loaded.settings.alerts
    assert alerts.outbox == Path("/var/lib/outbox.sqlite3")
    assert alerts.evidence.directory == tmp_path / "configs/var/evidence"
    jsonl, kafka = alerts.sinks
    assert jsonl.kind == "jsonl"
    assert jsonl.path == tmp_path / "configs/alerts.jsonl"
    assert kafka.kind == "kafka"
    assert kafka.security.ssl_cafile == tmp_path / "configs/ca.pem"


def test_a_relative_site_path_gives_absolute_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    loaded = load_site(Path("configs/site.yaml"))
    assert loaded.path == tmp_path / "configs/site.yaml"
    assert loaded.camera("gate").rules == tmp_path / "rules/gate.yaml"


def test_a_link_to_a_configuration_is_not_resolved(tmp_path: Path) -> None:
    site_file(tmp_path)
    (tmp_path / "current").symlink_to(tmp_path / "configs")
    assert load_site(tmp_path / "current/site.yaml").settings.alerts.sinks[0] == load_site(
        tmp_path / "configs/site.yaml"
    ).settings.alerts.sinks[0].model_copy(update={"path": tmp_path / "current/alerts.jsonl"})


def test_a_pipeline_of_ones_own_lies_beside_the_site_file(tmp_path: Path) -> None:
    path = site_file(tmp_path, "./mine.yaml")
    (path.parent / "mine.yaml").write_text("schema_version: 1\nname: mine\nworkers: 7\n")
    assert load_site(path).pipeline.workers == 7


def test_an_unknown_preset_names_those_there_are(tmp_path: Path) -> None:
    path = site_file(tmp_path, "gpu")
    with pytest.raises(ConfigError, match=r"site.yaml:3:11: pipeline: .*permitted: embedded, gpu-vllm"):
        load_site(path)


def test_a_missing_pipeline_file_is_told_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site.yaml:3:11: pipeline: .*none.yaml is no file"):
        load_site(site_file(tmp_path, "./none.yaml"))


def test_faults_of_a_preset_name_its_file(tmp_path: Path) -> None:
    path = site_file(tmp_path, "./mine.yaml")
    (path.parent / "mine.yaml").write_text("schema_version: 1\nname: mine\nworkers: 0\n")
    with pytest.raises(ConfigError, match=r"mine.yaml:3:10: workers: 0 is out of range"):
        load_site(path)


def test_an_unknown_camera_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it has gate, clip"):
        load_site(site_file(tmp_path)).camera("yard")


@pytest.mark.parametrize(
    ("cameras", "said", "processes"),
    [
        (1, "", 0),
        (8, "", 0),
        (9, "", 2),
        (16, "", 2),
        (17, "", 3),
        (20, "processes: 0", 0),
        (20, "processes: 2", 2),
        (2, "processes: 5", 2),
        (20, "decoder: {kind: dali}", 0),
        (20, "decoder: {kind: dali}\nprocesses: 2", 2),
    ],
)
def test_many_cameras_are_spread_over_processes_unless_the_pipeline_says_otherwise(
    tmp_path: Path, cameras: int, said: str, processes: int
) -> None:
    path = site_file(tmp_path, "./mine.yaml")
    rows = "".join(f"  - {{id: cam{number}, main: 'rtsp://h/{number}'}}\n" for number in range(cameras))
    head, _, tail = path.read_text().partition("cameras:\n")
    path.write_text(f"{head}cameras:\n{rows}alerts:{tail.partition('alerts:')[2]}")
    (path.parent / "mine.yaml").write_text(f"schema_version: 1\nname: mine\n{said}\n")
    assert load_site(path).processes == processes


def test_a_processs_bound_grows_with_its_cameras_unless_the_pipeline_says_otherwise(tmp_path: Path) -> None:
    path = site_file(tmp_path, "./mine.yaml")
    (path.parent / "mine.yaml").write_text("schema_version: 1\nname: mine\n")
    loaded = load_site(path)
    assert loaded.process_memory_mb(1) < loaded.process_memory_mb(8) == 8 * 200 + 600
    (path.parent / "mine.yaml").write_text("schema_version: 1\nname: mine\nprocess_memory_mb: 3000\n")
    assert load_site(path).process_memory_mb(8) == 3000
