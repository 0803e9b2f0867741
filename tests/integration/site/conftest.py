"""The demo's footage, and a site that watches it live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamproc.demo.broker import DevBroker, free_port
from streamproc.demo.footage import prepare
from streamproc.errors import ModelLoadError
from streamproc.models.store import ModelStore
from streamproc.testing_rtsp import RtspServer
from streamproc.testing_site import PASSWORD, USER, LiveSite

RULES = Path(__file__).parent / "rules"


@pytest.fixture(scope="session")
def footage() -> dict[str, Path]:
    """The demo's clips; skips where the footage or a model cannot be had."""
    store = ModelStore()
    try:
        for name in ("nanodet", "bge-small"):
            store.ensure(name)
        clips = prepare(store.ensure("vtest"), store.ensure("vtest").parent)
    except ModelLoadError as error:
        pytest.skip(f"models and footage cannot be had: {error}")
    return {"normal": clips.normal, "one": clips.one, "two": clips.two}


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
