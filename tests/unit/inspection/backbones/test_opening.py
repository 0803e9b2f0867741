"""Encoders by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.errors import ConfigError, ModelLoadError
from streamproc.inspection.backbones import opening, siglip
from streamproc.inspection.backbones.opening import EMBEDDED, open_backbone
from streamproc.models.efficientnet import build
from streamproc.models.store import ModelStore
from streamproc.testing_inspection import efficientnet_tensors, tiny_vit


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """Has each embedded encoder's form."""
    tiny_vit(tmp_path / "dinov2-s")
    (tmp_path / "efficientnet-lite0").write_bytes(build(efficientnet_tensors()).SerializeToString())
    held = ModelStore(tmp_path / "cache")
    monkeypatch.setattr(held, "ensure", lambda name: tmp_path / name)
    return held


@pytest.mark.parametrize("called", EMBEDDED)
def test_an_embedded_encoder_has_the_name_it_is_called_by(store: ModelStore, called: str) -> None:
    assert open_backbone(called, store=store).name == called
    assert open_backbone(called, store=store).side_px == opening.SIDE_PX
    assert open_backbone(called, 448, store=store).side_px == 448


def test_an_edge_that_does_not_fit_is_told_with_the_encoder(store: ModelStore) -> None:
    with pytest.raises(ConfigError, match=r"dinov2-s: .* multiple of 14 px, not 225"):
        open_backbone("dinov2-s", 225, store=store)
    with pytest.raises(ConfigError, match=r"efficientnet-lite0: .* multiple of 32 px, not 238"):
        open_backbone("efficientnet-lite0", 238, store=store)


@pytest.mark.parametrize("called", ["resnet", "siglip", "siglip:", ""])
def test_a_name_that_is_not_known_is_told_those_that_are(store: ModelStore, called: str) -> None:
    with pytest.raises(ConfigError, match=r"there is no encoder .*dinov2-s, efficientnet-lite0 and siglip:MODEL"):
        open_backbone(called, store=store)


def test_a_tower_is_opened_by_what_stands_behind_the_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(siglip, "SiglipTower", lambda *said: asked.extend(said))
    open_backbone("siglip:some/model", threads=2)
    assert asked == ["some/model", None, 2]


def test_a_tower_without_its_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siglip, "find_spec", lambda name: None if name == "transformers" else object())
    with pytest.raises(ModelLoadError, match=r"needs transformers: pip install 'streamproc\[inspection\]'"):
        open_backbone("siglip:some/model")
