"""The served expert says what the reference says, and where on the crop."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch

from streamproc.errors import InferenceError, ModelError, ModelLoadError
from streamproc.inspection import export
from streamproc.inspection.export import export_expert
from streamproc.inspection.header import Header, Variant
from streamproc.inspection.nouns import Backbone, Features, Layout
from streamproc.inspection.serving import HEADER, OnnxExpert
from streamproc.inspection.variants import make_expert

CHANNELS = 128
WHOLE = (0.0, 0.0, 1.0, 1.0)


def made(
    variant: Variant = "released", side: int = 5, look_back: bool = True, selector: bool = True, own: bool = False
) -> Any:
    torch.manual_seed(5)
    expert = make_expert(
        Header(
            backbone="tiny",
            revision="r1",
            channels=CHANNELS,
            side=side,
            hidden=16,
            variant=variant,
            look_back=look_back,
            selector=selector,
            own_picture=own,
        )
    )
    with torch.no_grad():
        if expert.own_picture is not None:
            expert.own_picture.slope.fill_(8.0)
            expert.own_picture.usual.fill_(0.5)
        expert.positive_embedding.normal_()
        expert.negative_embedding.normal_()
    return expert


def features(layout: Layout, side: int = 5, seed: int = 0, spread: float = 1.0) -> Features:
    numbers = np.random.default_rng(seed)
    shape = (layout.pictures, side * side, CHANNELS)
    return Features(
        (spread * numbers.standard_normal(shape)).astype(np.float32),
        (spread * numbers.standard_normal((4, *shape))).astype(np.float32),
        side,
        layout,
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("expert") / "expert.onnx"
    export_expert(made(), path)
    return path


@pytest.mark.parametrize("variant", ["released", "paper"])
@pytest.mark.parametrize(
    ("side", "look_back", "selector", "own"),
    [(4, True, True, False), (5, False, True, False), (5, True, False, False), (5, True, True, True)],
)
def test_onnx_is_within_a_ten_thousandth_of_pytorch(
    tmp_path: Path, variant: Variant, side: int, look_back: bool, selector: bool, own: bool
) -> None:
    expert = made(variant, side, look_back, selector, own)
    export_expert(expert, tmp_path / "expert.onnx")
    onnx_expert = OnnxExpert(tmp_path / "expert.onnx")
    for layout in (Layout((9, 9), (1, 1), WHOLE, True), Layout((9, 20), (2, 3), WHOLE, False)):
        crop = features(layout, side, spread=3.0)
        reading = onnx_expert.score(crop)
        with torch.no_grad():
            opinion = expert(torch.from_numpy(crop.tokens)[None], torch.from_numpy(crop.taps)[None])
        assert reading.score.value == pytest.approx(opinion.logit.sigmoid().item(), abs=1e-5)
        assert reading.logit == pytest.approx(opinion.logit.item(), abs=1e-4)
        np.testing.assert_allclose(reading.maps, opinion.maps[0].numpy(), atol=1e-4)
        np.testing.assert_allclose(reading.selected, opinion.selected[0].numpy(), atol=1e-4)
        np.testing.assert_allclose(reading.summary, opinion.summary[0].numpy(), atol=1e-4)
    assert onnx_expert.header == expert.header
    assert [path.name for path in tmp_path.iterdir()] == ["expert.onnx"]


def test_no_significance_anywhere_is_still_a_number_in_onnx(tmp_path: Path) -> None:
    expert = made()
    crop = features(Layout((9, 9), (1, 1), WHOLE, True))
    with torch.no_grad():
        d = torch.nn.functional.normalize(expert.descriptions(torch.from_numpy(crop.tokens))[0], dim=-1)
        for level, adaptor in enumerate(expert.siglip_adaptors):
            adaptor.weight.zero_()
            adaptor.bias.copy_(d[level, 1] - d[level, 0])
    export_expert(expert, tmp_path / "expert.onnx")
    reading = OnnxExpert(tmp_path / "expert.onnx").score(crop)
    assert reading.maps.max() < 1e-30
    assert math.isfinite(reading.logit)
    assert np.isfinite(reading.selected).all()


def test_an_export_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PARITY", -1.0)
    with pytest.raises(ModelError, match="of the ONNX model is"):
        export_expert(made(), tmp_path / "expert.onnx")
    assert not list(tmp_path.iterdir())


def test_a_picture_of_the_whole_alone_is_its_own_heat(served: Path) -> None:
    reading = OnnxExpert(served).score(features(Layout((40, 40), (1, 1), WHOLE, True)))
    np.testing.assert_array_equal(reading.score.heat, reading.maps[0])
    assert reading.score.by == "expert"


def test_another_encoder_is_refused(served: Path) -> None:
    def backbone(name: str, revision: str) -> Backbone:
        return cast("Backbone", SimpleNamespace(name=name, revision=revision))

    OnnxExpert(served, backbone("tiny", "r1"))
    for name, revision in (("tiny", "r2"), ("other", "r1")):
        with pytest.raises(ModelLoadError, match=f"trained on tiny r1, the encoder here is {name} {revision}"):
            OnnxExpert(served, backbone(name, revision))


def test_a_file_that_is_no_expert_is_refused(served: Path, tmp_path: Path) -> None:
    model = onnx.load(served)
    model.metadata_props[0].value = "{}"
    onnx.save(model, tmp_path / "header.onnx")
    with pytest.raises(ModelLoadError, match=f"its '{HEADER}' entry does not read"):
        OnnxExpert(tmp_path / "header.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "none.onnx")
    with pytest.raises(ModelLoadError, match="is not an exported expert"):
        OnnxExpert(tmp_path / "none.onnx")
    with pytest.raises(ModelLoadError, match="cannot be read"):
        OnnxExpert(tmp_path / "absent.onnx")


def test_features_of_another_shape_or_without_numbers_are_refused(served: Path) -> None:
    expert = OnnxExpert(served)
    layout = Layout((9, 9), (1, 1), WHOLE, True)
    with pytest.raises(InferenceError, match=r"reads tokens \(1, 25, 128\)"):
        expert.score(features(layout, side=4))
    crop = features(layout)
    with pytest.raises(InferenceError, match="four taps"):
        expert.score(Features(crop.tokens, crop.taps[:3], 5, layout))
    crop.taps[0, 0, 0, 0] = np.nan
    with pytest.raises(InferenceError, match="not a number"):
        expert.score(crop)
