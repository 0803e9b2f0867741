"""`--expert shipped` opens the package's own expert for the encoder in use; another encoder's is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.commands import inspecting_images
from streamproc.errors import ConfigError, ModelLoadError
from streamproc.inspection.backbones import dinov2, efficientnet
from streamproc.inspection.shipped import shipped_expert
from streamproc.models import store


class Encoder:
    name = "dinov2-s"
    revision = "e4b408fdbb62"
    side_px = 224

    def __init__(self, *_: object) -> None: ...


def test_shipped_is_a_name_and_not_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dinov2, "DinoV2", Encoder)
    monkeypatch.setattr(store.ModelStore, "ensure", lambda _self, _name: Path("unread.onnx"))

    _, expert = inspecting_images.inspection_parts("dinov2-s", 224, 1, Path("shipped"))
    _, named = inspecting_images.inspection_parts("dinov2-s", 224, 1, shipped_expert("dinov2-s"))

    assert expert is not None
    assert named is not None
    assert expert.revision == named.revision


def test_an_expert_of_another_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Encoder):
        name = "efficientnet-lite0"
        revision = "7a682c04e216"

    monkeypatch.setattr(efficientnet, "EfficientNetLite0", Other)
    monkeypatch.setattr(store.ModelStore, "ensure", lambda _self, _name: Path("unread.onnx"))

    with pytest.raises(ModelLoadError, match="was trained on dinov2-s e4b408fdbb62, the encoder here is efficientnet"):
        inspecting_images.inspection_parts("efficientnet-lite0", None, 1, shipped_expert("dinov2-s"))
    with pytest.raises(ConfigError, match="no expert for efficientnet-lite0 comes with the package"):
        inspecting_images.inspection_parts("efficientnet-lite0", None, 1, Path("shipped"))
