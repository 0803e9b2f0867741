"""The demo's footage and parts of it, and a site that watches it live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

from streamproc.demo.broker import DevBroker, free_port
from streamproc.demo.footage import prepare
from streamproc.errors import ModelLoadError
from streamproc.models.store import ModelStore
from streamproc.testing_rtsp import RtspServer
from streamproc.testing_site import PASSWORD, USER, LiveSite

RULES = Path(__file__).parent / "rules"
SITE = """\
schema_version: 1
site: {id: site}
cameras: [{id: two, main: clip.mp4, rules: rules/two.yaml}]
alerts:
  sinks: [{kind: jsonl, path: alerts.jsonl}]
  incidents: {resolve_after_s: 2, update_every_s: 3}
"""


@pytest.fixture(scope="session")
def footage() -> dict[str, Path]:
    """The demo's clips; skips where the footage or a model cannot be had."""
    store = ModelStore()
    try:
        for name in ("nanodet", "movenet", "bge-small"):
            store.ensure(name)
        clips = prepare(store.ensure("vtest"), store.ensure("vtest").parent)
    except ModelLoadError as error:
        pytest.skip(f"models and footage cannot be had: {error}")
    return {"normal": clips.normal, "one": clips.one, "two": clips.two}


def cut(source: Path, target: Path, start_s: float, end_s: float) -> Path:
    """The packets from ``start_s``, a keyframe's time, to ``end_s``; nothing is encoded anew."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        video = reading.streams.video[0]
        base = video.time_base
        assert base is not None
        copied = writing.add_stream_from_template(video)
        for packet in reading.demux(video):
            if packet.pts is None or packet.dts is None or not start_s <= packet.pts * base < end_s:
                continue
            packet.pts -= int(start_s / base)
            packet.dts -= int(start_s / base)
            packet.stream = copied
            writing.mux(packet)
    return target


@pytest.fixture
def part(footage: dict[str, Path], tmp_path: Path) -> Callable[[str, float, float], Path]:
    """Cuts a part of a clip: its name, from which second (even: a keyframe is there) to which."""
    return lambda name, start_s, end_s: cut(footage[name], tmp_path / f"{name}-{start_s:g}.mp4", start_s, end_s)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose one camera is a recording, with the rules and the calibration of the demo's second camera."""
    (tmp_path / "rules").mkdir()
    for name in ("two.yaml", "two.normality.json"):
        (tmp_path / "rules" / name).write_bytes((RULES / name).read_bytes())
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    return tmp_path / "site.yaml"


@pytest.fixture
def live(tmp_path: Path, footage: dict[str, Path]) -> Iterator[LiveSite]:
    (tmp_path / "rules").mkdir()
    for name in ("two.yaml", "two.normality.json"):
        (tmp_path / "rules" / name).write_bytes((RULES / name).read_bytes())
    with (
        RtspServer({"two": footage["one"]}, USER, PASSWORD) as server,
        DevBroker(tmp_path / "broker") as broker,
    ):
        site = LiveSite(tmp_path, server, broker, free_port())
        site.write()
        site.start()
        site.listen()
        try:
            yield site
        finally:
            site.end()
