"""`streamproc init`: whatever the flags, the file loads; what is not permitted leaves no file, no password is told."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.config import JsonlSinkSettings, KafkaSinkSettings, SiteSettings
from streamproc.errors import ConfigError
from streamproc.scaffold import Scaffold
from streamproc.site import load_site
from streamproc.yamlfile import check_model

GATE = ("gate", "rtsp://${GATE_USER}:${GATE_PASSWORD}@10.0.0.5/1")
YARD = ("yard-2", "${file:/run/secrets/yard}")
ODD = ("odd", "rtsp://cam/ä b?x=1&y='2'#\"quoted\": {curly} # no comment")


COMBINATIONS = product(
    [(GATE,), (GATE, YARD, ODD)],
    [(), ("kafka-1:9092", "kafka-2:9092")],
    [("embedded", "tcp", "UTC"), ("gpu-vllm", "udp", "America/Argentina/Buenos_Aires")],
    ["configs", "my site", "."],
)


@pytest.mark.parametrize(("cameras", "kafka", "common", "folder"), list(COMBINATIONS))
def test_what_is_written_loads_and_says_what_was_asked_for(
    tmp_path: Path,
    cameras: tuple[tuple[str, str], ...],
    kafka: tuple[str, ...],
    common: tuple[str, str, str],
    folder: str,
) -> None:
    path = tmp_path / folder / "site.yaml"
    pipeline, transport, timezone = common
    Scaffold("site-1", cameras, pipeline, transport, timezone, kafka).write(path)
    loaded = load_site(path)
    site = loaded.settings
    assert [camera.id for camera in site.cameras] == [name for name, _ in cameras]
    assert site.cameras[0].main == GATE[1]
    assert {(camera.transport, camera.timezone) for camera in site.cameras} == {(transport, timezone)}
    assert loaded.pipeline.name == pipeline
    (sink,) = site.alerts.sinks
    if kafka:
        assert isinstance(sink, KafkaSinkSettings)
        assert sink.bootstrap_servers == kafka
    else:
        assert isinstance(sink, JsonlSinkSettings)
    # In configs/ it finds rules/ and var/ beside that folder, elsewhere beside itself.
    root = tmp_path if folder == "configs" else path.parent
    assert site.cameras[0].rules == root.absolute() / "rules" / "gate.yaml"
    assert site.alerts.outbox == root.absolute() / "var" / "outbox.sqlite3"
    assert site.alerts.evidence.directory == root.absolute() / "var" / "evidence"
    assert [entry.name for entry in path.parent.iterdir()] == ["site.yaml"]


def test_what_stands_in_comments_loads_too(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    Scaffold("site", (GATE,), kafka=("kafka:9092",)).write(path)
    kept = []
    for line in path.read_text().splitlines():
        opened = line.replace("# ", "", 1)
        wanted = (
            "# sub:",
            "# zones:",
            "#   - {name",
            "# privacy",
            "# schedule:",
            "#   - {days",
            "# security",
            "#            ",
        )
        kept.append(opened if line.strip().startswith(wanted) else line)
    path.write_text("\n".join(kept), encoding="utf-8")
    camera = load_site(path).settings.cameras[0]
    assert camera.zones[0].name == "gate"
    assert camera.privacy_masks[0].name == "window"
    assert camera.schedule[0].hours == "18:00-07:00"
    assert camera.sub is not None
    (sink,) = load_site(path).settings.alerts.sinks
    assert isinstance(sink, KafkaSinkSettings)
    assert sink.security.sasl_password == "${KAFKA_PASSWORD}"


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1))
def test_an_address_comes_back_as_it_was_given(address: str) -> None:
    text = Scaffold("site", (("gate", address),)).text(Path("site.yaml"))
    try:
        loaded, _ = check_model(text.encode(), SiteSettings, "site.yaml")
    except ConfigError as error:
        # What the loader does not permit (a placeholder that is none, a literal password) is told as the address's.
        fields = {fault.field for fault in error.faults}
    else:
        fields = {"cameras.0.main"} if loaded.cameras[0].main == address else set()
    assert fields == {"cameras.0.main"}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"site": "My Site"}, "site.id: "),
        ({"cameras": (("Gate", "clip.mp4"),)}, "cameras.0.id: "),
        ({"cameras": (GATE, GATE)}, "the camera id gate is used twice"),
        ({"cameras": ()}, "cameras: "),
        ({"transport": "quic"}, "permitted: tcp, udp"),
        ({"transport": "tcp\nrealtime: false"}, "permitted: tcp, udp"),
        ({"timezone": "Mars/Base"}, "not a time zone"),
        ({"pipeline": "gpu"}, "no preset of this name; permitted: embedded, gpu-vllm"),
        ({"pipeline": "./own.yaml"}, "own.yaml is no file"),
        ({"cameras": (("gate", "rtsp://\udcff/1"),)}, "not text in UTF-8"),
    ],
)
def test_what_is_not_permitted_is_told_without_a_place_in_a_file_and_nothing_is_written(
    tmp_path: Path, flags: dict[str, object], said: str
) -> None:
    given: dict[str, object] = {"site": "site", "cameras": (GATE,)} | flags
    with pytest.raises(ConfigError) as refused:
        Scaffold(**given).write(tmp_path / "site.yaml")  # type: ignore[arg-type]
    assert said in str(refused.value)
    assert ".draft" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["rtsp://admin:marked-Geheim77@10.0.0.5/1", "rtsp://h/1?password=marked-Geheim77"])
def test_a_literal_password_is_refused_with_the_remedy_and_is_not_repeated(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Scaffold("site", (GATE, ("yard", address))).write(tmp_path / "site.yaml")
    assert str(refused.value).startswith("cameras.1.main: an address must not hold a password")
    assert "${CAMERA_USER}:${CAMERA_PASSWORD}@host" in str(refused.value)
    assert "Geheim77" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_left_alone_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is there already; choose another path or pass --force"):
        Scaffold("site", (GATE,)).write(path)
    assert path.read_text() == "mine"
    with pytest.raises(ConfigError):
        Scaffold("My Site", (GATE,)).write(path, force=True)
    assert path.read_text() == "mine"
    Scaffold("site", (GATE,)).write(path, force=True)
    assert load_site(path).settings.site.id == "site"


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"file/site\.yaml cannot be written"):
        Scaffold("site", (GATE,)).write(tmp_path / "file" / "site.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.yaml cannot be written"):
        Scaffold("site", (GATE,)).write(tmp_path / "folder.yaml", force=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder.yaml"]
