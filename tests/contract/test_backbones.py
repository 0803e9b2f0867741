"""What every encoder of inspection promises, the fake included."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamproc.errors import InferenceError
from streamproc.inspection.backbones.dinov2 import DinoV2
from streamproc.inspection.backbones.efficientnet import EfficientNetLite0
from streamproc.inspection.nouns import TAPS, Backbone, Layout, Views
from streamproc.models.efficientnet import build
from streamproc.models.store import ModelStore
from streamproc.testing_inspection import FakeBackbone, efficientnet_tensors, tiny_vit


def fake(_: Path) -> Backbone:
    return FakeBackbone()


def tiny(folder: Path) -> Backbone:
    return DinoV2(tiny_vit(folder / "tiny.onnx"), side_px=42)


def untrained(folder: Path) -> Backbone:
    path = folder / "untrained.onnx"
    path.write_bytes(build(efficientnet_tensors()).SerializeToString())
    return EfficientNetLite0(path, side_px=96)


def cached(name: str) -> Path:
    store = ModelStore()
    if not any(row.cached for row in store.list() if row.name == name):
        pytest.skip(f"not cached: {name}; fetch with `streamproc models pull {name}`")
    return store.ensure(name)


def dinov2(_: Path) -> Backbone:
    return DinoV2(cached("dinov2-s"), side_px=112)


def efficientnet(_: Path) -> Backbone:
    return EfficientNetLite0(cached("efficientnet-lite0"), side_px=96)


def siglip(_: Path) -> Backbone:
    pytest.importorskip("transformers", reason="pip install 'streamproc[inspection]'")
    model = Path(os.environ.get("STREAMPROC_SERVERS", Path.home() / ".cache" / "streamproc" / "servers"))
    if not (model / "tiny-onevision" / "config.json").exists():
        pytest.skip(f"no tiny LLaVA-OneVision in {model}; see tests/integration/servers/prepare.py")
    from streamproc.inspection.backbones.siglip import SiglipTower

    return SiglipTower(str(model / "tiny-onevision"))


REAL = [pytest.param(make, marks=pytest.mark.models) for make in (dinov2, efficientnet)]
EACH = pytest.mark.parametrize("make", [fake, tiny, untrained, *REAL, pytest.param(siglip, marks=pytest.mark.server)])
Make = Callable[[Path], Backbone]


def views(side_px: int, grid: tuple[int, int] = (1, 1), seed: int = 0) -> Views:
    layout = Layout(crop_px=(60, 80), grid=grid, inside=(0.0, 0.0, 1.0, 1.0), same_first=grid == (1, 1))
    pictures = np.random.default_rng(seed).random((layout.pictures, 3, side_px, side_px), np.float32)
    return Views(pictures, layout)


@EACH
@pytest.mark.parametrize("grid", [(1, 1), (1, 2)])
def test_shapes_are_those_of_the_nouns(make: Make, grid: tuple[int, int], tmp_path: Path) -> None:
    backbone = make(tmp_path)
    given = views(backbone.side_px, grid)
    found = backbone.encode(given)
    n, t, c = found.tokens.shape
    assert (n, t) == (given.layout.pictures, found.side**2)
    assert found.taps.shape == (TAPS, n, t, c)
    assert found.tokens.dtype == found.taps.dtype == np.dtype(np.float32)
    assert found.layout is given.layout
    assert np.isfinite(found.tokens).all()


@EACH
def test_a_picture_is_the_same_alone_and_among_others(make: Make, tmp_path: Path) -> None:
    backbone = make(tmp_path)
    many = views(backbone.side_px, (1, 2))
    alone = Views(many.pictures[:1], views(backbone.side_px).layout)
    np.testing.assert_allclose(backbone.encode(alone).tokens, backbone.encode(many).tokens[:1], atol=1e-5)


@EACH
def test_tokens_lie_where_the_picture_shows_something(make: Make, tmp_path: Path) -> None:
    """Row-major: a change in the lower left corner is told most by the last row's first token."""
    backbone = make(tmp_path)
    plain = views(backbone.side_px)
    plain.pictures[:] = 0.5
    changed = Views(plain.pictures.copy(), plain.layout)
    before = backbone.encode(plain)
    patch = backbone.side_px // before.side
    changed.pictures[0, :, -patch:, :patch] = np.random.default_rng(0).random((3, patch, patch), np.float32)
    moved = np.linalg.norm(backbone.encode(changed).taps[0] - before.taps[0], axis=-1)[0]
    assert int(moved.argmax()) == before.side * (before.side - 1)


@EACH
def test_it_has_a_name_and_a_revision(make: Make, tmp_path: Path) -> None:
    backbone = make(tmp_path)
    assert backbone.name
    assert backbone.revision == make(tmp_path).revision != ""


@EACH
def test_pictures_of_another_size_are_refused(make: Make, tmp_path: Path) -> None:
    backbone = make(tmp_path)
    with pytest.raises(InferenceError, match="px"):
        backbone.encode(views(backbone.side_px + 14))


def test_a_dinov2_takes_whole_patches(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 14"):
        DinoV2(tiny_vit(tmp_path / "tiny.onnx"), side_px=225)


def test_an_efficientnet_takes_whole_cells_of_its_coarsest_level(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        EfficientNetLite0(tmp_path / "unread.onnx", side_px=112)


def test_what_a_level_of_efficientnet_lacks_in_channels_is_zeros(tmp_path: Path) -> None:
    found = untrained(tmp_path).encode(views(96))
    used = [int(np.flatnonzero(level.any((0, 1)))[-1]) + 1 for level in (*found.taps, found.tokens)]
    assert used == [40, 80, 112, 192, 320]
