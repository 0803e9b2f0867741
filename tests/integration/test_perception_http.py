"""Captioners compared with the real embedded models, beside a model server that fails now and then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamproc.backtest import perceiving
from streamproc.backtest.perceiving import compare_captioners
from streamproc.errors import InferenceError
from streamproc.perception.captioner import Captioner
from streamproc.testing_modelserver import FakeModelServer, Say
from streamproc.testing_sources import write_clip

pytestmark = [pytest.mark.integration, pytest.mark.models]

SCENE = json.dumps(
    {
        "people": [],
        "things": [
            {"count": 1, "what": "cart", "action": "", "place": "by the door", "sentence": "A cart stands by the door."}
        ],
    }
)


def preset(folder: Path, server: FakeModelServer) -> str:
    path = folder / "vlm.yaml"
    settings = f"{{kind: vlm, base_url: '{server.base_url}', model: test-model, deadline_s: 5, retries: 0}}"
    path.write_text(f"schema_version: 1\nname: vlm\nperception: {settings}\n")
    return str(path)


def test_the_embedded_captioner_beside_a_served_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "a.mp4", count=60, size=(128, 96))
    check = perceiving._captioners

    def then_fail(*given: Any) -> dict[str, Captioner]:
        captioners = check(*given)  # asks the server whether it can; what follows is the first window
        server.script.append(Say(("I cannot say.",)))
        return captioners

    monkeypatch.setattr(perceiving, "_captioners", then_fail)
    with FakeModelServer(reply=SCENE) as server:
        report = compare_captioners([str(tmp_path / "a.mp4")], presets=["embedded", preset(tmp_path, server)])

    embedded, served = report.captioners
    assert (embedded.name, served.name) == ("embedded", "vlm")
    assert embedded.moments == served.moments == report.moments
    assert (embedded.failed, served.failed) == (0, 1)
    assert served.objects_most[0] == ("cart", report.moments - 1)
    assert served.ms_median is not None
    assert report.agreements[0].moments == report.moments - 1


def test_a_server_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", count=60, size=(128, 96))
    with FakeModelServer() as server:
        gone = preset(tmp_path, server)
    with pytest.raises(InferenceError, match="127"):
        compare_captioners([str(tmp_path / "a.mp4")], presets=["embedded", gone])
